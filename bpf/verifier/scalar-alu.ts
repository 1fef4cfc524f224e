/**
 * Arithmetic on scalars: what is known of `dst op src`. Callers have made sure that `src` has no
 * contradictory range and, except for add, sub and and, that it is known.
 *
 *   aluConst(op, width, dst, src)    both known: the result, if it is computed
 *   aluScalar(op, width, dst, src)   undefined where nothing is known of the result
 *
 * add, sub, mul, and, or and xor track 32 and 64 bits side by side; shifts track the half that the
 * operation works on and leave the other to what the bits tell.
 */
import type { AluOperation } from '../isa/row.ts';
import {
  S32_MAX,
  S32_MIN,
  S64_MAX,
  S64_MIN,
  U32_MAX,
  U64_MAX,
  fitsS64,
  low32,
  maxBig,
  minBig,
  s32,
} from './int.ts';
import {
  constScalar,
  draftOf,
  forget32,
  forget64,
  isSettled,
  learn32FromBits,
  learnFromBits,
  setLow32,
  type Draft,
  type Scalar,
} from './scalar.ts';
import {
  addTnum,
  andTnum,
  arshTnum,
  isConst,
  isSubregConst,
  lshTnum,
  mulTnum,
  orTnum,
  rshTnum,
  subTnum,
  subregTnum,
  xorTnum,
} from './tnum.ts';

type Width = 32 | 64;

/** The range is empty, or a known value's range is not that value: derived on a dead branch. */
export function isContradictory(s: Scalar, width: Width): boolean {
  if (width === 32) {
    const known = isSubregConst(s.bits);
    if (known && (s.smin32 !== s.smax32 || s.umin32 !== s.umax32)) return true;
    return s.smin32 > s.smax32 || s.umin32 > s.umax32;
  }
  if (isConst(s.bits) && (s.smin !== s.smax || s.umin !== s.umax)) return true;
  return s.smin > s.smax || s.umin > s.umax;
}

export const isKnown = (s: Scalar, width: Width): boolean =>
  width === 32 ? isSubregConst(s.bits) : isConst(s.bits);

/**
 * Two known values make a known one, whatever the ranges would say of it: the quick way for what
 * most instructions are. Undefined where it is none of those (division is never computed).
 */
export function aluConst(
  op: AluOperation,
  width: Width,
  dst: Scalar,
  src: Scalar,
): Scalar | undefined {
  if (dst.bits.mask !== 0n || src.bits.mask !== 0n || !isSettled(dst)) return undefined;
  const isShift = op === 'lsh' || op === 'rsh' || op === 'arsh';
  if (isShift && src.umax >= BigInt(width)) return undefined;
  const a = width === 32 ? BigInt(dst.umin32) : dst.bits.value;
  const b = width === 32 ? BigInt(src.umin32) : src.bits.value;
  const value = computeConst(op, width, a, b);
  if (value === undefined) return undefined;
  return constScalar(width === 32 ? BigInt.asUintN(32, value) : value);
}

function computeConst(op: AluOperation, width: Width, a: bigint, b: bigint): bigint | undefined {
  switch (op) {
    case 'add':
      return a + b;
    case 'sub':
      return a - b;
    case 'mul':
      return a * b;
    case 'and':
      return a & b;
    case 'or':
      return a | b;
    case 'xor':
      return a ^ b;
    case 'lsh':
      return a << b;
    case 'rsh':
      return a >> b;
    case 'arsh':
      return BigInt.asIntN(width, a) >> b;
    default:
      return undefined;
  }
}

export function aluScalar(
  op: AluOperation,
  width: Width,
  dst: Scalar,
  src: Scalar,
): Draft | undefined {
  const d = draftOf(dst);
  switch (op) {
    case 'add':
      add32(d, src);
      add64(d, src);
      d.bits = addTnum(d.bits, src.bits);
      return d;
    case 'sub':
      sub32(d, src);
      sub64(d, src);
      d.bits = subTnum(d.bits, src.bits);
      return d;
    case 'mul':
      d.bits = mulTnum(d.bits, src.bits);
      mul32(d, src);
      mul64(d, src);
      return d;
    case 'and':
      d.bits = andTnum(d.bits, src.bits);
      return bitwise(d, src, and32, and64);
    case 'or':
      d.bits = orTnum(d.bits, src.bits);
      return bitwise(d, src, or32, or64);
    case 'xor':
      d.bits = xorTnum(d.bits, src.bits);
      return bitwise(d, src, xor32, xor64);
    case 'lsh':
    case 'rsh':
    case 'arsh':
      if (src.umax >= BigInt(width)) return undefined;
      if (width === 32) shift32(op, d, src);
      else shift64(op, d, src);
      return d;
    default:
      return undefined;
  }
}

