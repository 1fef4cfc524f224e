/** Machine code of calls and tail calls, as Linux 6.1's JIT writes it. */
import { uapi } from '../../bpf/uapi.ts';
import { BPF_ARRAY_VALUE, BpfMapStruct } from '../../kernel/types/bpf-map.ts';
import { LONG_JUMP_BYTES } from './assembler.ts';
import type { Outside } from './emit.ts';
import type { FunctionCode } from './function-code.ts';
import type { Lowered } from '../cpu/jit/lowered.ts';
import { R11, RAX, RBP, RCX, RDX, RSI } from './registers.ts';

export function emitCall(f: FunctionCode, item: Lowered, outside: Outside): void {
  const { symbol, callee, tailCall } = item;
  if (tailCall !== undefined) {
    if (tailCall.slotAt !== undefined) directTailCall(f, tailCall.slotAt);
    else indirectTailCall(f, outside);
    return;
  }
  f.loadTailCallCount();
  const target = symbol !== undefined ? symbol.address : { subprog: callee! };
  f.call(outside.distanceTo(target, f.length + LONG_JUMP_BYTES));
}

/** Leave for `out` when the calls are used up; count this one. */
function countTailCall(f: FunctionCode): number {
  f.loadFar(32, RAX, RBP, f.tailCallCountAt);
  f.aluImm('cmp', 32, RAX, uapi.MAX_TAIL_CALL_CNT);
  const out = f.ahead('ae');
  f.aluImm('add', 32, RAX, 1);
  f.storeFar(32, RBP, f.tailCallCountAt, RAX);
  return out;
}

/**
 * rdi ctx, rsi prog_array, rdx index.
 *
 * differs: a slot of a program array holds an id, not a struct bpf_prog to read bpf_func from. So
 * programs are entered by a table of entries in code, by id, whose base r11 is given.
 */
function indirectTailCall(f: FunctionCode, { programEntries }: Outside): void {
  f.mov(32, RDX, RDX);
  f.cmpMemory(RSI, BpfMapStruct.offsets.max_entries, RDX);
  const outOfRange = f.ahead('be');
  const usedUp = countTailCall(f);
  f.loadIndexed(RCX, RSI, RDX, BPF_ARRAY_VALUE);
  f.test(64, RCX, RCX);
  const isEmpty = f.ahead('e');
  f.dropFrame();
  f.movabs(R11, programEntries);
  f.leaIndexed(RCX, R11, RCX, 0);
  f.jmpRegister(RCX);
  for (const from of [outOfRange, usedUp, isEmpty]) f.land(from);
}

/** Starts as for an empty slot; the image is patched before it runs (Poke in image.ts). */
function directTailCall(f: FunctionCode, slotAt: number): void {
  const usedUp = countTailCall(f);
  const bypassAt = f.length;
  f.jmp(0, false);
  const frameAt = f.length;
  f.dropFrame();
  const jumpAt = f.length;
  f.nop5();
  f.land(usedUp);
  f.patch(bypassAt + 1, f.length - frameAt);
  f.pokes.push({ bypassAt, jumpAt, slotAt });
}
