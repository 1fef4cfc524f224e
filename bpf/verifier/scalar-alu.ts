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
import { S32_MAX, S32_MIN, U32_MAX } from './int.ts';
import {
  draftOf,
  forget32,
  forget64,
  forgetSigned,
  forgetSigned32,
  forgetUnsigned,
  forgetUnsigned32,
  isSettled,
  knownScalar,
  learn32FromBits,
  learnFromBits,
  lowerUmax,
  lowerUmax32,
  raiseUmin,
  raiseUmin32,
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
import {
  addHi,
  addLo,
  arshHi,
  arshLo,
  below,
  below32,
  differenceOverflows,
  less,
  lshHi,
  lshLo,
  mulHi,
  rshHi,
  rshLo,
  subHi,
  subLo,
  sumOverflows,
} from './wide.ts';

type Width = 32 | 64;

/** The range is empty, or a known value's range is not that value: derived on a dead branch. */
export function isContradictory(s: Scalar, width: Width): boolean {
  if (width === 32) {
    const known = isSubregConst(s.bits);
    if (known && (s.smin32 !== s.smax32 || s.uminLow !== s.umaxLow)) return true;
    return s.smin32 > s.smax32 || below32(s.umaxLow, s.uminLow);
  }
  if (isConst(s.bits)) {
    return (
      s.sminLo !== s.smaxLo ||
      s.sminHi !== s.smaxHi ||
      s.uminLo !== s.umaxLo ||
      s.uminHi !== s.umaxHi
    );
  }
  return (
    less(s.smaxHi, s.smaxLo, s.sminHi, s.sminLo) || below(s.umaxHi, s.umaxLo, s.uminHi, s.uminLo)
  );
}

export const isKnown = (s: Scalar, width: Width): boolean =>
  width === 32 ? isSubregConst(s.bits) : isConst(s.bits);

/** The amount is one that the width allows, whatever of it is known. */
const shiftsWithin = (src: Scalar, width: Width): boolean =>
  src.umaxHi === 0 && below32(src.umaxLo, width);

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
  if (!isConst(dst.bits) || !isConst(src.bits) || !isSettled(dst)) return undefined;
  const isShift = op === 'lsh' || op === 'rsh' || op === 'arsh';
  if (isShift && !shiftsWithin(src, width)) return undefined;
  const { valueHi: aHi, valueLo: aLo } = dst.bits;
  const { valueHi: bHi, valueLo: bLo } = src.bits;
  return width === 32 ? constant32(op, aLo, bLo) : constant64(op, aHi, aLo, bHi, bLo);
}

function constant32(op: AluOperation, a: number, b: number): Scalar | undefined {
  switch (op) {
    case 'add':
      return knownScalar(0, (a + b) | 0);
    case 'sub':
      return knownScalar(0, (a - b) | 0);
    case 'mul':
      return knownScalar(0, Math.imul(a, b));
    case 'and':
      return knownScalar(0, a & b);
    case 'or':
      return knownScalar(0, a | b);
    case 'xor':
      return knownScalar(0, a ^ b);
    case 'lsh':
      return knownScalar(0, a << b);
    case 'rsh':
      return knownScalar(0, (a >>> b) | 0);
    case 'arsh':
      return knownScalar(0, a >> b);
    default:
      return undefined;
  }
}

