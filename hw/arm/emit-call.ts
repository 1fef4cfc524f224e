/** Machine code of calls and tail calls, as Linux 6.1's JIT writes it. */
import { uapi } from '../../bpf/uapi.ts';
import { BPF_ARRAY_VALUE, BpfMapStruct } from '../../kernel/types/bpf-map.ts';
import type { Lowered } from '../cpu/jit/lowered.ts';
import { PROGRAM_ENTRIES, PROGRAM_ENTRY_BYTES } from '../cpu/jit/text-space.ts';
import { Bug } from '../../kernel/types/units.ts';
import { INSN_BYTES, type ConditionCode } from './assembler.ts';
import type { FunctionCode } from './function-code.ts';
import { ARM_OF_BPF, TAIL_CALLS, TMP1, TMP2, X0, X7, ZR } from './registers.ts';

/** Addresses of the image's functions, which are known when all have their sizes. */
export interface Outside {
  addressOf(subprog: number): bigint;
}

export function emitCall(f: FunctionCode, item: Lowered, outside: Outside): void {
  const { symbol, callee, tailCall } = item;
  if (tailCall !== undefined) return emitTailCall(f);
  f.movAddress(TMP1, symbol?.address ?? outside.addressOf(callee!));
  f.blr(TMP1);
  f.mov(64, X7, X0);
}

/** Instructions of a tail call but for those that drop the stack. */
const WORDS = 20;

/**
 * x0 ctx, x1 prog_array, x2 index. Where map and index are known, too: only x86 patches such calls.
 *
 * differs: a slot of a program array holds an id, not a struct bpf_prog to read bpf_func from. So
 * programs are entered by a table of entries in code, by id, whose base is put into a register.
 */
function emitTailCall(f: FunctionCode): void {
  const [map, index] = [ARM_OF_BPF[2]!, ARM_OF_BPF[3]!];
  // Its size depends on the stack's only.
  const out = f.length + INSN_BYTES * (WORDS + f.dropStackWords);
  const leave = (condition: ConditionCode): void => f.bCond(condition, out - f.length);
  f.movImm64(TMP1, BigInt(BpfMapStruct.offsets.max_entries));
  f.loadIndexed(4, false, TMP1, map, TMP1);
  f.mov(32, index, index);
  f.alu('subs', 32, ZR, index, TMP1);
  leave('cs');
  f.movImm64(TMP1, BigInt(uapi.MAX_TAIL_CALL_CNT));
  f.alu('subs', 64, ZR, TAIL_CALLS, TMP1);
  leave('cs');
  f.addSubImm('add', 64, TAIL_CALLS, TAIL_CALLS, 1);
  f.movImm64(TMP1, BigInt(BPF_ARRAY_VALUE));
  f.alu('add', 64, TMP1, map, TMP1);
  f.shiftImm('lsl', 64, TMP2, index, 3);
  f.loadIndexed(8, false, TMP2, TMP1, TMP2);
  f.cb('cbz', 64, TMP2, out - f.length);
  f.movAddress(TMP1, PROGRAM_ENTRIES);
  f.shiftImm('lsl', 64, TMP2, TMP2, Math.log2(PROGRAM_ENTRY_BYTES));
  f.alu('add', 64, TMP1, TMP1, TMP2);
  f.dropStack();
  f.br(TMP1);
  if (f.length !== out) throw new Bug('a tail call of another size');
}
