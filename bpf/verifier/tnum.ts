/**
 * Tristate numbers: what is known of each bit of a 64-bit value. A bit set in `mask` is unknown;
 * elsewhere `value` has the bit. Bits of `value` under the mask are 0.
 *
 * The arithmetic is that of "Sound, Precise, and Fast Abstract Interpretation with Tristate
 * Numbers" (Vishwanathan et al., CGO 2022), which describes and proves what Linux does.
 */
import { U64_MAX, bitLength, s64, u64 } from './int.ts';

export interface Tnum {
  readonly value: bigint;
  readonly mask: bigint;
}

const tnum = (value: bigint, mask: bigint): Tnum => ({ value, mask });

export const UNKNOWN_TNUM: Tnum = tnum(0n, U64_MAX);
const LOW = 0xffff_ffffn;

export const constTnum = (value: bigint): Tnum => tnum(value, 0n);
export const isConst = (a: Tnum): boolean => a.mask === 0n;
export const isUnknown = (a: Tnum): boolean => a.mask === U64_MAX;
export const isConstOf = (a: Tnum, value: bigint): boolean => a.mask === 0n && a.value === value;
export const sameTnum = (a: Tnum, b: Tnum): boolean => a.value === b.value && a.mask === b.mask;

/** The smallest tnum that holds every value from `min` to `max` (unsigned). */
export function rangeTnum(min: bigint, max: bigint): Tnum {
  const bits = bitLength(min ^ max);
  if (bits > 63) return UNKNOWN_TNUM;
  const varying = (1n << BigInt(bits)) - 1n;
  return tnum(u64(min & ~varying), varying);
}

export function addTnum(a: Tnum, b: Tnum): Tnum {
  const sum = u64(a.value + b.value);
  if (a.mask === 0n && b.mask === 0n) return tnum(sum, 0n);
  const highest = u64(a.mask + b.mask + sum);
  const unknown = (highest ^ sum) | a.mask | b.mask;
  return tnum(sum & ~unknown, unknown);
}

export function subTnum(a: Tnum, b: Tnum): Tnum {
  const difference = u64(a.value - b.value);
  if (a.mask === 0n && b.mask === 0n) return tnum(difference, 0n);
  const unknown = (u64(difference + a.mask) ^ u64(difference - b.mask)) | a.mask | b.mask;
  return tnum(difference & ~unknown, unknown);
}

export function andTnum(a: Tnum, b: Tnum): Tnum {
  const ones = a.value & b.value;
  return tnum(ones, (a.value | a.mask) & (b.value | b.mask) & ~ones);
}

export function orTnum(a: Tnum, b: Tnum): Tnum {
  const ones = a.value | b.value;
  return tnum(ones, (a.mask | b.mask) & ~ones);
}

export function xorTnum(a: Tnum, b: Tnum): Tnum {
  const unknown = a.mask | b.mask;
  return tnum((a.value ^ b.value) & ~unknown, unknown);
}

/** Long multiplication; the known and the unknown parts of the partial products add up apart. */
export function mulTnum(a: Tnum, b: Tnum): Tnum {
  const known = u64(a.value * b.value);
  let unknown = tnum(0n, 0n);
  let { value: factor, mask: maybe } = a;
  let { value: shifted, mask: shiftedMask } = b;
  while (factor !== 0n || maybe !== 0n) {
    if ((factor & 1n) !== 0n) unknown = addTnum(unknown, tnum(0n, shiftedMask));
    else if ((maybe & 1n) !== 0n) unknown = addTnum(unknown, tnum(0n, shifted | shiftedMask));
    factor >>= 1n;
    maybe >>= 1n;
    shifted = u64(shifted << 1n);
    shiftedMask = u64(shiftedMask << 1n);
  }
  return addTnum(tnum(known, 0n), unknown);
}

export const lshTnum = (a: Tnum, bits: number): Tnum =>
  tnum(u64(a.value << BigInt(bits)), u64(a.mask << BigInt(bits)));
export const rshTnum = (a: Tnum, bits: number): Tnum =>
  tnum(a.value >> BigInt(bits), a.mask >> BigInt(bits));

/** Arithmetic shift; an unknown sign bit spreads as unknown bits. */
export function arshTnum(a: Tnum, bits: number, width: 32 | 64): Tnum {
  if (width === 64)
    return tnum(u64(s64(a.value) >> BigInt(bits)), u64(s64(a.mask) >> BigInt(bits)));
  const shift = (part: bigint) => BigInt((Number(BigInt.asIntN(32, part)) >> bits) >>> 0);
  return tnum(shift(a.value), shift(a.mask));
}

/** Both are true of the value. Where they contradict each other, ones win. */
export function intersectTnum(a: Tnum, b: Tnum): Tnum {
  const unknown = a.mask & b.mask;
  return tnum((a.value | b.value) & ~unknown, unknown);
}

/** The low `bytes` bytes, zero-extended. */
export function castTnum(a: Tnum, bytes: number): Tnum {
  return tnum(BigInt.asUintN(bytes * 8, a.value), BigInt.asUintN(bytes * 8, a.mask));
}

export const subregTnum = (a: Tnum): Tnum => tnum(a.value & LOW, a.mask & LOW);
export const isSubregConst = (a: Tnum): boolean => (a.mask & LOW) === 0n;
export const clearSubregTnum = (a: Tnum): Tnum => tnum(a.value & ~LOW, a.mask & ~LOW);
/** The low half is `value`, the high half as before. */
export const constSubregTnum = (a: Tnum, value: bigint): Tnum =>
  tnum((a.value & ~LOW) | value, a.mask & ~LOW);

export const isAligned = (a: Tnum, bytes: number): boolean =>
  ((a.value | a.mask) & BigInt(bytes - 1)) === 0n;

/** Every value that `b` allows, `a` allows too. */
export function tnumHolds(a: Tnum, b: Tnum): boolean {
  if ((b.mask & ~a.mask) !== 0n) return false;
  return a.value === (b.value & ~a.mask);
}

/** `(0x0; 0xff)`, as the log prints it. */
export function tnumText(a: Tnum): string {
  return `(${hex(a.value)}; ${hex(a.mask)})`;
}

const hex = (value: bigint): string => `0x${value.toString(16)}`;
