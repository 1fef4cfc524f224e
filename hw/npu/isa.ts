/**
 * Instructions in the manner of the NFP's flow processing cores: 32 bits wide, two operands, memory by
 * commands that end a thread's turn. Netronome's encoding is not published; this one is ours, one
 * word of 64 bits an instruction:
 *
 *   op 4 | fn 5 | dst 9 | a 9 | b 9 | k 8 | imm 16        (from the top; the lowest 4 bits are 0)
 *
 * An operand is a register, a word of local memory behind one of two pointers, or 0 to 255.
 */
import { Bug } from '../../kernel/types/units.ts';

export const OPS = ['nop', 'immed', 'alu', 'shf', 'ld_field', 'mul', 'br', 'cmd', 'csr_wr', 'call', 'rtn'] as const; // prettier-ignore
export type Op = (typeof OPS)[number];

export const ALU = ['B', '~B', '+', '+carry', '-', '-carry', 'AND', 'OR', 'XOR'] as const;
/** `dbl`: the 64 bits of a and b. `ind`: by what the ALU gave last. */
export const SHF = ['<<', '>>', '>>a', 'rot', 'dbl>>', '<<ind', '>>ind', '>>aind', 'dbl>>ind'] as const; // prettier-ignore
export const MUL = ['start', 'step', 'last', 'last2'] as const;
export const BR = ['unc', 'eq', 'ne', 'lo', 'hs', 'lt', 'ge'] as const;
/** Reads give whole words; `write` takes bytes. */
export const CMD = ['ctm_read', 'ctm_write', 'emem_read', 'emem_add32', 'emem_add64'] as const;
/** `word`: all of the register. `high`: its upper half only. `ones`: the rest are ones. */
export const IMMED = ['word', 'byte1', 'half1', 'high', 'ones'] as const;
const CSR = ['lm_addr0', 'lm_addr3'] as const;

export const FNS = {
  nop: [''], immed: IMMED, alu: ALU, shf: SHF, ld_field: ['keep', 'clear'], mul: MUL, br: BR,
  cmd: CMD, csr_wr: CSR, call: ['fw'], rtn: [''],
} as const satisfies Record<Op, readonly string[]>; // prettier-ignore
export type Fn<O extends Op> = (typeof FNS)[O][number];

/** Registers: halves of r0 to r10, then these. */
export const IMM_A = 22;
export const IMM_B = 23;
/** Where the packet is and how long; where it may begin at the earliest. */
export const PKT = 24;
export const PLEN = 25;
export const PKT_MIN = 26;
/** Upper half of every address. */
export const BASE = 27;
/** Lowest byte of the stack. */
export const STACK = 28;
export const ACTION = 29;
export const GPRS = 32;
/** What commands bring and take. */
export const XFER_IN = 32;
export const XFER_OUT = 64;
/** Upper half of what commands bring: the packet cache. */
export const CACHE = XFER_IN + 16;
export const REGISTERS = 96;
export const L0 = 128;
export const L3 = 144;
export const NONE = 255;
const CONSTANT = 256;
export const MAX_CONSTANT = 0xff;
export const constant = (value: number): number => {
  if (value < 0 || value > MAX_CONSTANT) throw new Bug(`${value} is no operand`);
  return CONSTANT + value;
};
export const isConstant = (operand: number): boolean => operand >= CONSTANT;
export const lo = (register: number): number => 2 * register;
export const hi = (register: number): number => 2 * register + 1;

export interface NfpInsn {
  readonly op: Op;
  /** Index into FNS[op]. */
  readonly fn: number;
  readonly dst: number;
  readonly a: number;
  readonly b: number;
  /** Bits to shift, byte mask, or bytes of a command. */
  readonly k: number;
  /** Constant, target of a branch, or slot whose helper is called. */
  readonly imm: number;
}

export function encode(insns: readonly NfpInsn[]): Uint8Array {
  const bytes = new Uint8Array(insns.length * 8);
  const view = new DataView(bytes.buffer);
  insns.forEach(({ op, fn, dst, a, b, k, imm }, i) => {
    const word =
      (BigInt(OPS.indexOf(op)) << 60n) | (BigInt(fn) << 55n) | (BigInt(dst) << 46n) |
      (BigInt(a) << 37n) | (BigInt(b) << 28n) | (BigInt(k) << 20n) | (BigInt(imm) << 4n); // prettier-ignore
    view.setBigUint64(8 * i, word, true);
  });
  return bytes;
}

export function decode(bytes: Uint8Array): NfpInsn[] {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  return Array.from({ length: bytes.length / 8 }, (_, i) => {
    const word = view.getBigUint64(8 * i, true);
    const field = (shift: bigint, bits: number): number =>
      Number((word >> shift) & ((1n << BigInt(bits)) - 1n));
    return {
      op: OPS[field(60n, 4)]!,
      fn: field(55n, 5),
      dst: field(46n, 9),
      a: field(37n, 9),
      b: field(28n, 9),
      k: field(20n, 8),
      imm: field(4n, 16),
    };
  });
}

const NAMES: Readonly<Record<number, string>> = {
  [IMM_A]: 'imm_a', [IMM_B]: 'imm_b', [PKT]: 'pkt', [PLEN]: 'plen', [PKT_MIN]: 'pkt_min',
  [BASE]: 'base', [STACK]: 'stack', [ACTION]: 'action', [NONE]: '--',
}; // prettier-ignore

function operandText(operand: number): string {
  if (isConstant(operand)) return `0x${(operand - CONSTANT).toString(16)}`;
  const name = NAMES[operand];
  if (name !== undefined) return name;
  if (operand >= L3) return `*l3[${operand - L3}]`;
  if (operand >= L0) return `*l0[${operand - L0}]`;
  if (operand >= XFER_OUT) return `$out${operand - XFER_OUT}`;
  if (operand >= XFER_IN) return `$in${operand - XFER_IN}`;
  return `r${operand >> 1}.${operand & 1 ? 'hi' : 'lo'}`;
}

const hex = (value: number): string => `0x${value.toString(16)}`;

/** One instruction as the listing shows it, in the style of the NFP's assembler. */
export function text(insn: NfpInsn, helper: (slot: number) => string): string {
  const { op, fn, k, imm } = insn;
  const [dst, a, b] = [insn.dst, insn.a, insn.b].map(operandText);
  const name: string = FNS[op][fn]!;
  switch (op) {
    case 'nop':
    case 'rtn':
      return op;
    case 'immed':
      return `immed[${dst}, ${hex(imm)}${name === 'word' ? '' : `, ${name}`}]`;
    case 'alu':
      return `alu[${dst}, ${a}, ${name}, ${b}]`;
    case 'shf':
      return `alu_shf[${dst}, ${a}, ${b}, ${name}${name.endsWith('ind') ? '' : k}]`;
    case 'ld_field':
      return `ld_field${name === 'clear' ? '_w_clr' : ''}[${dst}, ${(k & 15).toString(2).padStart(4, '0')}, ${b}, >>rot${(k >> 4) * 8}]`;
    case 'mul':
      return `mul_step[${dst}, ${a}, ${b}, ${name}]`;
    case 'br':
      return `br${name === 'unc' ? '' : `_${name}`}[${imm}]`;
    case 'cmd':
      return `mem[${name}, ${dst}, ${a}, ${b}, ${k}], ctx_swap`;
    case 'csr_wr':
      return `local_csr_wr[${name}, ${a}]`;
    case 'call':
      return `br[fw ${helper(imm)}]`;
  }
} // prettier-ignore
