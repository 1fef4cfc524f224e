/**
 * WASM for loads, stores and atomics. The verifier proved that they stay in their object, so there
 * is no check; WASM's own bounds keep even a wrong proof inside the machine's RAM. Loads through
 * BTF pointers (`probe`) do check, and yield 0. The machine's CPUs interleave, they do not run at
 * once, so an atomic is a load and a store.
 */
import { KERNEL_BASE, NULL_GUARD_BYTES } from '../../kernel/ram/ram.ts';
import type { AtomicOperation, RowOf } from '../isa/row.ts';
import type { Insn } from '../isa/insn.ts';
import type { Expr, WasmModule } from './binaryen.ts';
import { LOCALS, type Address, type FrameExpressions } from './frame.ts';

/** Alignment is a hint in WASM; BPF promises none. */
const ALIGN = 1;

function loadAt({ i64 }: WasmModule, row: RowOf<'load'>, { base, offset }: Address): Expr {
  switch (row.bytes) {
    case 1:
      return row.signed ? i64.load8_s(offset, ALIGN, base) : i64.load8_u(offset, ALIGN, base);
    case 2:
      return row.signed ? i64.load16_s(offset, ALIGN, base) : i64.load16_u(offset, ALIGN, base);
    case 4:
      return row.signed ? i64.load32_s(offset, ALIGN, base) : i64.load32_u(offset, ALIGN, base);
    case 8:
      return i64.load(offset, ALIGN, base);
  }
}

function storeAt(m: WasmModule, bytes: 1 | 2 | 4 | 8, to: Address, value: Expr): Expr {
  switch (bytes) {
    case 1:
      return m.i64.store8(to.offset, ALIGN, to.base, value);
    case 2:
      return m.i64.store16(to.offset, ALIGN, to.base, value);
    case 4:
      return m.i64.store32(to.offset, ALIGN, to.base, value);
    case 8:
      return m.i64.store(to.offset, ALIGN, to.base, value);
  }
}

export function emitLoad(
  f: FrameExpressions,
  row: RowOf<'load'>,
  insn: Insn,
  ramBytes: number,
): Expr[] {
  if (!row.probe) return [f.set(insn.dst, loadAt(f.m, row, f.source(insn)))];
  const { i32, i64, local } = f.m;
  const offset = i64.add(f.get(insn.src), i64.const(BigInt(insn.off) - KERNEL_BASE));
  const guard = BigInt(NULL_GUARD_BYTES);
  const isRam = i64.le_u(
    i64.sub(f.i64Temp(), i64.const(guard)),
    i64.const(BigInt(ramBytes - row.bytes) - guard),
  );
  const value = loadAt(f.m, row, { base: i32.wrap(f.i64Temp()), offset: 0 });
  return [local.set(LOCALS.i64, offset), f.set(insn.dst, f.m.if(isRam, value, i64.const(0n)))];
}

export function emitStore(f: FrameExpressions, row: RowOf<'store'>, insn: Insn): Expr {
  const value = row.source === 'imm' ? f.m.i64.const(BigInt(insn.imm)) : f.get(insn.src);
  return storeAt(f.m, row.bytes, f.destination(insn), value);
}

type Update = (m: WasmModule, old: Expr, operand: Expr) => Expr;

const UPDATE: Record<Exclude<AtomicOperation, 'cmpxchg'>, Update> = {
  add: ({ i64 }, old, operand) => i64.add(old, operand),
  or: ({ i64 }, old, operand) => i64.or(old, operand),
  and: ({ i64 }, old, operand) => i64.and(old, operand),
  xor: ({ i64 }, old, operand) => i64.xor(old, operand),
  xchg: (_, __, operand) => operand,
};

/** 32-bit values are loaded zero-extended, which is also how `fetch` returns them. */
export function emitAtomic(f: FrameExpressions, row: RowOf<'atomic'>, insn: Insn): Expr[] {
  const { i64, local } = f.m;
  const at = (): Address => f.destination(insn);
  const load = (): Expr =>
    row.bytes === 8
      ? i64.load(at().offset, ALIGN, at().base)
      : i64.load32_u(at().offset, ALIGN, at().base);
  if (row.operation === 'cmpxchg') {
    const expected = row.bytes === 8 ? f.get(0) : i64.extend_u(f.get32(0));
    return [
      local.set(LOCALS.i64, load()),
      f.m.if(i64.eq(f.i64Temp(), expected), storeAt(f.m, row.bytes, at(), f.get(insn.src))),
      f.set(0, f.i64Temp()),
    ];
  }
  const update = UPDATE[row.operation];
  if (!row.fetch) {
    return [storeAt(f.m, row.bytes, at(), update(f.m, load(), f.get(insn.src)))];
  }
  return [
    local.set(LOCALS.i64, load()),
    storeAt(f.m, row.bytes, at(), update(f.m, f.i64Temp(), f.get(insn.src))),
    f.set(insn.src, f.i64Temp()),
  ];
}