function add32(d: Draft, src: Scalar): void {
  const smin = d.smin32 + src.smin32;
  const smax = d.smax32 + src.smax32;
  const signedFits = smin >= S32_MIN && smin <= S32_MAX && smax >= S32_MIN && smax <= S32_MAX;
  d.smin32 = signedFits ? smin : S32_MIN;
  d.smax32 = signedFits ? smax : S32_MAX;
  const umin = d.umin32 + src.umin32;
  const umax = d.umax32 + src.umax32;
  const unsignedFits = umin <= U32_MAX && umax <= U32_MAX;
  d.umin32 = unsignedFits ? umin : 0;
  d.umax32 = unsignedFits ? umax : U32_MAX;
}

function add64(d: Draft, src: Scalar): void {
  const smin = d.smin + src.smin;
  const smax = d.smax + src.smax;
  const signedFits = fitsS64(smin) && fitsS64(smax);
  d.smin = signedFits ? smin : S64_MIN;
  d.smax = signedFits ? smax : S64_MAX;
  const umin = d.umin + src.umin;
  const umax = d.umax + src.umax;
  const unsignedFits = umin <= U64_MAX && umax <= U64_MAX;
  d.umin = unsignedFits ? umin : 0n;
  d.umax = unsignedFits ? umax : U64_MAX;
}

function sub32(d: Draft, src: Scalar): void {
  const smin = d.smin32 - src.smax32;
  const smax = d.smax32 - src.smin32;
  const signedFits = smin >= S32_MIN && smin <= S32_MAX && smax >= S32_MIN && smax <= S32_MAX;
  d.smin32 = signedFits ? smin : S32_MIN;
  d.smax32 = signedFits ? smax : S32_MAX;
  if (d.umin32 < src.umax32) {
    d.umin32 = 0;
    d.umax32 = U32_MAX;
  } else {
    d.umin32 -= src.umax32;
    d.umax32 -= src.umin32;
  }
}

function sub64(d: Draft, src: Scalar): void {
  const smin = d.smin - src.smax;
  const smax = d.smax - src.smin;
  const signedFits = fitsS64(smin) && fitsS64(smax);
  d.smin = signedFits ? smin : S64_MIN;
  d.smax = signedFits ? smax : S64_MAX;
  if (d.umin < src.umax) {
    d.umin = 0n;
    d.umax = U64_MAX;
  } else {
    d.umin -= src.umax;
    d.umax -= src.umin;
  }
}

function mul32(d: Draft, src: Scalar): void {
  const mayOverflow = src.umax32 > 0xffff || d.umax32 > 0xffff;
  if (src.smin32 < 0 || d.smin32 < 0 || mayOverflow) {
    forget32(d);
    return;
  }
  d.umin32 *= src.umin32;
  d.umax32 *= src.umax32;
  copyUnsigned32(d, d.umax32 <= S32_MAX);
}

function mul64(d: Draft, src: Scalar): void {
  const mayOverflow = src.umax > 0xffff_ffffn || d.umax > 0xffff_ffffn;
  if (src.smin < 0n || d.smin < 0n || mayOverflow) {
    forget64(d);
    return;
  }
  d.umin *= src.umin;
  d.umax *= src.umax;
  copyUnsigned64(d, d.umax <= S64_MAX);
}

/** Signed bounds are the unsigned ones where no value is negative, else nothing is known. */
function copyUnsigned32(d: Draft, nonNegative: boolean): void {
  d.smin32 = nonNegative ? s32(d.umin32) : S32_MIN;
  d.smax32 = nonNegative ? s32(d.umax32) : S32_MAX;
}

function copyUnsigned64(d: Draft, nonNegative: boolean): void {
  d.smin = nonNegative ? BigInt.asIntN(64, d.umin) : S64_MIN;
  d.smax = nonNegative ? BigInt.asIntN(64, d.umax) : S64_MAX;
}

/** `d.bits` holds the result's bits already; the ranges are still those of the operand. */
function bitwise(
  d: Draft,
  src: Scalar,
  op32: (d: Draft, src: Scalar) => void,
  op64: (d: Draft, src: Scalar) => void,
): Draft {
  if (isSubregConst(src.bits) && isSubregConst(d.bits)) setLow32(d, low32(d.bits.value));
  else op32(d, src);
  if (isConst(src.bits) && isConst(d.bits)) return { ...constScalar(d.bits.value) };
  op64(d, src);
  learnFromBits(d);
  return d;
}

