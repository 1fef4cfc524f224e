/**
 * Instructions in LLVM's spelling, as `llvm-objdump -d --mcpu=v4` prints them and its assembler
 * takes them: `*(u64 *)(r10 - 0x8) = r1`. Numbers are hexadecimal, with their sign; what is loaded
 * or stored up to 32 bits wide is a w register, unless the processor is told to have none
 * (`llvm-objdump -d` alone).
 *
 *   llvmText(insns, slot)                       one instruction; `<unknown>` for what is none
 *   llvmText(insns, slot, { alu32: false })
 */
import { imm64At } from './codec.ts';
import type { Insn } from './insn.ts';
import { ALU_SIGN, ATOMIC_SIGN, CONDITION_SIGN } from './disasm.ts';
import type { RowOf } from './row.ts';
import { rowOf } from './table.ts';

export interface LlvmSpelling {
  /** LLVM's feature of that name: loads and stores of up to 32 bits use w registers. */
  readonly alu32: boolean;
}

export function llvmText(
  insns: readonly Insn[],
  slot: number,
  { alu32 }: LlvmSpelling = { alu32: true },
): string {
  const held = (bytes: number, number: number) => reg(bytes < 8 && alu32 ? 32 : 64, number);
  const insn = insns[slot]!;
  const { dst, src, off, imm } = insn;
  const row = rowOf(insn);
  switch (row?.kind) {
    case 'alu': {
      const operand = row.source === 'imm' ? hex(imm) : reg(row.width, src);
      return `${reg(row.width, dst)} ${ALU_SIGN[row.operation]} ${operand}`;
    }
    case 'neg':
      return `${reg(row.width, dst)} = -${reg(row.width, dst)}`;
    case 'movsx':
      return `${reg(row.width, dst)} = (s${row.bits})${reg(row.width, src)}`;
    case 'endian':
      return `r${dst} = ${row.order === 'swap' ? 'bswap' : row.order}${imm} r${dst}`;
    case 'ld_imm64': {
      // LLVM shows the lower half of what the loader fills in.
      if (src !== 0) return `ld_pseudo\tr${dst}, ${hex(src)}, ${hex(imm)}`;
      return `r${dst} = ${hex(BigInt.asIntN(64, imm64At(insns, slot)))} ll`;
    }
    case 'ld_packet':
      return `r0 = *(u${row.bytes * 8} *)skb[${row.mode === 'ind' ? `r${src}` : hex(imm)}]`;
    case 'load':
      return `${row.signed ? reg(64, dst) : held(row.bytes, dst)} = *(${row.signed ? 's' : 'u'}${row.bytes * 8} *)${place(src, off)}`;
    case 'store': {
      const value = row.source === 'imm' ? hex(imm) : held(row.bytes, src);
      return `*(u${row.bytes * 8} *)${place(dst, off)} = ${value}`;
    }
    case 'atomic':
      return atomicText(row, insn, alu32);
    case 'goto':
      return row.long ? `gotol ${distance(imm)}` : `goto ${distance(off)}`;
    case 'branch': {
      const operand = row.source === 'imm' ? hex(imm) : reg(row.width, src);
      const left = reg(row.width, dst);
      return `if ${left} ${CONDITION_SIGN[row.condition]} ${operand} goto ${distance(off)}`;
    }
    case 'call':
      return `call ${hex(imm)}`;
    case 'exit':
      return 'exit';
    default:
      return '<unknown>';
  }
}

const reg = (width: 32 | 64, number: number) => `${width === 32 ? 'w' : 'r'}${number}`;
const hex = (value: number | bigint) =>
  value < 0 ? `-0x${(-value).toString(16)}` : `0x${value.toString(16)}`;
const distance = (slots: number) => (slots < 0 ? hex(slots) : `+${hex(slots)}`);
const place = (base: number, off: number) =>
  `(r${base} ${off < 0 ? '-' : '+'} ${hex(Math.abs(off))})`;

function atomicText(row: RowOf<'atomic'>, { dst, src, off }: Insn, alu32: boolean): string {
  const { operation, fetch, bytes } = row;
  const value = (number: number) => reg(bytes === 4 ? 32 : 64, number);
  // Without w registers LLVM 19 knows only the oldest one of 32 bits, and takes a fetch for it.
  if (bytes === 4 && !alu32) {
    return operation === 'add' ? `lock *(u32 *)${place(dst, off)} += r${src}` : '<unknown>';
  }
  if (!fetch && operation in ATOMIC_SIGN) {
    const sign = ATOMIC_SIGN[operation as keyof typeof ATOMIC_SIGN];
    return `lock *(u${bytes * 8} *)${place(dst, off)} ${sign} ${value(src)}`;
  }
  const suffix = bytes === 8 ? '_64' : '32_32';
  // Without the brackets that name a place in memory elsewhere.
  const address = place(dst, off).slice(1, -1);
  if (operation === 'cmpxchg') {
    return `${value(0)} = cmpxchg${suffix}(${address}, ${value(0)}, ${value(src)})`;
  }
  if (operation === 'xchg') return `${value(src)} = xchg${suffix}(${address}, ${value(src)})`;
  const call = `atomic_fetch_${operation}((u${bytes * 8} *)${place(dst, off)}, ${value(src)})`;
  return `${value(src)} = ${call}`;
}