function constant64(
  op: AluOperation,
  aHi: number,
  aLo: number,
  bHi: number,
  bLo: number,
): Scalar | undefined {
  switch (op) {
    case 'add':
      return knownScalar(addHi(aHi, aLo, bHi, bLo), addLo(aLo, bLo));
    case 'sub':
      return knownScalar(subHi(aHi, aLo, bHi, bLo), subLo(aLo, bLo));
    case 'mul':
      return knownScalar(mulHi(aHi, aLo, bHi, bLo), Math.imul(aLo, bLo));
    case 'and':
      return knownScalar(aHi & bHi, aLo & bLo);
    case 'or':
      return knownScalar(aHi | bHi, aLo | bLo);
    case 'xor':
      return knownScalar(aHi ^ bHi, aLo ^ bLo);
    case 'lsh':
      return knownScalar(lshHi(aHi, aLo, bLo), lshLo(aLo, bLo));
    case 'rsh':
      return knownScalar(rshHi(aHi, bLo), rshLo(aHi, aLo, bLo));
    case 'arsh':
      return knownScalar(arshHi(aHi, bLo), arshLo(aHi, aLo, bLo));
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
      if (!shiftsWithin(src, width)) return undefined;
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
  if (smin >= S32_MIN && smin <= S32_MAX && smax >= S32_MIN && smax <= S32_MAX) {
    d.smin32 = smin;
    d.smax32 = smax;
  } else {
    forgetSigned32(d);
  }
  const umin = d.umin32 + src.umin32;
  const umax = d.umax32 + src.umax32;
  if (umin <= U32_MAX && umax <= U32_MAX) {
    d.uminLow = umin | 0;
    d.umaxLow = umax | 0;
  } else {
    forgetUnsigned32(d);
  }
}

export function add64(d: Draft, src: Scalar): void {
  const sminHi = addHi(d.sminHi, d.sminLo, src.sminHi, src.sminLo);
  const smaxHi = addHi(d.smaxHi, d.smaxLo, src.smaxHi, src.smaxLo);
  if (sumOverflows(d.sminHi, src.sminHi, sminHi) || sumOverflows(d.smaxHi, src.smaxHi, smaxHi)) {
    forgetSigned(d);
  } else {
    d.sminHi = sminHi;
    d.sminLo = addLo(d.sminLo, src.sminLo);
    d.smaxHi = smaxHi;
    d.smaxLo = addLo(d.smaxLo, src.smaxLo);
  }
  const uminHi = addHi(d.uminHi, d.uminLo, src.uminHi, src.uminLo);
  const uminLo = addLo(d.uminLo, src.uminLo);
  const umaxHi = addHi(d.umaxHi, d.umaxLo, src.umaxHi, src.umaxLo);
  const umaxLo = addLo(d.umaxLo, src.umaxLo);
  // A sum that went over 2^64 is below its parts.
  if (below(uminHi, uminLo, d.uminHi, d.uminLo) || below(umaxHi, umaxLo, d.umaxHi, d.umaxLo)) {
    forgetUnsigned(d);
  } else {
    d.uminHi = uminHi;
    d.uminLo = uminLo;
    d.umaxHi = umaxHi;
    d.umaxLo = umaxLo;
  }
}

function sub32(d: Draft, src: Scalar): void {
  const smin = d.smin32 - src.smax32;
  const smax = d.smax32 - src.smin32;
  if (smin >= S32_MIN && smin <= S32_MAX && smax >= S32_MIN && smax <= S32_MAX) {
    d.smin32 = smin;
    d.smax32 = smax;
  } else {
    forgetSigned32(d);
  }
  if (below32(d.uminLow, src.umaxLow)) {
    forgetUnsigned32(d);
  } else {
    d.uminLow = (d.uminLow - src.umaxLow) | 0;
    d.umaxLow = (d.umaxLow - src.uminLow) | 0;
  }
}

export function sub64(d: Draft, src: Scalar): void {
  const sminHi = subHi(d.sminHi, d.sminLo, src.smaxHi, src.smaxLo);
  const smaxHi = subHi(d.smaxHi, d.smaxLo, src.sminHi, src.sminLo);
  if (
    differenceOverflows(d.sminHi, src.smaxHi, sminHi) ||
    differenceOverflows(d.smaxHi, src.sminHi, smaxHi)
  ) {
    forgetSigned(d);
  } else {
    d.sminHi = sminHi;
    d.sminLo = subLo(d.sminLo, src.smaxLo);
    d.smaxHi = smaxHi;
    d.smaxLo = subLo(d.smaxLo, src.sminLo);
  }
  if (below(d.uminHi, d.uminLo, src.umaxHi, src.umaxLo)) {
    forgetUnsigned(d);
  } else {
    d.uminHi = subHi(d.uminHi, d.uminLo, src.umaxHi, src.umaxLo);
    d.uminLo = subLo(d.uminLo, src.umaxLo);
    d.umaxHi = subHi(d.umaxHi, d.umaxLo, src.uminHi, src.uminLo);
    d.umaxLo = subLo(d.umaxLo, src.uminLo);
  }
}

function mul32(d: Draft, src: Scalar): void {
  const mayOverflow = src.umax32 > 0xffff || d.umax32 > 0xffff;
  if (src.smin32 < 0 || d.smin32 < 0 || mayOverflow) {
    forget32(d);
    return;
  }
  d.uminLow = Math.imul(d.uminLow, src.uminLow);
  d.umaxLow = Math.imul(d.umaxLow, src.umaxLow);
  copyUnsigned32(d, d.umaxLow >= 0);
}

function mul64(d: Draft, src: Scalar): void {
  const mayOverflow = (src.umaxHi | d.umaxHi) !== 0;
  if (src.sminHi < 0 || d.sminHi < 0 || mayOverflow) {
    forget64(d);
    return;
  }
  d.uminHi = mulHi(d.uminHi, d.uminLo, src.uminHi, src.uminLo);
  d.uminLo = Math.imul(d.uminLo, src.uminLo);
  d.umaxHi = mulHi(d.umaxHi, d.umaxLo, src.umaxHi, src.umaxLo);
  d.umaxLo = Math.imul(d.umaxLo, src.umaxLo);
  copyUnsigned64(d, d.umaxHi >= 0);
}

/** Signed bounds are the unsigned ones where no value is negative, else nothing is known. */
function copyUnsigned32(d: Draft, nonNegative: boolean): void {
  if (nonNegative) {
    d.smin32 = d.uminLow;
    d.smax32 = d.umaxLow;
  } else {
    forgetSigned32(d);
  }
}

function copyUnsigned64(d: Draft, nonNegative: boolean): void {
  if (nonNegative) {
    d.sminHi = d.uminHi;
    d.sminLo = d.uminLo;
    d.smaxHi = d.umaxHi;
    d.smaxLo = d.umaxLo;
  } else {
    forgetSigned(d);
  }
}

/** `d.bits` holds the result's bits already; the ranges are still those of the operand. */
function bitwise(
  d: Draft,
  src: Scalar,
  op32: (d: Draft, src: Scalar) => void,
  op64: (d: Draft, src: Scalar) => void,
): Draft {
  if (isSubregConst(src.bits) && isSubregConst(d.bits)) setLow32(d, d.bits.valueLo);
  else op32(d, src);
  if (isConst(src.bits) && isConst(d.bits)) return knownScalar(d.bits.valueHi, d.bits.valueLo);
  op64(d, src);
  learnFromBits(d);
  return d;
}

function and32(d: Draft, src: Scalar): void {
  const nonNegative = d.smin32 >= 0 && src.smin32 >= 0;
  d.uminLow = d.bits.valueLo;
  lowerUmax32(d, src.umaxLow);
  copyUnsigned32(d, nonNegative);
}

function and64(d: Draft, src: Scalar): void {
  const nonNegative = d.sminHi >= 0 && src.sminHi >= 0;
  d.uminHi = d.bits.valueHi;
  d.uminLo = d.bits.valueLo;
  lowerUmax(d, src.umaxHi, src.umaxLo);
  copyUnsigned64(d, nonNegative);
}

function or32(d: Draft, src: Scalar): void {
  const nonNegative = d.smin32 >= 0 && src.smin32 >= 0;
  raiseUmin32(d, src.uminLow);
  d.umaxLow = d.bits.valueLo | d.bits.maskLo;
  copyUnsigned32(d, nonNegative);
}

function or64(d: Draft, src: Scalar): void {
  const nonNegative = d.sminHi >= 0 && src.sminHi >= 0;
  raiseUmin(d, src.uminHi, src.uminLo);
  d.umaxHi = d.bits.valueHi | d.bits.maskHi;
  d.umaxLo = d.bits.valueLo | d.bits.maskLo;
  copyUnsigned64(d, nonNegative);
}

function xor32(d: Draft, src: Scalar): void {
  d.uminLow = d.bits.valueLo;
  d.umaxLow = d.bits.valueLo | d.bits.maskLo;
  copyUnsigned32(d, d.smin32 >= 0 && src.smin32 >= 0);
}

function xor64(d: Draft, src: Scalar): void {
  d.uminHi = d.bits.valueHi;
  d.uminLo = d.bits.valueLo;
  d.umaxHi = d.bits.valueHi | d.bits.maskHi;
  d.umaxLo = d.bits.valueLo | d.bits.maskLo;
  copyUnsigned64(d, d.sminHi >= 0 && src.sminHi >= 0);
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
      forgetSigned32(d);
      d.uminLow = (d.uminLow >>> src.umax32) | 0;
      d.umaxLow = (d.umaxLow >>> bits) | 0;
      d.bits = rshTnum(low, bits);
      break;
    case 'arsh':
      d.smin32 >>= bits;
      d.smax32 >>= bits;
      forgetUnsigned32(d);
      d.bits = arshTnum(low, bits, 32);
      break;
  }
  forget64(d);
  learn32FromBits(d);
}

