/**
 * The signature of each subprogram's WASM function. WASM passes few arguments in machine registers,
 * so a function takes what it reads and no more:
 *
 *   (r1 to r5 as far as they are read: i64, stackTop: i32, tailCalls: i32) -> r0: i64
 *
 * `stackTop` is the frame's r10 and `tailCalls` the number made so far, each only where it matters.
 * The entry is called by other programs (tail calls): always (r1, stackTop, tailCalls); that of a
 * program that replaces functions of others takes all arguments, and has a second entry for these.
 */
import { HELPER_TAIL_CALL } from '../calls.ts';
import { rowOf } from '../isa/table.ts';
import type { VerifiedProgram } from '../program.ts';
import { buildCfg, type Cfg } from './cfg.ts';
import type { ValueType } from './code-writer.ts';
import type { Signature } from './module-writer.ts';
import { ARGUMENTS, firstArguments, readMask, writeMask } from './registers.ts';

export interface Shape {
  readonly cfg: Cfg;
  /** Registers that arrive as parameters, ascending. */
  readonly args: readonly number[];
  readonly takesStack: boolean;
  readonly takesTailCalls: boolean;
}

const R10 = 1 << 10;
const ENTRY_ARGS = firstArguments(1);

export function signatureOf({ args, takesStack, takesTailCalls }: Shape): Signature {
  const params: ValueType[] = args.map(() => 'i64');
  if (takesStack) params.push('i32');
  if (takesTailCalls) params.push('i32');
  return { params, results: ['i64'] };
}

/**
 * One a subprogram.
 * @param complete those that are called from outside, and take all that there is
 */
export function shapesOf(
  program: VerifiedProgram,
  complete: readonly number[] = [],
): readonly Shape[] {
  const byStart = new Map(program.subprogs.map(({ start }, subprog) => [start, subprog]));
  const needs: (Need | undefined)[] = program.subprogs.map(() => undefined);
  needs[0] = ENTRY;
  for (const subprog of complete) needs[subprog] = EVERYTHING;
  const cfgs = program.subprogs.map((info) => buildCfg(program, info));
  const needOf = (subprog: number): Need => {
    const known = needs[subprog];
    if (known !== undefined) return known;
    // Until it is known; only what calls itself sees this.
    needs[subprog] = EVERYTHING;
    const calleeAt = (start: number): Need => needOf(byStart.get(start)!);
    return (needs[subprog] = findNeed(program, cfgs[subprog]!, calleeAt));
  };
  return program.subprogs.map((_, subprog): Shape => {
    const need = needOf(subprog);
    const args = [1, 2, 3, 4, 5].filter((register) => (need.args >> register) & 1);
    const { takesStack, takesTailCalls } = need;
    return { cfg: cfgs[subprog]!, args, takesStack, takesTailCalls };
  });
}

interface Need {
  /** Mask of registers. */
  readonly args: number;
  readonly takesStack: boolean;
  readonly takesTailCalls: boolean;
}

const ENTRY: Need = { args: ENTRY_ARGS, takesStack: true, takesTailCalls: true };
export const FULL: Signature = {
  params: ['i64', 'i64', 'i64', 'i64', 'i64', 'i32', 'i32'],
  results: ['i64'],
};
const EVERYTHING: Need = { args: ARGUMENTS, takesStack: true, takesTailCalls: true };

function findNeed(program: VerifiedProgram, cfg: Cfg, calleeAt: (start: number) => Need): Need {
  let takesStack = false;
  let takesTailCalls = false;
  /** Registers read in the block before they are written, and those written. */
  const uses: number[] = [];
  const defs: number[] = [];
  for (const { slots } of cfg.blocks) {
    let use = 0;
    let def = 0;
    for (const slot of slots) {
      const row = rowOf(program.insns[slot]!)!;
      const reads = readMask(program, slot, row, (start) => calleeAt(start).args);
      use |= reads & ~def;
      def |= writeMask(program, slot, row);
      if ((reads & R10) !== 0) takesStack = true;
      if (row.kind !== 'call') continue;
      const { imm } = program.insns[slot]!;
      if (row.target === 'subprog') {
        const callee = calleeAt(slot + 1 + imm);
        takesStack ||= callee.takesStack;
        takesTailCalls ||= callee.takesTailCalls;
      } else if (imm === HELPER_TAIL_CALL) {
        takesStack = true;
        takesTailCalls = true;
      }
    }
    uses.push(use);
    defs.push(def);
  }
  const args = liveAtEntry(cfg, uses, defs) & ARGUMENTS;
  return { args, takesStack, takesTailCalls };
}

function liveAtEntry({ blocks }: Cfg, uses: readonly number[], defs: readonly number[]): number {
  const live = [...uses];
  for (let changed = true; changed;) {
    changed = false;
    for (let index = blocks.length - 1; index >= 0; index--) {
      let after = 0;
      for (const successor of blocks[index]!.successors) after |= live[successor]!;
      const before = live[index]! | (after & ~defs[index]!);
      changed ||= before !== live[index];
      live[index] = before;
    }
  }
  return live[0]!;
}
