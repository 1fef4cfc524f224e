/** Machine code of loads, stores and atomics, as Linux's JIT writes it. */
import type { AtomicOperation, RowOf } from '../../bpf/isa/row.ts';
import type { AluOp } from './assembler.ts';
import type { FunctionCode } from './function-code.ts';
import { R10, R11, RAX } from './registers.ts';

/** Where user addresses end on x86-64 with 4-level page tables (TASK_SIZE_MAX + PAGE_SIZE). */
export const USER_LIMIT = 0x7fff_ffff_f000n + 0x1000n;

export function emitLoad(
  f: FunctionCode,
  row: RowOf<'load'>,
  dst: number,
  base: number,
  off: number,
): void {
  if (!row.probe) return f.load(row.bytes, row.signed, dst, base, off);
  // A user address would be readable, so it is refused here: below the limit (by |off| more, for a
  // negative offset, which Linux's verifier never lets through), or wrapping around to small
  // numbers. What faults otherwise, the exception table answers with 0.
  f.movabs(R11, f.shape.lowestKernelAddress + BigInt(Math.abs(off)));
  f.alu('cmp', 64, base, R11);
  const isUser = off < 0 ? undefined : f.ahead('b');
  if (isUser !== undefined) {
    f.mov(64, R11, base);
    f.aluImm32('add', 64, R11, off);
  }
  const isKernel = f.ahead('ae');
  if (isUser !== undefined) f.land(isUser);
  f.alu('xor', 32, dst, dst);
  const done = f.ahead('always');
  f.land(isKernel);
  f.exceptions.push({ at: f.length, register: dst });
  f.load(row.bytes, row.signed, dst, base, off);
  f.land(done);
}

export function emitStore(
  f: FunctionCode,
  row: RowOf<'store'>,
  base: number,
  src: number,
  off: number,
  imm: number,
): void {
  if (row.source === 'imm') f.storeImm(row.bytes, base, off, imm);
  else f.store(row.bytes, base, off, src);
}

type Simple = Exclude<AtomicOperation, 'xchg' | 'cmpxchg'>;
const ALU: Readonly<Record<Simple, AluOp>> = { add: 'add', or: 'or', and: 'and', xor: 'xor' };

export function emitAtomic(
  f: FunctionCode,
  row: RowOf<'atomic'>,
  base: number,
  src: number,
  off: number,
): void {
  const width = row.bytes === 8 ? 64 : 32;
  switch (row.operation) {
    case 'xchg':
      return f.lockXchg(width, base, off, src);
    case 'cmpxchg':
      return f.lockCmpxchg(width, base, off, src);
    case 'add':
      if (row.fetch) return f.lockXadd(width, base, off, src);
      return f.lockAlu('add', width, base, off, src);
    default:
      if (!row.fetch) return f.lockAlu(ALU[row.operation], width, base, off, src);
      return fetchLoop(f, ALU[row.operation], row.bytes, base, src, off);
  }
}

/** No instruction fetches and ors: a loop around cmpxchg, which wants the old value in rax. */
function fetchLoop(
  f: FunctionCode,
  op: AluOp,
  bytes: 4 | 8,
  base: number,
  src: number,
  off: number,
): void {
  const width = bytes === 8 ? 64 : 32;
  const kept = (register: number): number => (register === RAX ? R10 : register);
  f.mov(64, R10, RAX);
  const again = f.length;
  f.load(bytes, false, RAX, kept(base), off);
  f.mov(width, R11, RAX);
  f.alu(op, width, R11, kept(src));
  f.lockCmpxchg(width, kept(base), off, R11);
  f.jcc('ne', again - (f.length + 2), true);
  f.mov(width, kept(src), RAX);
  f.mov(64, RAX, R10);
}
