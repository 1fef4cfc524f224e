/**
 * Instructions as text, in the syntax of the kernel's verifier log and of
 * `bpftool prog dump xlated`: `(7b) *(u64 *)(r10 -8) = r1`.
 *
 *   disasmInsn(insns, slot, names)   one instruction, without its slot number
 *   disasm(insns, names)             all, one entry an instruction
 *
 * Encodings that no instruction has print as far as they can be read, as in Linux: the verifier
 * shows an instruction before it refuses it.
 */
import { imm64At } from './codec.ts';
import type { Insn } from './insn.ts';
import type { AluOperation, Condition, IsaRow, RowOf } from './row.ts';
import { rowOf, rowsOfCode } from './table.ts';

/** What the text of calls and addresses is taken from. All may be left out. */
export interface DisasmNames {
  /** Full name, `bpf_map_lookup_elem`; default `unknown`. */
  readonly helper?: (id: number) => string | undefined;
  readonly kfunc?: (insn: Insn) => string | undefined;
  /** Text after `call pc` of a call between subprograms; default the signed distance. */
  readonly subprog?: (insn: Insn, slot: number) => string | undefined;
  /** Text of what a ld_imm64 loads; default its value in hex. */
  readonly imm64?: (value: bigint, insn: Insn, slot: number) => string | undefined;
  /** Linux 6.1 knows no v4 and prints its signed division and sign-extending moves as plain ones. */
  readonly level?: '6.1' | 'latest';
}

export const ALU_SIGN: Readonly<Record<AluOperation, string>> = {
  add: '+=',
  sub: '-=',
  mul: '*=',
  div: '/=',
  sdiv: 's/=',
  or: '|=',
  and: '&=',
  lsh: '<<=',
  rsh: '>>=',
  mod: '%=',
  smod: 's%=',
  xor: '^=',
  mov: '=',
  arsh: 's>>=',
};

export const CONDITION_SIGN: Readonly<Record<Condition, string>> = {
  eq: '==',
  ne: '!=',
  gt: '>',
  ge: '>=',
  lt: '<',
  le: '<=',
  sgt: 's>',
  sge: 's>=',
  slt: 's<',
  sle: 's<=',
  set: '&',
};

export const ATOMIC_SIGN = { add: '+=', or: '|=', and: '&=', xor: '^=' } as const;
const CLASS_NAMES = ['ld', 'ldx', 'st', 'stx', 'alu', 'jmp', 'jmp32', 'alu64'] as const;

/** `%+d` */
const signed = (value: number) => (value < 0 ? `${value}` : `+${value}`);
const hex = (value: number | bigint) => `0x${value.toString(16)}`;
const reg = (width: 32 | 64, number: number) => `${width === 32 ? 'w' : 'r'}${number}`;
const memory = (bytes: number, base: number, off: number, sign = 'u') =>
  `*(${sign}${bytes * 8} *)(r${base} ${signed(off)})`;

export function disasmInsn(insns: readonly Insn[], slot: number, names: DisasmNames = {}): string {
  const insn = insns[slot]!;
  const code = insn.code.toString(16).padStart(2, '0');
  const row = rowToPrint(insn, names);
  const text =
    row === undefined
      ? `BUG_${CLASS_NAMES[insn.code & 7]}_${code}`
      : operation(row, insns, insn, slot, names);
  return `(${code}) ${text}`;
}

/** All instructions; the second slots of ld_imm64 are no entries. */
export function disasm(
  insns: readonly Insn[],
  names: DisasmNames = {},
): { readonly slot: number; readonly text: string }[] {
  const lines = [];
  for (let slot = 0; slot < insns.length; slot++) {
    lines.push({ slot, text: disasmInsn(insns, slot, names) });
    if (rowOf(insns[slot]!)?.slots === 2) slot++;
  }
  return lines;
}

function rowToPrint(insn: Insn, names: DisasmNames): IsaRow | undefined {
  const row = rowOf(insn);
  if (row === undefined || (names.level === '6.1' && row.version === 'v4')) {
    const first = rowsOfCode(insn.code)[0];
    // An atomic is its imm: without a known one there is nothing to print.
    return first?.kind === 'atomic' ? row : first;
  }
  return row;
}

function operation(
  row: IsaRow,
  insns: readonly Insn[],
  insn: Insn,
  slot: number,
  names: DisasmNames,
): string {
  const { dst, src, off, imm } = insn;
  switch (row.kind) {
    case 'alu': {
      const operand = row.source === 'imm' ? `${imm}` : reg(row.width, src);
      return `${reg(row.width, dst)} ${ALU_SIGN[row.operation]} ${operand}`;
    }
    case 'neg':
      return `${reg(row.width, dst)} = -${reg(row.width, dst)}`;
    case 'movsx':
      return `${reg(row.width, dst)} = (s${row.bits})${reg(row.width, src)}`;
    case 'endian':
      return `r${dst} = ${row.order === 'swap' ? 'bswap' : row.order}${imm} r${dst}`;
    case 'ld_imm64': {
      const value = imm64At(insns, slot);
      return `r${dst} = ${names.imm64?.(value, insn, slot) ?? hex(value)}`;
    }
    case 'ld_packet': {
      const index = row.mode === 'ind' ? `r${src} + ${imm}` : `${imm}`;
      return `r0 = *(u${row.bytes * 8} *)skb[${index}]`;
    }
    case 'load':
      return `r${dst} = ${memory(row.bytes, src, off, row.signed ? 's' : 'u')}`;
    case 'store':
      return `${memory(row.bytes, dst, off)} = ${row.source === 'imm' ? imm : `r${src}`}`;
    case 'atomic':
      return atomicText(row, insn);
    case 'goto':
      return row.long ? `gotol pc${signed(imm)}` : `goto pc${signed(off)}`;
    case 'branch': {
      const operand = row.source === 'imm' ? hex(imm >>> 0) : reg(row.width, src);
      const left = reg(row.width, dst);
      return `if ${left} ${CONDITION_SIGN[row.condition]} ${operand} goto pc${signed(off)}`;
    }
    case 'call':
      return callText(row, insn, slot, names);
    case 'exit':
    case 'nospec':
      return row.kind;
  }
}

function atomicText(row: RowOf<'atomic'>, { dst, src, off }: Insn): string {
  const target = memory(row.bytes, dst, off);
  const { operation: what } = row;
  if (!row.fetch && what in ATOMIC_SIGN) {
    return `lock ${target} ${ATOMIC_SIGN[what as keyof typeof ATOMIC_SIGN]} r${src}`;
  }
  const prefix = row.bytes === 8 ? 'atomic64' : 'atomic';
  const address = target.slice(1);
  if (what === 'cmpxchg') return `r0 = ${prefix}_cmpxchg(${address}, r0, r${src})`;
  const verb = what === 'xchg' ? 'xchg' : `fetch_${what}`;
  return `r${src} = ${prefix}_${verb}(${address}, r${src})`;
}

function callText(row: RowOf<'call'>, insn: Insn, slot: number, names: DisasmNames): string {
  switch (row.target) {
    case 'subprog':
      return `call pc${names.subprog?.(insn, slot) ?? signed(insn.imm)}`;
    case 'kfunc':
      return `call ${names.kfunc?.(insn) ?? 'kernel-function'}#${insn.imm}`;
    case 'helper':
      return `call ${names.helper?.(insn.imm) ?? 'unknown'}#${insn.imm}`;
  }
}
