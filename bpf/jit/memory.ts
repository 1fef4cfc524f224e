/**
 * WASM for loads, stores and atomics. The verifier proved that they stay in their object, so there
 * is no check; WASM's own bounds keep even a wrong proof inside the machine's RAM. Loads through
 * BTF pointers (`probe`) do check, and yield 0. The machine's CPUs interleave, they do not run at
 * once, so an atomic is a load and a store.
 *
 * differs: an access below 64 KiB, through NULL, is a fault in Linux and in the interpreter; here it
 * reads or writes memory that nobody uses. No program that the verifier accepts makes one.
 */
import { KERNEL_BASE, NULL_GUARD_BYTES } from '../../kernel/ram/ram.ts';
import type { RowOf } from '../isa/row.ts';
import type { Insn } from '../isa/insn.ts';
import { I32, I64 } from './code-writer.ts';
import type { FunctionCode } from './frame.ts';

const LOAD = { 1: I64.load8_u, 2: I64.load16_u, 4: I64.load32_u, 8: I64.load } as const;
const SIGNED_LOAD = { 1: I64.load8_s, 2: I64.load16_s, 4: I64.load32_s, 8: I64.load } as const;
const STORE = { 1: I64.store8, 2: I64.store16, 4: I64.store32, 8: I64.store } as const;

export function emitLoad(f: FunctionCode, row: RowOf<'load'>, insn: Insn, ramBytes: number): void {
  const { dst, src, off } = insn;
  const load = (row.signed ? SIGNED_LOAD : LOAD)[row.bytes];
  if (row.probe) {
    pushProbed(f, load, insn, BigInt(ramBytes - row.bytes));
  } else {
    f.memory(load, f.address(src, off));
  }
  f.set(dst);
}

function pushProbed(f: FunctionCode, load: number, { src, off }: Insn, last: bigint): void {
  const offset = f.temporary('i64');
  const guard = BigInt(NULL_GUARD_BYTES);
  f.get(src);
  f.i64(BigInt(off) - KERNEL_BASE);
  f.op(I64.add);
  f.localTee(offset);
  f.i64(guard);
  f.op(I64.sub);
  f.i64(last - guard);
  f.op(I64.le_u);
  f.if('i64');
  f.localGet(offset);
  f.op(I32.wrap);
  f.memory(load, 0);
  f.else();
  f.i64(0n);
  f.end();
}

export function emitStore(f: FunctionCode, row: RowOf<'store'>, insn: Insn): void {
  const offset = f.address(insn.dst, insn.off);
  if (row.source === 'imm') f.i64(BigInt(insn.imm));
  else f.get(insn.src);
  f.memory(STORE[row.bytes], offset);
}

/** 32-bit values are loaded zero-extended, which is also how `fetch` returns them. */
export function emitAtomic(f: FunctionCode, row: RowOf<'atomic'>, insn: Insn): void {
  const { dst, src, off } = insn;
  const old = f.temporary('i64');
  f.memory(LOAD[row.bytes], f.address(dst, off));
  f.localSet(old);
  if (row.operation === 'cmpxchg') {
    emitCompareExchange(f, row, insn, old);
    return;
  }
  const offset = f.address(dst, off);
  if (row.operation === 'xchg') {
    f.get(src);
  } else {
    f.localGet(old);
    f.get(src);
    f.op(I64[row.operation]);
  }
  f.memory(STORE[row.bytes], offset);
  if (!row.fetch) return;
  f.localGet(old);
  f.set(src);
}

function emitCompareExchange(
  f: FunctionCode,
  { bytes }: RowOf<'atomic'>,
  { dst, src, off }: Insn,
  old: number,
): void {
  f.localGet(old);
  f.get(0);
  if (bytes === 4) {
    f.op(I32.wrap);
    f.op(I64.extend_u);
  }
  f.op(I64.eq);
  f.if();
  const offset = f.address(dst, off);
  f.get(src);
  f.memory(STORE[bytes], offset);
  f.end();
  f.localGet(old);
  f.set(0);
}
