/**
 * What is known of a 64-bit value: its bits (a tnum) and its range, signed and unsigned, as 64 bits
 * and as its low 32. Scalars are immutable; functions make new ones.
 *
 *   constScalar(v), UNKNOWN_SCALAR
 *   syncBounds(s)        carry what one view knows over to the others, in Linux 6.1's order
 *   zeroExtend32(s)      after a 32-bit operation;  truncate(s, bytes)  after a narrow load
 *   withLow32 / withFull rebuild after a 32- or 64-bit comparison refined one half
 *
 * Ranges may contradict each other on dead branches (min > max); users check before they rely on
 * them. How precise each step is decides which programs Linux accepts, so the steps are its own:
 * more could be deduced (64 -> 32 and back), 6.1 does not.
 */
import {
  S32_MAX,
  S32_MIN,
  S64_MAX,
  S64_MIN,
  U32_MAX,
  U64_MAX,
  fitsS32,
  low32,
  maxBig,
  minBig,
  s32,
  s64,
  u64,
} from './int.ts';
import {
  UNKNOWN_TNUM,
  castTnum,
  clearSubregTnum,
  constSubregTnum,
  constTnum,
  intersectTnum,
  isConst,
  isUnknown,
  orTnum,
  rangeTnum,
  sameTnum,
  subregTnum,
  tnumText,
  type Tnum,
} from './tnum.ts';

export interface Scalar {
  readonly bits: Tnum;
  readonly smin: bigint;
  readonly smax: bigint;
  readonly umin: bigint;
  readonly umax: bigint;
  readonly smin32: number;
  readonly smax32: number;
  readonly umin32: number;
  readonly umax32: number;
}

/** A scalar under construction; never leaves the function that drafts it. */
export type Draft = { -readonly [K in keyof Scalar]: Scalar[K] };

export const UNKNOWN_SCALAR: Scalar = {
  bits: UNKNOWN_TNUM,
  smin: S64_MIN,
  smax: S64_MAX,
  umin: 0n,
  umax: U64_MAX,
  smin32: S32_MIN,
  smax32: S32_MAX,
  umin32: 0,
  umax32: U32_MAX,
};

/** `value` in any range; taken modulo 2^64. */
export function constScalar(value: bigint): Scalar {
  const unsigned = u64(value);
  const signed = s64(value);
  const low = low32(value);
  return {
    bits: constTnum(unsigned),
    smin: signed,
    smax: signed,
    umin: unsigned,
    umax: unsigned,
    smin32: low | 0,
    smax32: low | 0,
    umin32: low,
    umax32: low,
  };
}

export const ZERO_SCALAR: Scalar = constScalar(0n);

export const draftOf = (s: Scalar): Draft => ({
  bits: s.bits,
  smin: s.smin,
  smax: s.smax,
  umin: s.umin,
  umax: s.umax,
  smin32: s.smin32,
  smax32: s.smax32,
  umin32: s.umin32,
  umax32: s.umax32,
});

export const isConstScalar = (s: Scalar): boolean => isConst(s.bits);
export const isZeroScalar = (s: Scalar): boolean => s.bits.mask === 0n && s.bits.value === 0n;

const unbounded64 = (s: Scalar): boolean =>
  s.smin === S64_MIN && s.smax === S64_MAX && s.umin === 0n && s.umax === U64_MAX;
const unbounded32 = (s: Scalar): boolean =>
  s.smin32 === S32_MIN && s.smax32 === S32_MAX && s.umin32 === 0 && s.umax32 === U32_MAX;

/** Nothing at all is known of it. */
export const isUnboundedScalar = (s: Scalar): boolean =>
  isUnknown(s.bits) && unbounded64(s) && unbounded32(s);

export function sameScalar(a: Scalar, b: Scalar): boolean {
  return (
    a === b ||
    (sameTnum(a.bits, b.bits) &&
      a.smin === b.smin &&
      a.smax === b.smax &&
      a.umin === b.umin &&
      a.umax === b.umax &&
      a.smin32 === b.smin32 &&
      a.smax32 === b.smax32 &&
      a.umin32 === b.umin32 &&
      a.umax32 === b.umax32)
  );
}

