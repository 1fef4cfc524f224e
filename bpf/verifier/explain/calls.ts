/** Names of what call instructions call. */
import type { Insn } from '../../isa/insn.ts';
import { helperText, type Checker } from '../checker.ts';
import { isKfuncCall, isSubprogCall } from '../opcode.ts';
import { functionName } from './describe.ts';

/** `bpf_map_lookup_elem`, or the function's name. */
export function calledFunction(c: Checker, insn: Insn, slot: number): string {
  if (isSubprogCall(insn)) return functionName(c, c.subprogAt(slot + insn.imm + 1));
  if (isKfuncCall(insn)) return c.env.kernelBtf?.type(insn.imm)?.name ?? 'a kernel function';
  return helperText(insn.imm);
}
