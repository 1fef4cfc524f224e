/**
 * What a comparison with a known value tells.
 *
 *   branchTaken(s, value, condition, width)   true, false, or undefined where both may happen
 *   refine(s, value, condition, width)        the scalar on the taken and on the other side
 *   refineEqual(a, b)                         both, known to be equal to each other
 *
 * The value is given by its bits; of a 32-bit comparison only the low half has to be known.
 */
import type { Condition } from '../isa/row.ts';
import {
  combine32Into64,
  combine64Into32,
  draftOf,
  forget32,
  forget64,
  knownScalar,
  lowerSmax,
  lowerUmax,
  lowerUmax32,
  raiseSmin,
  raiseUmin,
  raiseUmin32,
  setLow32,
  sync,
  type Draft,
  type Scalar,
} from './scalar.ts';
import { Tnum, intersectTnum, isConst, isSubregConst } from './tnum.ts';
import { addHi, below, below32, less, subHi } from './wide.ts';

type Width = 32 | 64;

/** min > value, max <= value and so on decide `condition`, where they do. */
type Order = 'gt' | 'ge' | 'lt' | 'le';

/** a < b etc. by how the ends of a range stand to one value. */
function decide(
  order: Order,
  minBelow: boolean,
  minAbove: boolean,
  maxBelow: boolean,
  maxAbove: boolean,
): boolean | undefined {
  switch (order) {
    case 'gt':
      return minAbove ? true : maxAbove ? undefined : false;
    case 'ge':
      return !minBelow ? true : maxBelow ? false : undefined;
    case 'lt':
      return maxBelow ? true : minBelow ? undefined : false;
    case 'le':
      return !maxAbove ? true : minAbove ? false : undefined;
  }
}

function unsigned64(order: Order, s: Scalar, hi: number, lo: number): boolean | undefined {
  return decide(
    order,
    below(s.uminHi, s.uminLo, hi, lo),
    below(hi, lo, s.uminHi, s.uminLo),
    below(s.umaxHi, s.umaxLo, hi, lo),
    below(hi, lo, s.umaxHi, s.umaxLo),
  );
}

function signed64(order: Order, s: Scalar, hi: number, lo: number): boolean | undefined {
  return decide(
    order,
    less(s.sminHi, s.sminLo, hi, lo),
    less(hi, lo, s.sminHi, s.sminLo),
    less(s.smaxHi, s.smaxLo, hi, lo),
    less(hi, lo, s.smaxHi, s.smaxLo),
  );
}

const unsigned32 = (order: Order, s: Scalar, value: number): boolean | undefined =>
  decide(
    order,
    below32(s.uminLow, value),
    below32(value, s.uminLow),
    below32(s.umaxLow, value),
    below32(value, s.umaxLow),
  );

const signed32 = (order: Order, s: Scalar, value: number): boolean | undefined =>
  decide(order, s.smin32 < value, value < s.smin32, s.smax32 < value, value < s.smax32);

