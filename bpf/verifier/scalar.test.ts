import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { AluOperation, Condition } from '../isa/row.ts';
import { s32, s64, u64, low32 } from './int.ts';
import {
  UNKNOWN_SCALAR,
  constScalar,
  draftOf,
  isSettled,
  sync,
  truncate,
  zeroExtend32,
  type Scalar,
} from './scalar.ts';
import { aluConst, aluScalar, isContradictory, isKnown } from './scalar-alu.ts';
import { branchTaken, refine, refineEqual } from './scalar-branch.ts';
import { signExtended } from './sign-extend.ts';
import { constTnum } from './tnum.ts';

/** What a scalar claims must hold of every value that it stands for. */
function holds(s: Scalar, value: bigint): boolean {
  const signed = s64(value);
  const low = low32(value);
  return (
    (value & ~s.bits.mask) === s.bits.value &&
    s.umin <= value &&
    value <= s.umax &&
    s.smin <= signed &&
    signed <= s.smax &&
    s.umin32 <= low &&
    low <= s.umax32 &&
    s.smin32 <= s32(low) &&
    s32(low) <= s.smax32
  );
}

const EDGES = [
  0n, 1n, 2n, 0x7fn, 0xffn, 0xffffn, 0x7fff_ffffn, 0x8000_0000n, 0xffff_ffffn, 0x1_0000_0000n,
  0x7fff_ffff_ffff_ffffn, 0x8000_0000_0000_0000n, 0xffff_ffff_8000_0000n, 0xffff_ffff_ffff_ffffn,
]; // prettier-ignore
const value = fc.oneof(
  fc.constantFrom(...EDGES),
  fc.bigInt({ min: 0n, max: (1n << 64n) - 1n }),
  fc.bigInt({ min: 0n, max: 300n }),
);
const CONDITIONS: readonly Condition[] = [
  'eq', 'ne', 'gt', 'ge', 'lt', 'le', 'sgt', 'sge', 'slt', 'sle', 'set',
]; // prettier-ignore
const condition = fc.constantFrom(...CONDITIONS);
const width = fc.constantFrom(32 as const, 64 as const);
const OPERATIONS = ['add', 'sub', 'mul', 'and', 'or', 'xor', 'lsh', 'rsh', 'arsh'] as const;

function compare(a: bigint, b: bigint, how: Condition, bits: 32 | 64): boolean {
  const x = BigInt.asUintN(bits, a);
  const y = BigInt.asUintN(bits, b);
  const sx = BigInt.asIntN(bits, a);
  const sy = BigInt.asIntN(bits, b);
  switch (how) {
    case 'eq':
      return x === y;
    case 'ne':
      return x !== y;
    case 'set':
      return (x & y) !== 0n;
    case 'gt':
      return x > y;
    case 'ge':
      return x >= y;
    case 'lt':
      return x < y;
    case 'le':
      return x <= y;
    case 'sgt':
      return sx > sy;
    case 'sge':
      return sx >= sy;
    case 'slt':
      return sx < sy;
    default:
      return sx <= sy;
  }
}

function compute(op: AluOperation, a: bigint, b: bigint, bits: 32 | 64): bigint {
  const x = BigInt.asUintN(bits, a);
  const y = BigInt.asUintN(bits, b);
  const shift = y & BigInt(bits - 1);
  const results: Partial<Record<AluOperation, bigint>> = {
    add: x + y,
    sub: x - y,
    mul: x * y,
    and: x & y,
    or: x | y,
    xor: x ^ y,
    lsh: x << shift,
    rsh: x >> shift,
    arsh: BigInt.asIntN(bits, x) >> shift,
  };
  return BigInt.asUintN(bits, results[op]!);
}

/** A scalar and a value of it: made as programs make them, by loads, comparisons and arithmetic. */
const known = fc
  .tuple(value, fc.array(fc.tuple(condition, width, value), { maxLength: 4 }), fc.nat(3))
  .map(([concrete, tests, start]): readonly [Scalar, bigint] => {
    let at = concrete;
    let s: Scalar = UNKNOWN_SCALAR;
    if (start === 1) s = constScalar(at);
    if (start === 2) [s, at] = [truncate(s, 1), at & 0xffn];
    if (start === 3) [s, at] = [truncate(s, 4), at & 0xffff_ffffn];
    for (const [how, bits, other] of tests) {
      const { taken, fallThrough } = refine(s, constTnum(other), how, bits);
      s = compare(at, other, how, bits) ? taken : fallThrough;
    }
    return [s, at];
  });

describe('scalars claim only what is true', () => {
  it('after comparisons', () => {
    fc.assert(
      fc.property(known, ([s, at]) => {
        expect(holds(s, at)).toBe(true);
      }),
      { numRuns: 3000, seed: 1 },
    );
  });

  it('when they decide a branch', () => {
    fc.assert(
      fc.property(known, value, condition, width, ([s, at], other, how, bits) => {
        const taken = branchTaken(s, constTnum(other), how, bits);
        if (taken !== undefined) expect(taken).toBe(compare(at, other, how, bits));
      }),
      { numRuns: 3000, seed: 2 },
    );
  });

  it('after arithmetic, both widths', () => {
    const operation = fc.constantFrom(...OPERATIONS);
    fc.assert(
      fc.property(known, known, operation, width, ([a, x], [b, y], op, bits) => {
        const tracksUnknown = op === 'add' || op === 'sub' || op === 'and';
        if (isContradictory(b, bits) || (!tracksUnknown && !isKnown(b, bits))) return;
        const result = aluScalar(op, bits, a, b);
        if (!result) return;
        if (bits === 32) zeroExtend32(result);
        sync(result);
        const concrete = compute(op, x, y, bits);
        expect(holds(result, concrete)).toBe(true);
      }),
      { numRuns: 6000, seed: 3 },
    );
  });

  it('the quick way for constants says the same', () => {
    fc.assert(
      fc.property(value, value, fc.constantFrom(...OPERATIONS), width, (x, y, op, bits) => {
        const quick = aluConst(op, bits, constScalar(x), constScalar(y));
        const slow = aluScalar(op, bits, constScalar(x), constScalar(y));
        if (slow) {
          if (bits === 32) zeroExtend32(slow);
          sync(slow);
        }
        expect(quick).toEqual(slow);
      }),
      { numRuns: 3000, seed: 4 },
    );
  });

  it('after truncation, sign extension and equality', () => {
    fc.assert(
      fc.property(known, fc.constantFrom(1, 2, 4), ([s, at], bytes) => {
        expect(holds(truncate(s, bytes), BigInt.asUintN(8 * bytes, at))).toBe(true);
        const bits = (8 * bytes) as 8 | 16 | 32;
        const extended = u64(BigInt.asIntN(bits, at));
        expect(holds(signExtended(s, bits), extended)).toBe(true);
      }),
      { numRuns: 3000, seed: 5 },
    );
    fc.assert(
      fc.property(known, known, ([a, x], [b]) => {
        if (!holds(b, x)) return;
        for (const both of refineEqual(a, b)) expect(holds(both, x)).toBe(true);
      }),
      { numRuns: 3000, seed: 6 },
    );
  });

  it('syncing settles a constant and leaves it alone', () => {
    const draft = draftOf(UNKNOWN_SCALAR);
    draft.bits = constTnum(5n);
    sync(draft);
    expect(draft).toEqual(constScalar(5n));
    expect(isSettled(draft)).toBe(true);
  });
});
