/**
 * Tristate numbers: what is known of each bit of a 64-bit value. A bit set in `mask` is unknown;
 * elsewhere `value` has the bit. Bits of `value` under the mask are 0. Immutable.
 *
 * The arithmetic is that of "Sound, Precise, and Fast Abstract Interpretation with Tristate
 * Numbers" (Vishwanathan et al., CGO 2022), which describes and proves what Linux does.
 */
import {
  addHi,
  addLo,
  arshHi,
  arshLo,
  bitLength,
  hiOf,
  join,
  loOf,
  lshHi,
  lshLo,
  mulHi,
  rshHi,
  rshLo,
  subHi,
  subLo,
} from './wide.ts';

export class Tnum {
  declare readonly valueHi: number;
  declare readonly valueLo: number;
  declare readonly maskHi: number;
  declare readonly maskLo: number;

  constructor(valueHi: number, valueLo: number, maskHi: number, maskLo: number) {
    this.valueHi = valueHi;
    this.valueLo = valueLo;
    this.maskHi = maskHi;
    this.maskLo = maskLo;
  }

  get value(): bigint {
    return join(this.valueHi, this.valueLo);
  }

  get mask(): bigint {
    return join(this.maskHi, this.maskLo);
  }
}

export const tnum = (value: bigint, mask: bigint): Tnum =>
  new Tnum(hiOf(value), loOf(value), hiOf(mask), loOf(mask));

/** Made of any value and mask: what is unknown has no value. */
const masked = (hi: number, lo: number, maskHi: number, maskLo: number): Tnum =>
  new Tnum(hi & ~maskHi, lo & ~maskLo, maskHi, maskLo);

export const UNKNOWN_TNUM: Tnum = new Tnum(0, 0, -1, -1);

export const constTnum = (value: bigint): Tnum => new Tnum(hiOf(value), loOf(value), 0, 0);
export const isConst = (a: Tnum): boolean => (a.maskHi | a.maskLo) === 0;
export const isZero = (a: Tnum): boolean => (a.maskHi | a.maskLo | a.valueHi | a.valueLo) === 0;
export const isUnknown = (a: Tnum): boolean => (a.maskHi & a.maskLo) === -1;
export const isConstOf = (a: Tnum, value: bigint): boolean => isConst(a) && a.value === value;
export const sameTnum = (a: Tnum, b: Tnum): boolean =>
  a.valueLo === b.valueLo &&
  a.valueHi === b.valueHi &&
  a.maskLo === b.maskLo &&
  a.maskHi === b.maskHi;

/** The smallest tnum that holds every value from `min` to `max` (unsigned). */
export const rangeTnum = (min: bigint, max: bigint): Tnum =>
  spanTnum(hiOf(min), loOf(min), hiOf(max), loOf(max));

/** The same, of halves. */
export function spanTnum(minHi: number, minLo: number, maxHi: number, maxLo: number): Tnum {
  const bits = bitLength(minHi ^ maxHi, minLo ^ maxLo);
  if (bits > 63) return UNKNOWN_TNUM;
  const maskHi = bits > 32 ? ((1 << (bits - 32)) - 1) | 0 : 0;
  const maskLo = bits >= 32 ? -1 : ((1 << bits) - 1) | 0;
  return masked(minHi, minLo, maskHi, maskLo);
}

export function addTnum(a: Tnum, b: Tnum): Tnum {
  const hi = addHi(a.valueHi, a.valueLo, b.valueHi, b.valueLo);
  const lo = addLo(a.valueLo, b.valueLo);
  if (isConst(a) && isConst(b)) return new Tnum(hi, lo, 0, 0);
  // The sum of all that may be set: where it differs, a carry may have come.
  const maskHi = addHi(a.maskHi, a.maskLo, b.maskHi, b.maskLo);
  const maskLo = addLo(a.maskLo, b.maskLo);
  const mostHi = addHi(maskHi, maskLo, hi, lo);
  const mostLo = addLo(maskLo, lo);
  return masked(hi, lo, (mostHi ^ hi) | a.maskHi | b.maskHi, (mostLo ^ lo) | a.maskLo | b.maskLo);
}

export function subTnum(a: Tnum, b: Tnum): Tnum {
  const hi = subHi(a.valueHi, a.valueLo, b.valueHi, b.valueLo);
  const lo = subLo(a.valueLo, b.valueLo);
  if (isConst(a) && isConst(b)) return new Tnum(hi, lo, 0, 0);
  const mostHi = addHi(hi, lo, a.maskHi, a.maskLo);
  const mostLo = addLo(lo, a.maskLo);
  const leastHi = subHi(hi, lo, b.maskHi, b.maskLo);
  const leastLo = subLo(lo, b.maskLo);
  const maskHi = (mostHi ^ leastHi) | a.maskHi | b.maskHi;
  return masked(hi, lo, maskHi, (mostLo ^ leastLo) | a.maskLo | b.maskLo);
}

