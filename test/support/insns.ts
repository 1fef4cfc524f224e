/**
 * Instructions by row name, for tests that write programs by hand.
 *
 *   op('add64_imm', { dst: 1, imm: 5 })      one slot
 *   ldImm64(1, 0x1234n)                      the two slots of a ld_imm64
 *   program(op(…), ldImm64(…), …)            flattened
 */
import type { Insn } from '../../bpf/isa/insn.ts';
import { isaRow, type OpName } from '../../bpf/isa/table.ts';

export type Fields = Partial<Omit<Insn, 'code'>>;

export function op(name: OpName, fields: Fields = {}): Insn {
  const { code, when } = isaRow(name);
  const plain = { code, dst: 0, src: 0, off: 0, imm: 0, ...fields };
  return when === undefined ? plain : { ...plain, [when.field]: when.value };
}

export function ldImm64(dst: number, value: bigint, name: OpName = 'ld_imm64'): Insn[] {
  return [
    op(name, { dst, imm: Number(BigInt.asIntN(32, value)) }),
    { code: 0, dst: 0, src: 0, off: 0, imm: Number(BigInt.asIntN(32, value >> 32n)) },
  ];
}

export function program(...parts: readonly (Insn | readonly Insn[])[]): Insn[] {
  return parts.flat();
}
