/**
 * Flags of the simulated core. They are not kept: an instruction that sets them leaves its operands
 * in locals, and the jump that looks at them computes from these what it wants to know.
 */
import { I32, I64, type IntOps } from '../../bpf/jit/code-writer.ts';
import { Undecodable, type X86Insn } from './decode.ts';
import type { X86Function } from './wasm-function.ts';

/** What set the flags: a difference `a - b`, a sum `b` with the summand `a`, or a result `b`. */
export type FlagKind = 'difference' | 'sum' | 'result';

export interface Flags {
  readonly kind: FlagKind;
  readonly width: 32 | 64;
}

const typeOf = (width: 32 | 64) => (width === 64 ? 'i64' : 'i32');
export const flagA = (f: X86Function, width: 32 | 64): number =>
  f.temporary(`flag-a${width}`, typeOf(width));
export const flagB = (f: X86Function, width: 32 | 64): number =>
  f.temporary(`flag-b${width}`, typeOf(width));

/** By tttn: what holds of a - b, or of a result against 0. */
const COMPARE: Readonly<Record<number, keyof IntOps>> = {
  2: 'lt_u',
  3: 'ge_u',
  4: 'eq',
  5: 'ne',
  6: 'le_u',
  7: 'gt_u',
  12: 'lt_s',
  13: 'ge_s',
  14: 'le_s',
  15: 'gt_s',
};
/** The sign alone, which for a result is less and not less than 0. */
const SIGN: Readonly<Record<number, keyof IntOps>> = { 8: 'lt_s', 9: 'ge_s' };

/** Push an i32: whether the condition of the jump holds. */
export function pushCondition(f: X86Function, insn: X86Insn, flags: Flags | undefined): void {
  if (flags === undefined) {
    throw new Undecodable(`offset ${insn.offset.toString(16)}: flags of another block`);
  }
  const { kind, width } = flags;
  const { condition } = insn;
  const ops: IntOps = width === 64 ? I64 : I32;
  const zero = (): void => (width === 64 ? f.i64(0n) : f.i32(0));
  if (kind === 'difference' && COMPARE[condition] !== undefined) {
    f.localGet(flagA(f, width));
    f.localGet(flagB(f, width));
    f.op(ops[COMPARE[condition]]);
    return;
  }
  const isCarry = condition === 2 || condition === 3;
  if (kind === 'sum' && isCarry) {
    // A sum below one of its summands has wrapped.
    f.localGet(flagB(f, width));
    f.localGet(flagA(f, width));
    f.op(condition === 2 ? ops.lt_u : ops.ge_u);
    return;
  }
  const isZero = condition === 4 || condition === 5;
  const compare = SIGN[condition] ?? COMPARE[condition];
  // Of sums, overflow is not known. A logical result has no carry and no overflow.
  if (compare === undefined || kind === 'difference' || (kind === 'sum' && !isZero)) {
    throw new Undecodable(`offset ${insn.offset.toString(16)}: condition ${condition}`);
  }
  f.localGet(flagB(f, width));
  zero();
  f.op(ops[compare]);
}