export function andTnum(a: Tnum, b: Tnum): Tnum {
  const hi = a.valueHi & b.valueHi;
  const lo = a.valueLo & b.valueLo;
  const mayHi = (a.valueHi | a.maskHi) & (b.valueHi | b.maskHi);
  const mayLo = (a.valueLo | a.maskLo) & (b.valueLo | b.maskLo);
  return new Tnum(hi, lo, mayHi & ~hi, mayLo & ~lo);
}

export function orTnum(a: Tnum, b: Tnum): Tnum {
  const hi = a.valueHi | b.valueHi;
  const lo = a.valueLo | b.valueLo;
  return new Tnum(hi, lo, (a.maskHi | b.maskHi) & ~hi, (a.maskLo | b.maskLo) & ~lo);
}

export function xorTnum(a: Tnum, b: Tnum): Tnum {
  const maskHi = a.maskHi | b.maskHi;
  return masked(a.valueHi ^ b.valueHi, a.valueLo ^ b.valueLo, maskHi, a.maskLo | b.maskLo);
}

/** Long multiplication; the known and the unknown parts of the partial products add up apart. */
export function mulTnum(a: Tnum, b: Tnum): Tnum {
  const hi = mulHi(a.valueHi, a.valueLo, b.valueHi, b.valueLo);
  const known = new Tnum(hi, Math.imul(a.valueLo, b.valueLo), 0, 0);
  let unknown = new Tnum(0, 0, 0, 0);
  const bits = bitLength(a.valueHi | a.maskHi, a.valueLo | a.maskLo);
  for (let bit = 0; bit < bits; bit++) {
    const half = bit < 32 ? a.valueLo : a.valueHi;
    const maskHalf = bit < 32 ? a.maskLo : a.maskHi;
    const one = 1 << bit;
    if (((half | maskHalf) & one) === 0) continue;
    // A one adds what is unknown of b, an unknown bit all of b or nothing.
    const isOne = (half & one) !== 0;
    const partHi = isOne ? b.maskHi : b.valueHi | b.maskHi;
    const partLo = isOne ? b.maskLo : b.valueLo | b.maskLo;
    unknown = addTnum(unknown, new Tnum(0, 0, lshHi(partHi, partLo, bit), lshLo(partLo, bit)));
  }
  return addTnum(known, unknown);
}

export const lshTnum = (a: Tnum, bits: number): Tnum =>
  new Tnum(
    lshHi(a.valueHi, a.valueLo, bits),
    lshLo(a.valueLo, bits),
    lshHi(a.maskHi, a.maskLo, bits),
    lshLo(a.maskLo, bits),
  );

export const rshTnum = (a: Tnum, bits: number): Tnum =>
  new Tnum(
    rshHi(a.valueHi, bits),
    rshLo(a.valueHi, a.valueLo, bits),
    rshHi(a.maskHi, bits),
    rshLo(a.maskHi, a.maskLo, bits),
  );

/** Arithmetic shift; an unknown sign bit spreads as unknown bits. */
export function arshTnum(a: Tnum, bits: number, width: 32 | 64): Tnum {
  if (width === 32) return new Tnum(0, a.valueLo >> bits, 0, a.maskLo >> bits);
  return new Tnum(
    arshHi(a.valueHi, bits),
    arshLo(a.valueHi, a.valueLo, bits),
    arshHi(a.maskHi, bits),
    arshLo(a.maskHi, a.maskLo, bits),
  );
}

/** Both are true of the value. Where they contradict each other, ones win. */
export const intersectTnum = (a: Tnum, b: Tnum): Tnum =>
  masked(a.valueHi | b.valueHi, a.valueLo | b.valueLo, a.maskHi & b.maskHi, a.maskLo & b.maskLo);

/** The low `bytes` bytes (at most 4), zero-extended. */
export function castTnum(a: Tnum, bytes: number): Tnum {
  const keep = bytes >= 4 ? -1 : (1 << (bytes * 8)) - 1;
  return new Tnum(0, a.valueLo & keep, 0, a.maskLo & keep);
}

export const subregTnum = (a: Tnum): Tnum =>
  (a.valueHi | a.maskHi) === 0 ? a : new Tnum(0, a.valueLo, 0, a.maskLo);
export const isSubregConst = (a: Tnum): boolean => a.maskLo === 0;
/** The high half of one and the low half of another. */
export const withSubregTnum = (a: Tnum, low: Tnum): Tnum =>
  new Tnum(a.valueHi, low.valueLo, a.maskHi, low.maskLo);
/** The low half is `value`, the high half as before. */
export const constSubregTnum = (a: Tnum, value: number): Tnum =>
  new Tnum(a.valueHi, value | 0, a.maskHi, 0);

/** Every value that `b` allows, `a` allows too. */
export const tnumHolds = (a: Tnum, b: Tnum): boolean =>
  (b.maskHi & ~a.maskHi) === 0 &&
  (b.maskLo & ~a.maskLo) === 0 &&
  a.valueHi === (b.valueHi & ~a.maskHi) &&
  a.valueLo === (b.valueLo & ~a.maskLo);

/** `(0x0; 0xff)`, as the log prints it. */
export const tnumText = (a: Tnum): string =>
  `(0x${a.value.toString(16)}; 0x${a.mask.toString(16)})`;
