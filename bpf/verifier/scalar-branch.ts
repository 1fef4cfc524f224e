/**
 * What a comparison with a known value tells.
 *
 *   branchTaken(s, value, condition, width)   true, false, or undefined where both may happen
 *   refine(s, value, condition, width)        the scalar on the taken and on the other side
 *   refineEqual(a, b)                         both, known to be equal to each other
 */
import type { Condition } from '../isa/row.ts';
import { low32, maxBig, minBig, s32, s64, u32, u64 } from './int.ts';
import {
  combine32Into64,
  combine64Into32,
  constScalar,
  draftOf,
  forget32,
  forget64,
  setLow32,
  sync,
  type Draft,
  type Scalar,
} from './scalar.ts';
import {
  andTnum,
  clearSubregTnum,
  constTnum,
  intersectTnum,
  isConst,
  isSubregConst,
  orTnum,
  subregTnum,
} from './tnum.ts';

type Width = 32 | 64;

/** a < b etc. as an order test on [min, max] against one value. */
function order<T extends number | bigint>(
  condition: 'gt' | 'ge' | 'lt' | 'le',
  min: T,
  max: T,
  value: T,
): boolean | undefined {
  switch (condition) {
    case 'gt':
      return min > value ? true : max <= value ? false : undefined;
    case 'ge':
      return min >= value ? true : max < value ? false : undefined;
    case 'lt':
      return max < value ? true : min >= value ? false : undefined;
    case 'le':
      return max <= value ? true : min > value ? false : undefined;
  }
}

/** `value` is u64 (its low half is compared for width 32). */
export function branchTaken(
  s: Scalar,
  value: bigint,
  condition: Condition,
  width: Width,
): boolean | undefined {
  const bits = width === 32 ? subregTnum(s.bits) : s.bits;
  const unsigned = width === 32 ? BigInt(low32(value)) : value;
  switch (condition) {
    case 'eq':
      return isConst(bits) ? bits.value === unsigned : undefined;
    case 'ne':
      return isConst(bits) ? bits.value !== unsigned : undefined;
    case 'set':
      if ((bits.value & unsigned) !== 0n) return true;
      return ((bits.value | bits.mask) & unsigned) === 0n ? false : undefined;
    case 'gt':
    case 'ge':
    case 'lt':
    case 'le':
      return width === 32
        ? order(condition, s.umin32, s.umax32, low32(value))
        : order(condition, s.umin, s.umax, value);
    default: {
      const signed = condition.slice(1) as 'gt' | 'ge' | 'lt' | 'le';
      return width === 32
        ? order(signed, s.smin32, s.smax32, s32(low32(value)))
        : order(signed, s.smin, s.smax, s64(value));
    }
  }
}

/** How `a cond b` reads from b's side. */
export function flipCondition(condition: Condition): Condition {
  switch (condition) {
    case 'ge':
      return 'le';
    case 'gt':
      return 'lt';
    case 'le':
      return 'ge';
    case 'lt':
      return 'gt';
    case 'sge':
      return 'sle';
    case 'sgt':
      return 'slt';
    case 'sle':
      return 'sge';
    case 'slt':
      return 'sgt';
    default:
      return condition;
  }
}

export interface Refined {
  readonly taken: Scalar;
  readonly fallThrough: Scalar;
}

/** `value` u64; `low` its low half, which differs from `value`'s only in 32-bit comparisons. */
export function refine(
  s: Scalar,
  value: bigint,
  low: number,
  condition: Condition,
  width: Width,
): Refined {
  const taken = draftOf(s);
  const other = draftOf(s);
  if (width === 32) refine32(taken, other, low, condition);
  else refine64(taken, other, value, condition);
  const rebuild = width === 32 ? combine32Into64 : combine64Into32;
  rebuild(other);
  rebuild(taken);
  return { taken, fallThrough: other };
}

const isPowerOf2 = (value: bigint): boolean => value !== 0n && (value & (value - 1n)) === 0n;

function become(d: Draft, value: bigint): void {
  Object.assign(d, constScalar(value));
}