/** The ranges of `outer` include those of `inner`. */
export function rangeWithin(outer: Scalar, inner: Scalar): boolean {
  return (
    outer === inner ||
    (outer.umin <= inner.umin &&
      outer.umax >= inner.umax &&
      outer.smin <= inner.smin &&
      outer.smax >= inner.smax &&
      outer.umin32 <= inner.umin32 &&
      outer.umax32 >= inner.umax32 &&
      outer.smin32 <= inner.smin32 &&
      outer.smax32 >= inner.smax32)
  );
}

export function forget64(d: Draft): void {
  d.smin = S64_MIN;
  d.smax = S64_MAX;
  d.umin = 0n;
  d.umax = U64_MAX;
}

export function forget32(d: Draft): void {
  d.smin32 = S32_MIN;
  d.smax32 = S32_MAX;
  d.umin32 = 0;
  d.umax32 = U32_MAX;
}

/** The low half is known to be `value` (u32). */
export function setLow32(d: Draft, value: number): void {
  d.bits = constSubregTnum(d.bits, BigInt(value));
  d.smin32 = d.smax32 = s32(value);
  d.umin32 = d.umax32 = value;
}

export function learn32FromBits(d: Draft): void {
  const value = low32(d.bits.value);
  const mask = low32(d.bits.mask);
  d.smin32 = Math.max(d.smin32, s32(value | (mask & S32_MIN)));
  d.smax32 = Math.min(d.smax32, s32(value | (mask & S32_MAX)));
  d.umin32 = Math.max(d.umin32, value);
  d.umax32 = Math.min(d.umax32, (value | mask) >>> 0);
}

function learn64FromBits(d: Draft): void {
  const { value, mask } = d.bits;
  d.smin = maxBig(d.smin, s64(value | (mask & 0x8000_0000_0000_0000n)));
  d.smax = minBig(d.smax, s64(value | (mask & S64_MAX)));
  d.umin = maxBig(d.umin, value);
  d.umax = minBig(d.umax, value | mask);
}

export function learnFromBits(d: Draft): void {
  learn32FromBits(d);
  learn64FromBits(d);
}

/** Where one view settles the sign, the signed and the unsigned range are the same. */
function alignSigns32(d: Draft): void {
  if (d.smin32 >= 0 || d.smax32 < 0) {
    d.umin32 = Math.max(d.smin32 >>> 0, d.umin32);
    d.umax32 = Math.min(d.smax32 >>> 0, d.umax32);
    d.smin32 = s32(d.umin32);
    d.smax32 = s32(d.umax32);
  } else if (s32(d.umax32) >= 0) {
    d.umax32 = Math.min(d.smax32 >>> 0, d.umax32);
    d.smax32 = s32(d.umax32);
    d.smin32 = s32(d.umin32);
  } else if (s32(d.umin32) < 0) {
    d.umin32 = Math.max(d.smin32 >>> 0, d.umin32);
    d.smin32 = s32(d.umin32);
    d.smax32 = s32(d.umax32);
  }
}

function alignSigns64(d: Draft): void {
  if (d.smin >= 0n || d.smax < 0n) {
    d.umin = maxBig(u64(d.smin), d.umin);
    d.umax = minBig(u64(d.smax), d.umax);
    d.smin = s64(d.umin);
    d.smax = s64(d.umax);
  } else if (d.umax <= S64_MAX) {
    d.umax = minBig(u64(d.smax), d.umax);
    d.smax = s64(d.umax);
    d.smin = s64(d.umin);
  } else if (d.umin > S64_MAX) {
    d.umin = maxBig(u64(d.smin), d.umin);
    d.smin = s64(d.umin);
    d.smax = s64(d.umax);
  }
}

/** What the unsigned ranges say of the bits. */
function learnBitsFromRange(d: Draft): void {
  const whole = intersectTnum(d.bits, rangeTnum(d.umin, d.umax));
  const low = intersectTnum(subregTnum(whole), rangeTnum(BigInt(d.umin32), BigInt(d.umax32)));
  d.bits = orTnum(clearSubregTnum(whole), low);
}