function and32(d: Draft, src: Scalar): void {
  const nonNegative = d.smin32 >= 0 && src.smin32 >= 0;
  d.umin32 = low32(d.bits.value);
  d.umax32 = Math.min(d.umax32, src.umax32);
  copyUnsigned32(d, nonNegative);
}

function and64(d: Draft, src: Scalar): void {
  const nonNegative = d.smin >= 0n && src.smin >= 0n;
  d.umin = d.bits.value;
  d.umax = minBig(d.umax, src.umax);
  copyUnsigned64(d, nonNegative);
}

function or32(d: Draft, src: Scalar): void {
  const nonNegative = d.smin32 >= 0 && src.smin32 >= 0;
  d.umin32 = Math.max(d.umin32, src.umin32);
  d.umax32 = low32(d.bits.value | d.bits.mask);
  copyUnsigned32(d, nonNegative);
}

function or64(d: Draft, src: Scalar): void {
  const nonNegative = d.smin >= 0n && src.smin >= 0n;
  d.umin = maxBig(d.umin, src.umin);
  d.umax = d.bits.value | d.bits.mask;
  copyUnsigned64(d, nonNegative);
}

function xor32(d: Draft, src: Scalar): void {
  d.umin32 = low32(d.bits.value);
  d.umax32 = low32(d.bits.value | d.bits.mask);
  copyUnsigned32(d, d.smin32 >= 0 && src.smin32 >= 0);
}

function xor64(d: Draft, src: Scalar): void {
  d.umin = d.bits.value;
  d.umax = d.bits.value | d.bits.mask;
  copyUnsigned64(d, d.smin >= 0n && src.smin >= 0n);
}

type Shift = 'lsh' | 'rsh' | 'arsh';

/** The shift amount is known: a variable one makes the result unknown before this. */
function shift32(op: Shift, d: Draft, src: Scalar): void {
  const bits = src.umin32;
  const low = subregTnum(d.bits);
  switch (op) {
    case 'lsh':
      lsh32(d, bits, src.umax32);
      d.bits = subregTnum(lshTnum(low, bits));
      break;
    case 'rsh':
      d.smin32 = S32_MIN;
      d.smax32 = S32_MAX;
      d.umin32 >>>= src.umax32;
      d.umax32 >>>= bits;
      d.bits = rshTnum(low, bits);
      break;
    case 'arsh':
      d.smin32 >>= bits;
      d.smax32 >>= bits;
      d.umin32 = 0;
      d.umax32 = U32_MAX;
      d.bits = arshTnum(low, bits, 32);
      break;
  }
  forget64(d);
  learn32FromBits(d);
}

function lsh32(d: Draft, min: number, max: number): void {
  d.smin32 = S32_MIN;
  d.smax32 = S32_MAX;
  if (max > 31 || d.umax32 > 2 ** (31 - max)) {
    d.umin32 = 0;
    d.umax32 = U32_MAX;
  } else {
    d.umin32 = (d.umin32 << min) >>> 0;
    d.umax32 = (d.umax32 << max) >>> 0;
  }
}

function shift64(op: Shift, d: Draft, src: Scalar): void {
  const bits = Number(src.umin);
  switch (op) {
    case 'lsh':
      lsh64(d, src.umin, src.umax);
      lsh32(d, bits, Number(src.umax));
      d.bits = lshTnum(d.bits, bits);
      break;
    case 'rsh':
      d.smin = S64_MIN;
      d.smax = S64_MAX;
      d.umin >>= src.umax;
      d.umax >>= src.umin;
      d.bits = rshTnum(d.bits, bits);
      forget32(d);
      break;
    case 'arsh':
      d.smin >>= src.umin;
      d.smax >>= src.umin;
      d.umin = 0n;
      d.umax = U64_MAX;
      d.bits = arshTnum(d.bits, bits, 64);
      forget32(d);
      break;
  }
  learnFromBits(d);
}

function lsh64(d: Draft, min: bigint, max: bigint): void {
  // `<< 32` then `s>> 32` is how compilers sign-extend: the signed range survives it.
  const signExtends = min === 32n && max === 32n;
  d.smin = signExtends ? BigInt(d.smin32) << 32n : S64_MIN;
  d.smax = signExtends ? BigInt(d.smax32) << 32n : S64_MAX;
  if (d.umax > 1n << (63n - max)) {
    d.umin = 0n;
    d.umax = U64_MAX;
  } else {
    d.umin <<= min;
    d.umax <<= max;
  }
}
