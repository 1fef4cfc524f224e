/**
 * What is known of a 64-bit value: its bits (a tnum) and its range, signed and unsigned, as 64 bits
 * and as its low 32. Scalars are immutable; functions make new ones.
 *
 *   constScalar(v), UNKNOWN_SCALAR
 *   sync(draft)          carry what one view knows over to the others, in Linux 6.1's order
 *   zeroExtend32(draft)  after a 32-bit operation;  truncate(s, bytes)  after a narrow load
 *   combine32Into64 / combine64Into32  after a 32- or 64-bit comparison refined one half
 *
 * Ranges may contradict each other on dead branches (min > max); users check before they rely on
 * them. How precise each step is decides which programs Linux accepts, so the steps are its own:
 * more could be deduced (64 -> 32 and back), 6.1 does not.
 */
import { S32_MAX, S32_MIN, S64_MAX, S64_MIN, U32_MAX, U64_MAX } from './int.ts';
import {
  Tnum,
  UNKNOWN_TNUM,
  castTnum,
  constSubregTnum,
  intersectTnum,
  isConst,
  isUnknown,
  isZero,
  sameTnum,
  spanTnum,
  subregTnum,
  tnumText,
  withSubregTnum,
} from './tnum.ts';
import {
  NOT_SIGN,
  SIGN,
  below,
  below32,
  hiOf,
  join,
  joinSigned,
  less,
  loOf,
  toNumber,
} from './wide.ts';

/**
 * A scalar under construction; it becomes a Scalar when it leaves the function that drafts it.
 * Bounds of 64 bits are kept as halves (wide.ts), and bounds of u32 as int32, so that none of them
 * has to be allocated; `smin`, `umax32` and so on are the values.
 */
export class Draft {
  declare bits: Tnum;
  declare sminHi: number;
  declare sminLo: number;
  declare smaxHi: number;
  declare smaxLo: number;
  declare uminHi: number;
  declare uminLo: number;
  declare umaxHi: number;
  declare umaxLo: number;
  declare smin32: number;
  declare smax32: number;
  declare uminLow: number;
  declare umaxLow: number;

  /** Of a known value. */
  constructor(bits: Tnum, hi: number, lo: number) {
    this.bits = bits;
    this.sminHi = hi;
    this.sminLo = lo;
    this.smaxHi = hi;
    this.smaxLo = lo;
    this.uminHi = hi;
    this.uminLo = lo;
    this.umaxHi = hi;
    this.umaxLo = lo;
    this.smin32 = lo;
    this.smax32 = lo;
    this.uminLow = lo;
    this.umaxLow = lo;
  }

  get smin(): bigint {
    return joinSigned(this.sminHi, this.sminLo);
  }
  set smin(value: bigint) {
    this.sminHi = hiOf(value);
    this.sminLo = loOf(value);
  }
  get smax(): bigint {
    return joinSigned(this.smaxHi, this.smaxLo);
  }
  set smax(value: bigint) {
    this.smaxHi = hiOf(value);
    this.smaxLo = loOf(value);
  }
  get umin(): bigint {
    return join(this.uminHi, this.uminLo);
  }
  set umin(value: bigint) {
    this.uminHi = hiOf(value);
    this.uminLo = loOf(value);
  }
  get umax(): bigint {
    return join(this.umaxHi, this.umaxLo);
  }
  set umax(value: bigint) {
    this.umaxHi = hiOf(value);
    this.umaxLo = loOf(value);
  }
  get umin32(): number {
    return this.uminLow >>> 0;
  }
  get umax32(): number {
    return this.umaxLow >>> 0;
  }
}

export type Scalar = Readonly<Draft>;

export function draftOf(s: Scalar): Draft {
  const d = new Draft(s.bits, s.sminHi, s.sminLo);
  d.smaxHi = s.smaxHi;
  d.smaxLo = s.smaxLo;
  d.uminHi = s.uminHi;
  d.uminLo = s.uminLo;
  d.umaxHi = s.umaxHi;
  d.umaxLo = s.umaxLo;
  d.smin32 = s.smin32;
  d.smax32 = s.smax32;
  d.uminLow = s.uminLow;
  d.umaxLow = s.umaxLow;
  return d;
}

/** Of the value in these halves. */
export const knownScalar = (hi: number, lo: number): Draft =>
  new Draft(new Tnum(hi, lo, 0, 0), hi, lo);
