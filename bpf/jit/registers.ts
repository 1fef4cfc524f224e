/**
 * Which registers an instruction reads and writes, as bit masks: bit n for register n.
 */
import { HELPER_TAIL_CALL, helperOfCall, kfuncOfCall } from '../calls.ts';
import type { IsaRow } from '../isa/row.ts';
import type { VerifiedProgram } from '../program.ts';

/** Argument registers, which every call clobbers. */
export const ARGUMENTS = 0b11_1110;
const R0 = 0b1;
const CALLER_SAVED = ARGUMENTS | R0;
const R6 = 1 << 6;

/** r1 to r`count`. */
export const firstArguments = (count: number): number => ((1 << count) - 1) << 1;

export function writeMask(program: VerifiedProgram, slot: number, row: IsaRow): number {
  const { dst, src } = program.insns[slot]!;
  switch (row.kind) {
    case 'alu':
    case 'neg':
    case 'movsx':
    case 'endian':
    case 'ld_imm64':
    case 'load':
      return 1 << dst;
    case 'atomic':
      if (!row.fetch) return 0;
      return row.operation === 'cmpxchg' ? R0 : 1 << src;
    case 'call':
    case 'ld_packet':
      return CALLER_SAVED;
    case 'store':
    case 'goto':
    case 'branch':
    case 'exit':
    case 'nospec':
      return 0;
  }
}

/** @param argsOf registers that a call of the subprogram at that slot distance reads */
export function readMask(
  program: VerifiedProgram,
  slot: number,
  row: IsaRow,
  argsOf: (start: number) => number,
): number {
  const { dst, src, imm } = program.insns[slot]!;
  const operand = 'source' in row && row.source === 'reg' ? 1 << src : 0;
  switch (row.kind) {
    case 'alu':
      return row.operation === 'mov' ? operand : operand | (1 << dst);
    case 'neg':
    case 'endian':
      return 1 << dst;
    case 'movsx':
    case 'load':
      return 1 << src;
    case 'ld_packet':
      return R6 | (row.mode === 'ind' ? 1 << src : 0);
    case 'store':
    case 'branch':
      return operand | (1 << dst);
    case 'atomic':
      return (1 << dst) | (1 << src) | (row.operation === 'cmpxchg' ? R0 : 0);
    case 'call':
      if (row.target === 'subprog') return argsOf(slot + 1 + imm);
      if (row.target === 'kfunc') {
        return firstArguments(kfuncOfCall(program, slot)?.how.pass.length ?? 0);
      }
      return helperArguments(program, slot);
    case 'exit':
      return R0;
    case 'ld_imm64':
    case 'goto':
    case 'nospec':
      return 0;
  }
}

function helperArguments(program: VerifiedProgram, slot: number): number {
  if (program.insns[slot]!.imm === HELPER_TAIL_CALL) return firstArguments(3);
  const pass = helperOfCall(program, slot)?.implementation?.pass;
  return pass === undefined ? 0 : firstArguments(pass.length);
}
