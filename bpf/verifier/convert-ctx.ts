/**
 * One load or store of the program as the kernel's structs need it: context members, sockets, and
 * loads through BTF pointers.
 */
import { Bug } from '../../kernel/types/units.ts';
import type { Insn } from '../isa/insn.ts';
import type { ProgTypeOps } from '../prog-type.ts';
import { SOCKET_CONVERSIONS } from '../sock-convert.ts';
import type { Checker } from './checker.ts';
import { classOf, cls, mode, modeOf, sizeOf } from './opcode.ts';
import { flag } from './reg.ts';

export interface Converted {
  readonly insns: readonly Insn[];
  readonly usesScratch?: true;
}

/** BPF_PROBE_MEM and, for sign-extending loads, BPF_PROBE_MEMSX: a fault loads 0. */
const PROBE_MEM = 0x20;
const PROBE_MEMSX = 0x40;
const RSH32_IMM = 0x74;
const RSH64_IMM = 0x77;
const AND32_IMM = 0x54;
const MOV64_REG = 0xbf;

export function convertAccess(c: Checker, insn: Insn, slot: number, scratchOff: number): Converted {
  const how = modeOf(insn.code);
  const type = c.learned(slot).pointerType;
  const asIs = { insns: [insn] };
  if (!type || (how !== mode.MEM && how !== mode.MEMSX)) return asIs;
  switch (type.kind) {
    case 'ctx':
      if (c.env.checkOnly || !c.ops.convert || type.flags !== 0) return asIs;
      return convertMember(c, insn, slot, scratchOff, c.ops.convert);
    case 'sock':
    case 'sock_common':
    case 'tcp_sock':
    case 'xdp_sock':
      if (c.env.checkOnly || type.flags !== 0) return asIs;
      return convertMember(c, insn, slot, scratchOff, SOCKET_CONVERSIONS[type.kind]!);
    case 'ptr_': {
      const known = type.flags === 0 || type.flags === flag.UNTRUSTED;
      if (!known || classOf(insn.code) !== cls.LDX) return asIs;
      const probe = how === mode.MEMSX ? PROBE_MEMSX : PROBE_MEM;
      return { insns: [{ ...insn, code: (insn.code & ~0xe0) | probe }] };
    }
    default:
      return asIs;
  }
}

/** r = (sN)r */
const signExtension = (dst: number, bytes: number): Insn => ({
  code: MOV64_REG,
  dst,
  src: dst,
  off: 8 * bytes,
  imm: 0,
});

function convertMember(
  c: Checker,
  insn: Insn,
  slot: number,
  scratchOff: number,
  convert: NonNullable<ProgTypeOps['convert']>,
): Converted {
  const write = classOf(insn.code) !== cls.LDX;
  const bytes = sizeOf(insn.code);
  const fieldBytes = c.learned(slot).ctxFieldBytes as 0 | 1 | 2 | 4 | 8;
  const isNarrow = !write && bytes < fieldBytes;
  const off = isNarrow ? insn.off & ~(fieldBytes - 1) : insn.off;
  const conversion = convert(
    {
      off,
      bytes: isNarrow ? (fieldBytes as 2 | 4 | 8) : bytes,
      write,
      dst: insn.dst,
      src: insn.src,
      scratchOff,
    },
    c.context,
  );
  if (!conversion) {
    throw new Bug(`nothing stands for the context member at off=${insn.off}`);
  }
  const insns = [...conversion.insns];
  if (isNarrow && bytes < conversion.targetBytes) {
    const shift = (insn.off - off) * 8;
    const op = (code: number, imm: number): Insn => ({ code, dst: insn.dst, src: 0, off: 0, imm });
    if (shift > 0) insns.push(op(fieldBytes <= 4 ? RSH32_IMM : RSH64_IMM, shift));
    insns.push(op(AND32_IMM, bytes === 4 ? -1 : 2 ** (8 * bytes) - 1));
  }
  if (modeOf(insn.code) === mode.MEMSX) insns.push(signExtension(insn.dst, bytes));
  return conversion.usesScratch ? { insns, usesScratch: true } : { insns };
}