/** `value` in any range; taken modulo 2^64. */
export const constScalar = (value: bigint): Scalar => knownScalar(hiOf(value), loOf(value));
/** Of an int, sign-extended as immediates are. */
export const intScalar = (value: number): Scalar => knownScalar(value >> 31, value);
/** Of a u32, zero-extended. */
export const wordScalar = (value: number): Scalar => knownScalar(0, value | 0);

export function unknownDraft(): Draft {
  const d = new Draft(UNKNOWN_TNUM, 0, 0);
  forget64(d);
  forget32(d);
  return d;
}

export const UNKNOWN_SCALAR: Scalar = unknownDraft();
export const ZERO_SCALAR: Scalar = knownScalar(0, 0);

/**
 * Bounds and known values as numbers: exact below 2^53, and as far away as they are beyond that,
 * which is all that comparing them with sizes and offsets needs.
 */
export const sminOf = (s: Scalar): number => toNumber(s.sminHi, s.sminLo);
export const smaxOf = (s: Scalar): number => toNumber(s.smaxHi, s.smaxLo);
export const umaxOf = (s: Scalar): number => toNumber(s.umaxHi >>> 0, s.umaxLo);
export const knownOf = (s: Scalar): number => toNumber(s.bits.valueHi, s.bits.valueLo);

export const isConstScalar = (s: Scalar): boolean => isConst(s.bits);
export const isZeroScalar = (s: Scalar): boolean => isZero(s.bits);

const isUnbounded64 = (s: Scalar): boolean =>
  s.sminHi === SIGN &&
  s.sminLo === 0 &&
  s.smaxHi === NOT_SIGN &&
  s.smaxLo === -1 &&
  (s.uminHi | s.uminLo) === 0 &&
  (s.umaxHi & s.umaxLo) === -1;
const isUnbounded32 = (s: Scalar): boolean =>
  s.smin32 === S32_MIN && s.smax32 === S32_MAX && s.uminLow === 0 && s.umaxLow === -1;

/** Nothing at all is known of it. */
export const isUnboundedScalar = (s: Scalar): boolean =>
  isUnknown(s.bits) && isUnbounded64(s) && isUnbounded32(s);

export const sameScalar = (a: Scalar, b: Scalar): boolean =>
  a === b ||
  (sameTnum(a.bits, b.bits) &&
    a.uminLo === b.uminLo &&
    a.umaxLo === b.umaxLo &&
    a.uminHi === b.uminHi &&
    a.umaxHi === b.umaxHi &&
    a.sminLo === b.sminLo &&
    a.smaxLo === b.smaxLo &&
    a.sminHi === b.sminHi &&
    a.smaxHi === b.smaxHi &&
    a.smin32 === b.smin32 &&
    a.smax32 === b.smax32 &&
    a.uminLow === b.uminLow &&
    a.umaxLow === b.umaxLow);

/** The ranges of `outer` include those of `inner`. */
export const rangeWithin = (outer: Scalar, inner: Scalar): boolean =>
  outer === inner ||
  (!below(inner.uminHi, inner.uminLo, outer.uminHi, outer.uminLo) &&
    !below(outer.umaxHi, outer.umaxLo, inner.umaxHi, inner.umaxLo) &&
    !less(inner.sminHi, inner.sminLo, outer.sminHi, outer.sminLo) &&
    !less(outer.smaxHi, outer.smaxLo, inner.smaxHi, inner.smaxLo) &&
    !below32(inner.uminLow, outer.uminLow) &&
    !below32(outer.umaxLow, inner.umaxLow) &&
    outer.smin32 <= inner.smin32 &&
    outer.smax32 >= inner.smax32);

/** Bounds in pairs, as nothing else is known of the value. */
export function forgetSigned(d: Draft): void {
  d.sminHi = SIGN;
  d.sminLo = 0;
  d.smaxHi = NOT_SIGN;
  d.smaxLo = -1;
}

export function forgetUnsigned(d: Draft): void {
  d.uminHi = 0;
  d.uminLo = 0;
  d.umaxHi = -1;
  d.umaxLo = -1;
}

export function forget64(d: Draft): void {
  forgetSigned(d);
  forgetUnsigned(d);
}

export function forgetSigned32(d: Draft): void {
  d.smin32 = S32_MIN;
  d.smax32 = S32_MAX;
}

export function forgetUnsigned32(d: Draft): void {
  d.uminLow = 0;
  d.umaxLow = -1;
}

export function forget32(d: Draft): void {
  forgetSigned32(d);
  forgetUnsigned32(d);
}

