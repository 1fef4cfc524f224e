/**
 * What Linux demands of a classic filter before it runs it (bpf_check_classic, and
 * seccomp_check_filter for seccomp). 0 or -EINVAL; there is no message, as in Linux.
 */
import { errno } from '../../kernel/types/errno.ts';
import { extensionOf } from './extensions.ts';
import {
  BPF_MAXINSNS,
  BPF_MEMWORDS,
  classicRow,
  type ClassicInsn,
  type ClassicRow,
} from './insn.ts';

/** sizeof(struct seccomp_data), UAPI linux/seccomp.h. */
export const SECCOMP_DATA_BYTES = 64;

export function checkClassic(filter: readonly ClassicInsn[]): number {
  if (filter.length === 0 || filter.length > BPF_MAXINSNS) return -errno.EINVAL;
  const isFine = filter.every((insn, pc) => {
    const row = classicRow(insn.code);
    return row !== undefined && insnIsFine(insn, row, pc, filter.length);
  });
  const last = classicRow(filter.at(-1)!.code);
  return isFine && last?.kind === 'return' && loadsAreStored(filter) ? 0 : -errno.EINVAL;
}

function insnIsFine(insn: ClassicInsn, row: ClassicRow, pc: number, length: number): boolean {
  switch (row.kind) {
    case 'alu':
      if (row.source === 'x') return true;
      if (row.operation === 'div' || row.operation === 'mod') return insn.k !== 0;
      return (row.operation !== 'lsh' && row.operation !== 'rsh') || insn.k < 32;
    case 'memory':
    case 'store':
      return insn.k < BPF_MEMWORDS;
    case 'goto':
      return insn.k < length - pc - 1;
    case 'branch':
      return pc + insn.jt + 1 < length && pc + insn.jf + 1 < length;
    case 'load':
      return extensionOf(insn) !== 'unknown';
    default:
      return true;
  }
}

/**
 * Every M[k] that is loaded was stored on all paths. Jumps go forward, so one pass does: `valid`
 * is the set of stored words on the way here, `masks` what the jumps to each instruction bring.
 */
function loadsAreStored(filter: readonly ClassicInsn[]): boolean {
  const masks = new Uint16Array(filter.length).fill(0xffff);
  let valid = 0;
  return filter.every((insn, pc) => {
    const row = classicRow(insn.code)!;
    valid &= masks[pc]!;
    switch (row.kind) {
      case 'store':
        valid |= 1 << insn.k;
        return true;
      case 'memory':
        return (valid & (1 << insn.k)) !== 0;
      case 'goto':
        masks[pc + 1 + insn.k]! &= valid;
        valid = 0xffff;
        return true;
      case 'branch':
        masks[pc + 1 + insn.jt]! &= valid;
        masks[pc + 1 + insn.jf]! &= valid;
        valid = 0xffff;
        return true;
      default:
        return true;
    }
  });
}

/** Seccomp filters load words of struct seccomp_data, and know neither packets nor extensions. */
export function checkSeccomp(filter: readonly ClassicInsn[]): number {
  const result = checkClassic(filter);
  if (result < 0) return result;
  const isFine = filter.every(({ code, k }) => {
    const row = classicRow(code)!;
    switch (row.kind) {
      case 'load':
        if (row.mode !== 'abs' || row.bytes !== 4) return false;
        return k < SECCOMP_DATA_BYTES && k % 4 === 0;
      case 'header-length':
        return false;
      case 'alu':
        // seccomp_check_filter lists no modulo.
        return row.operation !== 'mod';
      default:
        return true;
    }
  });
  return isFine ? 0 : -errno.EINVAL;
}
