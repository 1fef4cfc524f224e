/**
 * Whether the upper half of r0 may be read behind an instruction, before r0 is written anew.
 *
 * Linux's verifier notes while it explores which instructions' results are read in 64 bits
 * (mark_insn_zext, kernel/bpf/verifier.c); this finds the same from the instructions alone.
 *
 * differs: on all paths that the subprogram has, also those that Linux saw nobody take.
 */
import type { Insn } from '../../../bpf/isa/insn.ts';
import type { IsaRow } from '../../../bpf/isa/row.ts';
import { rowOf } from '../../../bpf/isa/table.ts';
import { writeMask } from '../../../bpf/jit/registers.ts';
import type { VerifiedProgram } from '../../../bpf/program.ts';

const R0 = 0;

export function upperHalfOfR0IsRead(program: VerifiedProgram, from: number): boolean {
  const seen = new Set<number>();
  const pending = [from];
  for (let slot = pending.pop(); slot !== undefined; slot = pending.pop()) {
    if (seen.has(slot)) continue;
    seen.add(slot);
    const insn = program.insns[slot]!;
    const row = rowOf(insn);
    if (row === undefined || readsUpperHalf(row, insn)) return true;
    if ((writeMask(program, slot, row) & (1 << R0)) !== 0) continue;
    const next = slot + row.slots;
    if (row.kind === 'goto') pending.push(next + (row.long ? insn.imm : insn.off));
    else pending.push(next);
    if (row.kind === 'branch') pending.push(next + insn.off);
  }
  return false;
}

/** As is_reg64 has it: who calls reads all of a result, and pointers are 64 bits. */
function readsUpperHalf(row: IsaRow, { dst, src }: Insn): boolean {
  const isSource = src === R0 && 'source' in row && row.source === 'reg';
  switch (row.kind) {
    case 'alu':
      if (row.width === 32) return false;
      return isSource || (dst === R0 && row.operation !== 'mov');
    case 'branch':
      return row.width === 64 && (isSource || dst === R0);
    case 'neg':
      return row.width === 64 && dst === R0;
    case 'endian':
      return row.bits === 64 && dst === R0;
    case 'movsx':
      return row.width === 64 && src === R0;
    case 'load':
      return src === R0;
    case 'store':
      return dst === R0 || (isSource && row.bytes === 8);
    case 'atomic':
      return dst === R0 || (row.bytes === 8 && (src === R0 || row.operation === 'cmpxchg'));
    case 'exit':
      return true;
    case 'ld_packet':
      return row.mode === 'ind' && src === R0;
    case 'ld_imm64':
    case 'goto':
    case 'call':
    case 'nospec':
      return false;
  }
}
