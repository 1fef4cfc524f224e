/**
 * Code that notes what a run does in the trace buffer (bpf/trace-buffer.ts), put between the
 * program's own.
 */
import { HELPER_TAIL_CALL } from '../calls.ts';
import type { IsaRow } from '../isa/row.ts';
import { rowOf } from '../isa/table.ts';
import type { PointerKind, VerifiedProgram } from '../program.ts';
import {
  TRACE_ACCESS,
  TRACE_BLOCK,
  TRACE_CALL,
  TRACE_KIND_SHIFT,
  type TraceBuffer,
} from '../trace-buffer.ts';
import { I32 } from './code-writer.ts';
import type { FunctionCode } from './frame.ts';
import type { AroundEach } from './function.ts';
import type { Shape } from './shape.ts';

export interface TraceOptions {
  /** Note the address of accesses to packets, map values and what else may miss a cache. */
  readonly accesses?: boolean;
  /** Note what helpers return. */
  readonly calls?: boolean;
}

/** Never far from the code's own stack and context: not noted. */
const ALWAYS_NEAR: readonly (PointerKind | undefined)[] = ['stack', 'ctx'];

export function tracing(
  buffer: TraceBuffer,
  program: VerifiedProgram,
  shapes: readonly Shape[],
  { accesses = false, calls = false }: TraceOptions,
): AroundEach {
  const base = buffer.add(program);
  const leaders = new Set(shapes.flatMap(({ cfg }) => cfg.blocks.map(({ slots }) => slots[0]!)));
  const locals = new WeakMap<FunctionCode, Locals>();
  const event = (f: FunctionCode, kind: number, slot: number, pushSecond?: () => void): void => {
    const own = locals.get(f) ?? { count: f.local('i32'), second: f.local('i32') };
    locals.set(f, own);
    note(buffer, f, own, (kind << TRACE_KIND_SHIFT) | (base + slot), pushSecond);
  };
  return {
    before(slot, f) {
      if (leaders.has(slot)) event(f, TRACE_BLOCK, slot);
      if (!accesses || ALWAYS_NEAR.includes(program.facts[slot]?.pointer)) return;
      const insn = program.insns[slot]!;
      const row = rowOf(insn)!;
      const register = row.kind === 'load' ? insn.src : insn.dst;
      if (row.kind !== 'load' && row.kind !== 'store' && row.kind !== 'atomic') return;
      event(f, TRACE_ACCESS, slot, () => {
        f.get32(register);
        f.i32(insn.off);
        f.op(I32.add);
      });
    },
    after(slot, f) {
      const row = rowOf(program.insns[slot]!)!;
      if (!calls || !returnsFromHelper(program, slot, row)) return;
      event(f, TRACE_CALL, slot, () => f.get32(0));
    },
  };
}

const returnsFromHelper = (program: VerifiedProgram, slot: number, row: IsaRow): boolean =>
  row.kind === 'call' && row.target === 'helper' && program.insns[slot]!.imm !== HELPER_TAIL_CALL;

/** The locals of the code of one function: the count, and the event's second word. */
interface Locals {
  readonly count: number;
  readonly second: number;
}

/** @param pushSecond pushes the event's second word, an i32 */
function note(
  { countAt, base, mask }: TraceBuffer,
  f: FunctionCode,
  { count, second }: Locals,
  word: number,
  pushSecond?: () => void,
): void {
  if (pushSecond) {
    pushSecond();
    f.localSet(second);
  }
  f.i32(countAt);
  f.i32(countAt);
  f.memory(I32.load, 0);
  f.localTee(count);
  f.i32(pushSecond ? 8 : 4);
  f.op(I32.add);
  f.memory(I32.store, 0);
  f.localGet(count);
  f.i32(mask);
  f.op(I32.and);
  f.localTee(count);
  f.i32(word);
  f.memory(I32.store, base);
  if (!pushSecond) return;
  f.localGet(count);
  f.localGet(second);
  f.memory(I32.store, base + 4);
}