/** The bound is at least, or at most, this. */
export function raiseSmin(d: Draft, hi: number, lo: number): void {
  if (!less(d.sminHi, d.sminLo, hi, lo)) return;
  d.sminHi = hi;
  d.sminLo = lo;
}

export function lowerSmax(d: Draft, hi: number, lo: number): void {
  if (!less(hi, lo, d.smaxHi, d.smaxLo)) return;
  d.smaxHi = hi;
  d.smaxLo = lo;
}

export function raiseUmin(d: Draft, hi: number, lo: number): void {
  if (!below(d.uminHi, d.uminLo, hi, lo)) return;
  d.uminHi = hi;
  d.uminLo = lo;
}

export function lowerUmax(d: Draft, hi: number, lo: number): void {
  if (!below(hi, lo, d.umaxHi, d.umaxLo)) return;
  d.umaxHi = hi;
  d.umaxLo = lo;
}

export function raiseUmin32(d: Draft, value: number): void {
  if (below32(d.uminLow, value)) d.uminLow = value | 0;
}

export function lowerUmax32(d: Draft, value: number): void {
  if (below32(value, d.umaxLow)) d.umaxLow = value | 0;
}

/** The low half is known to be `value`. */
export function setLow32(d: Draft, value: number): void {
  const low = value | 0;
  d.bits = constSubregTnum(d.bits, low);
  d.smin32 = low;
  d.smax32 = low;
  d.uminLow = low;
  d.umaxLow = low;
}

export function learn32FromBits(d: Draft): void {
  const { valueLo, maskLo } = d.bits;
  d.smin32 = Math.max(d.smin32, valueLo | (maskLo & SIGN));
  d.smax32 = Math.min(d.smax32, valueLo | (maskLo & NOT_SIGN));
  raiseUmin32(d, valueLo);
  lowerUmax32(d, valueLo | maskLo);
}

function learn64FromBits(d: Draft): void {
  const { valueHi, valueLo, maskHi, maskLo } = d.bits;
  raiseSmin(d, valueHi | (maskHi & SIGN), valueLo);
  lowerSmax(d, valueHi | (maskHi & NOT_SIGN), valueLo | maskLo);
  raiseUmin(d, valueHi, valueLo);
  lowerUmax(d, valueHi | maskHi, valueLo | maskLo);
}

export function learnFromBits(d: Draft): void {
  learn32FromBits(d);
  learn64FromBits(d);
}

/** Where one view settles the sign, the signed and the unsigned range are the same. */
function alignSigns32(d: Draft): void {
  if (d.smin32 >= 0 || d.smax32 < 0) {
    raiseUmin32(d, d.smin32);
    lowerUmax32(d, d.smax32);
  } else if (d.umaxLow >= 0) {
    lowerUmax32(d, d.smax32);
  } else if (d.uminLow < 0) {
    raiseUmin32(d, d.smin32);
  } else {
    return;
  }
  d.smin32 = d.uminLow;
  d.smax32 = d.umaxLow;
}

function alignSigns64(d: Draft): void {
  if (d.sminHi >= 0 || d.smaxHi < 0) {
    raiseUmin(d, d.sminHi, d.sminLo);
    lowerUmax(d, d.smaxHi, d.smaxLo);
  } else if (d.umaxHi >= 0) {
    lowerUmax(d, d.smaxHi, d.smaxLo);
  } else if (d.uminHi < 0) {
    raiseUmin(d, d.sminHi, d.sminLo);
  } else {
    return;
  }
  d.sminHi = d.uminHi;
  d.sminLo = d.uminLo;
  d.smaxHi = d.umaxHi;
  d.smaxLo = d.umaxLo;
}

/** What the unsigned ranges say of the bits. */
function learnBitsFromRange(d: Draft): void {
  const whole = intersectTnum(d.bits, spanTnum(d.uminHi, d.uminLo, d.umaxHi, d.umaxLo));
  const low = intersectTnum(subregTnum(whole), spanTnum(0, d.uminLow, 0, d.umaxLow));
  d.bits = withSubregTnum(whole, low);
}

/** All views of a known value agree already: nothing is left to learn. */
export function isSettled(s: Scalar): boolean {
  const { valueHi, valueLo } = s.bits;
  return (
    isConst(s.bits) &&
    s.uminLo === valueLo &&
    s.umaxLo === valueLo &&
    s.sminLo === valueLo &&
    s.smaxLo === valueLo &&
    s.uminHi === valueHi &&
    s.umaxHi === valueHi &&
    s.sminHi === valueHi &&
    s.smaxHi === valueHi &&
    s.uminLow === valueLo &&
    s.umaxLow === valueLo &&
    s.smin32 === valueLo &&
    s.smax32 === valueLo
  );
}

