/**
 * Opcode fields, for the checks that come before an instruction is known to be one: an invalid
 * encoding has no row in the instruction table, yet Linux says what is wrong with it.
 */
import type { Insn } from '../isa/insn.ts';
import { rowsOfCode } from '../isa/table.ts';
import type { Condition } from '../isa/row.ts';

/** Classes (RFC 9669 section 3.1). */
export const cls = { LD: 0, LDX: 1, ST: 2, STX: 3, ALU: 4, JMP: 5, JMP32: 6, ALU64: 7 } as const;
export const classOf = (code: number): number => code & 7;
export const isAluClass = (code: number): boolean => (code & 7) === 4 || (code & 7) === 7;
export const isJumpClass = (code: number): boolean => (code & 7) === 5 || (code & 7) === 6;
/** Operation of an arithmetic or jump opcode. */
export const opOf = (code: number): number => code & 0xf0;
/** The operand is a register. */
export const isRegSource = (code: number): boolean => (code & 8) !== 0;
export const modeOf = (code: number): number => code & 0xe0;
export const mode = { IMM: 0, ABS: 0x20, IND: 0x40, MEM: 0x60, MEMSX: 0x80, ATOMIC: 0xc0 } as const;
/** Bytes of a load or store. */
export const sizeOf = (code: number): 1 | 2 | 4 | 8 => SIZES[(code >> 3) & 3]!;
const SIZES = [4, 2, 1, 8] as const;

export const alu = {
  DIV: 0x30,
  LSH: 0x60,
  RSH: 0x70,
  NEG: 0x80,
  MOD: 0x90,
  MOV: 0xb0,
  ARSH: 0xc0,
  END: 0xd0,
} as const;
export const jmp = { JA: 0, CALL: 0x80, EXIT: 0x90, LAST: 0xd0 } as const;

export const LD_IMM64 = 0x18;
export const CALL = 0x85;
export const EXIT = 0x95;
export const GOTO = 0x05;
export const GOTO_LONG = 0x06;

export const pseudo = {
  MAP_FD: 1,
  MAP_VALUE: 2,
  BTF_ID: 3,
  FUNC: 4,
  MAP_IDX: 5,
  MAP_IDX_VALUE: 6,
  CALL: 1,
  KFUNC_CALL: 2,
} as const;

export const isLdImm64 = (insn: Insn): boolean => insn.code === LD_IMM64;
export const isSubprogCall = (insn: Insn): boolean =>
  insn.code === CALL && insn.src === pseudo.CALL;
export const isKfuncCall = (insn: Insn): boolean =>
  insn.code === CALL && insn.src === pseudo.KFUNC_CALL;
export const isFuncLoad = (insn: Insn): boolean =>
  insn.code === LD_IMM64 && insn.src === pseudo.FUNC;
export const isHelperCall = (insn: Insn): boolean => insn.code === CALL && insn.src === 0;

/** Slot that a jump goes to. */
export const jumpTarget = (insn: Insn, slot: number): number =>
  slot + 1 + (insn.code === GOTO_LONG ? insn.imm : insn.off);

const CONDITIONS: Readonly<Record<number, Condition>> = {
  0x10: 'eq',
  0x20: 'gt',
  0x30: 'ge',
  0x40: 'set',
  0x50: 'ne',
  0x60: 'sgt',
  0x70: 'sge',
  0xa0: 'lt',
  0xb0: 'le',
  0xc0: 'slt',
  0xd0: 'sle',
};
export const conditionOf = (code: number): Condition | undefined => CONDITIONS[code & 0xf0];

/**
 * Some instruction of this level has the opcode. Of v4's, 6.1's stable releases (6.1.192 for one)
 * took up the long jump.
 */
export function isKnownOpcode(code: number, level: '6.1' | 'latest'): boolean {
  if (code === GOTO_LONG) return true;
  return rowsOfCode(code).some(
    (row) => row.version !== 'internal' && (level === 'latest' || row.version !== 'v4'),
  );
}

/** Sets r0 or src to what was in memory. */
export const isFetch = (insn: Insn): boolean =>
  classOf(insn.code) === cls.STX && modeOf(insn.code) === mode.ATOMIC && (insn.imm & 1) !== 0;
/** imm of an atomic compare-and-exchange. */
export const CMPXCHG = 0xf1;