function refine32(taken: Draft, other: Draft, value: number, condition: Condition): void {
  const signed = s32(value);
  switch (condition) {
    case 'eq':
      setLow32(taken, value);
      break;
    case 'ne':
      setLow32(other, value);
      break;
    case 'set': {
      // Forget the ranges first: on a dead branch they may contradict the bits.
      forget64(other);
      forget32(other);
      const mask = constTnum(BigInt(value));
      const cleared = andTnum(subregTnum(other.bits), constTnum(BigInt(u32(~value))));
      other.bits = orTnum(clearSubregTnum(other.bits), cleared);
      if (isPowerOf2(BigInt(value))) {
        taken.bits = orTnum(clearSubregTnum(taken.bits), orTnum(subregTnum(taken.bits), mask));
      }
      break;
    }
    case 'gt':
    case 'ge':
      other.umax32 = Math.min(other.umax32, condition === 'gt' ? value : u32(value - 1));
      taken.umin32 = Math.max(taken.umin32, condition === 'gt' ? u32(value + 1) : value);
      break;
    case 'lt':
    case 'le':
      other.umin32 = Math.max(other.umin32, condition === 'lt' ? value : u32(value + 1));
      taken.umax32 = Math.min(taken.umax32, condition === 'lt' ? u32(value - 1) : value);
      break;
    case 'sgt':
    case 'sge':
      other.smax32 = Math.min(other.smax32, condition === 'sgt' ? signed : s32(signed - 1));
      taken.smin32 = Math.max(taken.smin32, condition === 'sgt' ? s32(signed + 1) : signed);
      break;
    case 'slt':
    case 'sle':
      other.smin32 = Math.max(other.smin32, condition === 'slt' ? signed : s32(signed + 1));
      taken.smax32 = Math.min(taken.smax32, condition === 'slt' ? s32(signed - 1) : signed);
      break;
  }
}

function refine64(taken: Draft, other: Draft, value: bigint, condition: Condition): void {
  const signed = s64(value);
  switch (condition) {
    case 'eq':
      become(taken, value);
      break;
    case 'ne':
      become(other, value);
      break;
    case 'set':
      forget64(other);
      forget32(other);
      other.bits = andTnum(other.bits, constTnum(u64(~value)));
      if (isPowerOf2(value)) taken.bits = orTnum(taken.bits, constTnum(value));
      break;
    case 'gt':
    case 'ge':
      other.umax = minBig(other.umax, condition === 'gt' ? value : u64(value - 1n));
      taken.umin = maxBig(taken.umin, condition === 'gt' ? u64(value + 1n) : value);
      break;
    case 'lt':
    case 'le':
      other.umin = maxBig(other.umin, condition === 'lt' ? value : u64(value + 1n));
      taken.umax = minBig(taken.umax, condition === 'lt' ? u64(value - 1n) : value);
      break;
    case 'sgt':
    case 'sge':
      other.smax = minBig(other.smax, condition === 'sgt' ? signed : s64(signed - 1n));
      taken.smin = maxBig(taken.smin, condition === 'sgt' ? s64(signed + 1n) : signed);
      break;
    case 'slt':
    case 'sle':
      other.smin = maxBig(other.smin, condition === 'slt' ? signed : s64(signed + 1n));
      taken.smax = minBig(taken.smax, condition === 'slt' ? s64(signed - 1n) : signed);
      break;
  }
}

/** The 64-bit knowledge of both, put together; each keeps its own of the low half. */
export function refineEqual(a: Scalar, b: Scalar): readonly [Scalar, Scalar] {
  const shared = {
    umin: maxBig(a.umin, b.umin),
    umax: minBig(a.umax, b.umax),
    smin: maxBig(a.smin, b.smin),
    smax: minBig(a.smax, b.smax),
    bits: intersectTnum(a.bits, b.bits),
  };
  const first: Draft = { ...draftOf(a), ...shared };
  const second: Draft = { ...draftOf(b), ...shared };
  sync(first);
  sync(second);
  return [first, second];
}

export const isConstAt = (s: Scalar, width: Width): boolean =>
  isConst(s.bits) || (width === 32 && isSubregConst(s.bits));