/** Sync a draft in place. */
export function sync(d: Draft): void {
  if (isSettled(d) || isUnboundedScalar(d)) return;
  learnFromBits(d);
  alignSigns32(d);
  alignSigns64(d);
  learnBitsFromRange(d);
  learnFromBits(d);
}

/** 64-bit ranges from the 32-bit ones of a value whose upper half is 0. */
function assign64From32(d: Draft): void {
  d.uminHi = 0;
  d.uminLo = d.uminLow;
  d.umaxHi = 0;
  d.umaxLo = d.umaxLow;
  const positive = d.smin32 >= 0 && d.smax32 >= 0;
  d.sminHi = 0;
  d.sminLo = positive ? d.smin32 : 0;
  d.smaxHi = 0;
  d.smaxLo = positive ? d.smax32 : -1;
}

/** A 32-bit operation zeroes the upper half. */
export function zeroExtend32(d: Draft): void {
  d.bits = subregTnum(d.bits);
  assign64From32(d);
}

/** After the low half was refined: rebuild the rest. */
export function combine32Into64(d: Draft): void {
  if ((d.bits.valueHi | d.bits.maskHi) === 0) assign64From32(d);
  else forget64(d);
  sync(d);
}

const fitsS32 = (hi: number, lo: number): boolean => hi === lo >> 31;

/** After the whole was refined: rebuild the low half. */
export function combine64Into32(d: Draft): void {
  forget32(d);
  if (fitsS32(d.sminHi, d.sminLo) && fitsS32(d.smaxHi, d.smaxLo)) {
    d.smin32 = d.sminLo;
    d.smax32 = d.smaxLo;
  }
  if ((d.uminHi | d.umaxHi) === 0) {
    d.uminLow = d.uminLo;
    d.umaxLow = d.umaxLo;
  }
  sync(d);
}

/** The value after a load of `bytes` (< 8) bytes, zero-extended. */
export function truncate(s: Scalar, bytes: number): Scalar {
  const d = draftOf(s);
  d.bits = castTnum(d.bits, bytes);
  const keep = bytes === 4 ? -1 : (1 << (bytes * 8)) - 1;
  const sameAbove = d.uminHi === d.umaxHi && (d.uminLo & ~keep) === (d.umaxLo & ~keep);
  d.uminLo = sameAbove ? d.uminLo & keep : 0;
  d.umaxLo = sameAbove ? d.umaxLo & keep : keep;
  d.uminHi = 0;
  d.umaxHi = 0;
  d.sminHi = 0;
  d.sminLo = d.uminLo;
  d.smaxHi = 0;
  d.smaxLo = d.umaxLo;
  if (bytes < 4) combine64Into32(d);
  return d;
}

/** The attributes inside `scalar(…)` and pointers' parentheses, as 6.1 prints them. */
export function scalarAttributes(s: Scalar): string[] {
  if (isConst(s.bits)) return [`imm=${s.bits.value.toString(16)}`];
  const { smin, smax, umin, umax, smin32, smax32, umin32, umax32 } = s;
  const signed = (value: bigint) => BigInt.asIntN(64, value);
  const out: string[] = [];
  if (smin !== signed(umin) && smin !== S64_MIN) out.push(`smin=${smin}`);
  if (smax !== signed(umax) && smax !== S64_MAX) out.push(`smax=${smax}`);
  if (umin !== 0n) out.push(`umin=${umin}`);
  if (umax !== U64_MAX) out.push(`umax=${umax}`);
  if (!isUnknown(s.bits)) out.push(`var_off=${tnumText(s.bits)}`);
  // C compares the 32-bit bounds with the 64-bit ones after the usual conversions.
  if (BigInt(smin32) !== smin && smin32 !== S32_MIN) out.push(`s32_min=${smin32}`);
  if (BigInt(smax32) !== smax && smax32 !== S32_MAX) out.push(`s32_max=${smax32}`);
  if (BigInt(umin32) !== umin && umin32 !== 0) out.push(`u32_min=${s.uminLow}`);
  if (BigInt(umax32) !== umax && umax32 !== U32_MAX) out.push(`u32_max=${s.umaxLow}`);
  return out;
}