/** All views of a known value agree already: nothing is left to learn. */
export const isSettled = (d: Scalar): boolean =>
  d.bits.mask === 0n &&
  d.umin === d.bits.value &&
  d.umax === d.umin &&
  d.smin === d.smax &&
  d.umin32 === d.umax32 &&
  d.smin32 === d.smax32 &&
  s64(d.umin) === d.smin &&
  low32(d.umin) === d.umin32 &&
  s32(d.umin32) === d.smin32;

/** Sync a draft in place. */
export function sync(d: Draft): void {
  if (isSettled(d) || isUnboundedScalar(d)) return;
  learnFromBits(d);
  alignSigns32(d);
  alignSigns64(d);
  learnBitsFromRange(d);
  learnFromBits(d);
}

export function syncBounds(s: Scalar): Scalar {
  if (isSettled(s) || isUnboundedScalar(s)) return s;
  const d = draftOf(s);
  sync(d);
  return d;
}

/** 64-bit ranges from the 32-bit ones of a value whose upper half is 0. */
function assign64From32(d: Draft): void {
  d.umin = BigInt(d.umin32);
  d.umax = BigInt(d.umax32);
  const positive = d.smin32 >= 0 && d.smax32 >= 0;
  d.smin = positive ? BigInt(d.smin32) : 0n;
  d.smax = positive ? BigInt(d.smax32) : BigInt(U32_MAX);
}

/** A 32-bit operation zeroes the upper half. */
export function zeroExtend32(d: Draft): void {
  d.bits = subregTnum(d.bits);
  assign64From32(d);
}

/** After the low half was refined: rebuild the rest. */
export function combine32Into64(d: Draft): void {
  if (d.bits.value >> 32n === 0n && d.bits.mask >> 32n === 0n) assign64From32(d);
  else forget64(d);
  sync(d);
}

/** After the whole was refined: rebuild the low half. */
export function combine64Into32(d: Draft): void {
  forget32(d);
  if (fitsS32(d.smin) && fitsS32(d.smax)) {
    d.smin32 = Number(d.smin);
    d.smax32 = Number(d.smax);
  }
  if (d.umin <= 0xffff_ffffn && d.umax <= 0xffff_ffffn) {
    d.umin32 = Number(d.umin);
    d.umax32 = Number(d.umax);
  }
  sync(d);
}

/** The value after a load of `bytes` (< 8) bytes, zero-extended. */
export function truncate(s: Scalar, bytes: number): Scalar {
  const d = draftOf(s);
  d.bits = castTnum(d.bits, bytes);
  const mask = (1n << BigInt(bytes * 8)) - 1n;
  if (d.umin >> BigInt(bytes * 8) === d.umax >> BigInt(bytes * 8)) {
    d.umin &= mask;
    d.umax &= mask;
  } else {
    d.umin = 0n;
    d.umax = mask;
  }
  d.smin = d.umin;
  d.smax = d.umax;
  if (bytes < 4) combine64Into32(d);
  return d;
}

/** The attributes inside `scalar(…)` and pointers' parentheses, as 6.1 prints them. */
export function scalarAttributes(s: Scalar): string[] {
  if (isConst(s.bits)) return [`imm=${s.bits.value.toString(16)}`];
  const out: string[] = [];
  if (s.smin !== s64(s.umin) && s.smin !== S64_MIN) out.push(`smin=${s.smin}`);
  if (s.smax !== s64(s.umax) && s.smax !== S64_MAX) out.push(`smax=${s.smax}`);
  if (s.umin !== 0n) out.push(`umin=${s.umin}`);
  if (s.umax !== U64_MAX) out.push(`umax=${s.umax}`);
  if (!isUnknown(s.bits)) out.push(`var_off=${tnumText(s.bits)}`);
  // C compares the 32-bit bounds with the 64-bit ones after the usual conversions.
  if (BigInt(s.smin32) !== s.smin && s.smin32 !== S32_MIN) out.push(`s32_min=${s.smin32}`);
  if (BigInt(s.smax32) !== s.smax && s.smax32 !== S32_MAX) out.push(`s32_max=${s.smax32}`);
  if (BigInt(s.umin32) !== s.umin && s.umin32 !== 0) out.push(`u32_min=${s32(s.umin32)}`);
  if (BigInt(s.umax32) !== s.umax && s.umax32 !== U32_MAX) out.push(`u32_max=${s32(s.umax32)}`);
  return out;
}
