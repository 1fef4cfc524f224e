/**
 * Instructions by name, for tests and for everything that generates code:
 * `insn('add64_imm', {dst: 1, imm: 8})`. The opcode and what tells the instruction apart (the off of
 * a signed division, the imm of an atomic) come from the table.
 */
import type { Insn } from '../isa/insn.ts';
import type { OpName } from '../isa/table.ts';
import { isaRow } from '../isa/table.ts';

export interface Operands {
  readonly dst?: number;
  readonly src?: number;
  readonly off?: number;
  readonly imm?: number;
}

export function insn(name: OpName, operands: Operands = {}): Insn {
  const { code, when } = isaRow(name);
  const fields = { code, dst: 0, src: 0, off: 0, imm: 0, ...operands };
  return when === undefined ? fields : { ...fields, [when.field]: when.value };
}

/** The two slots of a 64-bit load; `form` for the pseudo forms, whose halves mean something else. */
export function ldImm64(dst: number, value: bigint, form: OpName = 'ld_imm64'): Insn[] {
  const low = Number(BigInt.asIntN(32, value));
  const high = Number(BigInt.asIntN(32, value >> 32n));
  return [insn(form, { dst, imm: low }), { code: 0, dst: 0, src: 0, off: 0, imm: high }];
}
