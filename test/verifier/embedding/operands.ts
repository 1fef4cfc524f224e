/** What an instruction reads: registers, and the memory behind one of them. */
import type { Insn } from '../../../bpf/isa/insn.ts';
import {
  CMPXCHG,
  classOf,
  cls,
  isRegSource,
  jmp,
  mode,
  modeOf,
  opOf,
  sizeOf,
  alu,
} from '../../../bpf/verifier/opcode.ts';

export interface MemoryAccess {
  readonly base: number;
  readonly bytes: number;
}

export function accessOf(insn: Insn): MemoryAccess | undefined {
  const how = modeOf(insn.code);
  const bytes = sizeOf(insn.code);
  switch (classOf(insn.code)) {
    case cls.LDX:
      return { base: insn.src, bytes };
    case cls.ST:
    case cls.STX:
      return how === mode.MEM || how === mode.ATOMIC ? { base: insn.dst, bytes } : undefined;
    default:
      return undefined;
  }
}

/** Registers whose content matters to what the instruction does. Arguments of calls are left out. */
export function operandsOf(insn: Insn): readonly number[] {
  const { code, dst, src } = insn;
  const source = isRegSource(code) ? [src] : [];
  switch (classOf(code)) {
    case cls.ALU:
    case cls.ALU64:
      if (opOf(code) === alu.MOV) return source;
      return opOf(code) === alu.END || opOf(code) === alu.NEG ? [dst] : [dst, ...source];
    case cls.JMP:
    case cls.JMP32:
      if (opOf(code) === jmp.JA || opOf(code) === jmp.CALL) return [];
      return opOf(code) === jmp.EXIT ? [0] : [dst, ...source];
    case cls.LDX:
      return [src];
    case cls.ST:
      return [dst];
    case cls.STX:
      return modeOf(code) === mode.ATOMIC && insn.imm === CMPXCHG ? [0, dst, src] : [dst, src];
    default:
      return [];
  }
}