function lsh32(d: Draft, min: number, max: number): void {
  forgetSigned32(d);
  if (max > 31 || d.umax32 > 2 ** (31 - max)) {
    forgetUnsigned32(d);
  } else {
    d.uminLow <<= min;
    d.umaxLow <<= max;
  }
}

function shift64(op: Shift, d: Draft, src: Scalar): void {
  const min = src.uminLo;
  const max = src.umaxLo;
  switch (op) {
    case 'lsh':
      lsh64(d, min, max);
      lsh32(d, min, max);
      d.bits = lshTnum(d.bits, min);
      break;
    case 'rsh':
      forgetSigned(d);
      d.uminLo = rshLo(d.uminHi, d.uminLo, max);
      d.uminHi = rshHi(d.uminHi, max);
      d.umaxLo = rshLo(d.umaxHi, d.umaxLo, min);
      d.umaxHi = rshHi(d.umaxHi, min);
      d.bits = rshTnum(d.bits, min);
      forget32(d);
      break;
    case 'arsh':
      d.sminLo = arshLo(d.sminHi, d.sminLo, min);
      d.sminHi = arshHi(d.sminHi, min);
      d.smaxLo = arshLo(d.smaxHi, d.smaxLo, min);
      d.smaxHi = arshHi(d.smaxHi, min);
      forgetUnsigned(d);
      d.bits = arshTnum(d.bits, min, 64);
      forget32(d);
      break;
  }
  learnFromBits(d);
}

function lsh64(d: Draft, min: number, max: number): void {
  // `<< 32` then `s>> 32` is how compilers sign-extend: the signed range survives it.
  if (min === 32 && max === 32) {
    d.sminHi = d.smin32;
    d.sminLo = 0;
    d.smaxHi = d.smax32;
    d.smaxLo = 0;
  } else {
    forgetSigned(d);
  }
  if (below(lshHi(0, 1, 63 - max), lshLo(1, 63 - max), d.umaxHi, d.umaxLo)) {
    forgetUnsigned(d);
    return;
  }
  d.uminHi = lshHi(d.uminHi, d.uminLo, min);
  d.uminLo = lshLo(d.uminLo, min);
  d.umaxHi = lshHi(d.umaxHi, d.umaxLo, max);
  d.umaxLo = lshLo(d.umaxLo, max);
}