export function branchTaken(
  s: Scalar,
  value: Tnum,
  condition: Condition,
  width: Width,
): boolean | undefined {
  const { valueHi: hi, valueLo: lo } = value;
  const { bits } = s;
  switch (condition) {
    case 'eq':
    case 'ne': {
      const known = width === 32 ? isSubregConst(bits) : isConst(bits);
      if (!known) return undefined;
      const equal = bits.valueLo === lo && (width === 32 || bits.valueHi === hi);
      return equal === (condition === 'eq');
    }
    case 'set': {
      const high = width === 32 ? 0 : hi;
      if ((bits.valueLo & lo) !== 0 || (bits.valueHi & high) !== 0) return true;
      return ((bits.maskLo & lo) | (bits.maskHi & high)) === 0 ? false : undefined;
    }
    case 'gt':
    case 'ge':
    case 'lt':
    case 'le':
      return width === 32 ? unsigned32(condition, s, lo) : unsigned64(condition, s, hi, lo);
    default: {
      const order = condition.slice(1) as Order;
      return width === 32 ? signed32(order, s, lo) : signed64(order, s, hi, lo);
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

export function refine(s: Scalar, value: Tnum, condition: Condition, width: Width): Refined {
  const taken = draftOf(s);
  const other = draftOf(s);
  if (width === 32) {
    refine32(taken, other, value.valueLo, condition);
    combine32Into64(other);
    combine32Into64(taken);
    return { taken, fallThrough: other };
  }
  if (condition === 'eq' || condition === 'ne') {
    const known = knownScalar(value.valueHi, value.valueLo);
    const unknown = condition === 'eq' ? other : taken;
    combine64Into32(unknown);
    return condition === 'eq'
      ? { taken: known, fallThrough: unknown }
      : { taken: unknown, fallThrough: known };
  }
  refine64(taken, other, value.valueHi, value.valueLo, condition);
  combine64Into32(other);
  combine64Into32(taken);
  return { taken, fallThrough: other };
}

/** Without the bits of the low half, or of both, that are 1 in `hi` and `lo`. */
const without = ({ valueHi, valueLo, maskHi, maskLo }: Tnum, hi: number, lo: number): Tnum =>
  new Tnum(valueHi & ~hi, valueLo & ~lo, maskHi & ~hi, maskLo & ~lo);
/** With the bits that are 1 in `hi` and `lo`. */
const withBits = ({ valueHi, valueLo, maskHi, maskLo }: Tnum, hi: number, lo: number): Tnum =>
  new Tnum(valueHi | hi, valueLo | lo, maskHi & ~hi, maskLo & ~lo);

const isOneBit = (value: number): boolean => value !== 0 && (value & (value - 1)) === 0;

function refine32(taken: Draft, other: Draft, value: number, condition: Condition): void {
  const above = (value + 1) | 0;
  const under = (value - 1) | 0;
  switch (condition) {
    case 'eq':
      setLow32(taken, value);
      break;
    case 'ne':
      setLow32(other, value);
      break;
    case 'set':
      // Forget the ranges first: on a dead branch they may contradict the bits.
      forget64(other);
      forget32(other);
      other.bits = without(other.bits, 0, value);
      if (isOneBit(value)) taken.bits = withBits(taken.bits, 0, value);
      break;
    case 'gt':
    case 'ge':
      lowerUmax32(other, condition === 'gt' ? value : under);
      raiseUmin32(taken, condition === 'gt' ? above : value);
      break;
    case 'lt':
    case 'le':
      raiseUmin32(other, condition === 'lt' ? value : above);
      lowerUmax32(taken, condition === 'lt' ? under : value);
      break;
    case 'sgt':
    case 'sge':
      other.smax32 = Math.min(other.smax32, condition === 'sgt' ? value : under);
      taken.smin32 = Math.max(taken.smin32, condition === 'sgt' ? above : value);
      break;
    case 'slt':
    case 'sle':
      other.smin32 = Math.max(other.smin32, condition === 'slt' ? value : above);
      taken.smax32 = Math.min(taken.smax32, condition === 'slt' ? under : value);
      break;
  }
}

function refine64(taken: Draft, other: Draft, hi: number, lo: number, condition: Condition): void {
  const strict =
    condition === 'gt' || condition === 'lt' || condition === 'sgt' || condition === 'slt';
  // The neighbours of the value, one up and one down.
  const aboveHi = addHi(hi, lo, 0, 1);
  const aboveLo = (lo + 1) | 0;
  const underHi = subHi(hi, lo, 0, 1);
  const underLo = (lo - 1) | 0;
  switch (condition) {
    case 'set':
      forget64(other);
      forget32(other);
      other.bits = without(other.bits, hi, lo);
      if (lo === 0 ? isOneBit(hi) : hi === 0 && isOneBit(lo)) {
        taken.bits = withBits(taken.bits, hi, lo);
      }
      break;
    case 'gt':
    case 'ge':
      lowerUmax(other, strict ? hi : underHi, strict ? lo : underLo);
      raiseUmin(taken, strict ? aboveHi : hi, strict ? aboveLo : lo);
      break;
    case 'lt':
    case 'le':
      raiseUmin(other, strict ? hi : aboveHi, strict ? lo : aboveLo);
      lowerUmax(taken, strict ? underHi : hi, strict ? underLo : lo);
      break;
    case 'sgt':
    case 'sge':
      lowerSmax(other, strict ? hi : underHi, strict ? lo : underLo);
      raiseSmin(taken, strict ? aboveHi : hi, strict ? aboveLo : lo);
      break;
    case 'slt':
    case 'sle':
      raiseSmin(other, strict ? hi : aboveHi, strict ? lo : aboveLo);
      lowerSmax(taken, strict ? underHi : hi, strict ? underLo : lo);
      break;
  }
}

/** The 64-bit knowledge of both, put together; each keeps its own of the low half. */
export function refineEqual(a: Scalar, b: Scalar): readonly [Scalar, Scalar] {
  const bits = intersectTnum(a.bits, b.bits);
  const pair = [draftOf(a), draftOf(b)] as const;
  pair.forEach((draft, index) => {
    const other = index === 0 ? b : a;
    draft.bits = bits;
    raiseUmin(draft, other.uminHi, other.uminLo);
    lowerUmax(draft, other.umaxHi, other.umaxLo);
    raiseSmin(draft, other.sminHi, other.sminLo);
    lowerSmax(draft, other.smaxHi, other.smaxLo);
    sync(draft);
  });
  return pair;
}

export const isConstAt = (s: Scalar, width: Width): boolean =>
  isConst(s.bits) || (width === 32 && isSubregConst(s.bits));
