/** Which registers an instruction changes. */
import type { Insn } from '../isa/insn.ts';
import type { IsaRow } from '../isa/row.ts';

export function writes(insn: Insn, row: IsaRow, register: number): boolean {
  switch (row.kind) {
    case 'alu':
    case 'neg':
    case 'movsx':
    case 'endian':
    case 'ld_imm64':
    case 'load':
      return insn.dst === register;
    case 'atomic':
      if (!row.fetch) return false;
      return register === (row.operation === 'cmpxchg' ? 0 : insn.src);
    case 'call':
      return register <= 5;
    case 'ld_packet':
      return register <= 5;
    case 'store':
    case 'goto':
    case 'branch':
    case 'exit':
    case 'nospec':
      return false;
  }
}
