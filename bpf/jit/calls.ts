/**
 * WASM for calls of helpers.
 *
 * A helper is an import: a function of the C core, called WASM-to-WASM, where its row names one,
 * JavaScript else. Offsets and sizes cross as i32, since a BigInt costs an allocation. Tail calls go
 * through the table that all programs of a machine share.
 */
import { errno } from '../../kernel/types/errno.ts';
import { BPF_ARRAY_VALUE, BpfMapStruct } from '../../kernel/types/bpf-map.ts';
import { Bug } from '../../kernel/types/units.ts';
import { HELPER_TAIL_CALL, helperOfCall, kfuncOfCall } from '../calls.ts';
import type { Executable } from '../engine.ts';
import type { EngineState } from '../engine-state.ts';
import type { HelperImplementation } from '../helpers/helper.ts';
import type { VerifiedProgram } from '../program.ts';
import type { BpfRuntime } from '../runtime.ts';
import { uapi } from '../uapi.ts';
import { I32, I64, type ValueType } from './code-writer.ts';
import type { FunctionCode } from './frame.ts';
import { inlinedHelper } from './inline.ts';
import type { ModuleWriter } from './module-writer.ts';
import { CACHE_ENTRIES, CACHE_ENTRY_BYTES, ENTRY } from './program-table.ts';
import type { Shape } from './shape.ts';

/** What the code of one program may refer to. */
export interface CodeContext {
  readonly program: VerifiedProgram;
  readonly runtime: BpfRuntime;
  readonly state: EngineState;
  readonly module: ModuleWriter;
  /** One a subprogram; subprogram n is the module's own function n. */
  readonly shapes: readonly Shape[];
  /** The host's WASM has tail calls; without them they nest, 33 deep at most. */
  readonly hasTailCalls: boolean;
  readonly inline: boolean;
  /** Import that a call of the subprogram goes through, where something is attached to it. */
  readonly patchOf: (subprog: number) => number | undefined;
  /**
   * Set when code is made that calls what may run another program, call back, or ask who runs. A
   * program without such calls needs no stack reserved and need not be known as the running one.
   */
  callsOut: boolean;
}

/** @param before slots of the block up to the call, where its arguments were made */
export function emitHelper(
  c: CodeContext,
  f: FunctionCode,
  slot: number,
  before: readonly number[],
): void {
  if (c.program.insns[slot]!.imm === HELPER_TAIL_CALL) return emitTailCall(c, f, slot);
  const helper = helperOfCall(c.program, slot);
  if (c.inline && inlinedHelper(c, f, helper?.name, { slot, before })) return;
  if (helper?.implementation === undefined) {
    f.setConstant(0, BigInt(-errno.EOPNOTSUPP));
    return;
  }
  const returnsInt = c.program.facts[slot]!.returnsInt ?? false;
  emitHelperCall(c, f, `bpf_${helper.proto}`, helper.implementation, returnsInt);
}

export function emitKfunc(c: CodeContext, f: FunctionCode, slot: number): void {
  const kfunc = kfuncOfCall(c.program, slot);
  if (kfunc === undefined) throw new Bug('refused before compiling');
  emitHelperCall(c, f, c.program.facts[slot]!.kfunc!, kfunc.how, kfunc.returnsInt);
}

const TYPES: Readonly<Record<HelperImplementation['returns'], readonly ValueType[]>> = {
  i32: ['i32'],
  i64: ['i64'],
  pointer: ['i32'],
  void: [],
};

function emitHelperCall(
  c: CodeContext,
  f: FunctionCode,
  name: string,
  implementation: HelperImplementation,
  returnsInt: boolean,
): void {
  const { runtime, module } = c;
  const { pass, returns, native } = implementation;
  c.callsOut = true;
  const func = module.importFunction(name, { params: pass, results: TYPES[returns] }, () =>
    native === undefined ? implementation.bind(runtime) : runtime.core.exports[native],
  );
  pass.forEach((passing, i) => (passing === 'i32' ? f.get32(i + 1) : f.get(i + 1)));
  f.callImport(func);
  switch (returns) {
    case 'i32':
      f.op(returnsInt ? I64.extend_u : I64.extend_s);
      return f.set(0);
    case 'i64':
      return f.set(0);
    case 'pointer':
      return f.setPointer();
    case 'void':
      return f.setConstant(0, 0n);
  }
}

/** What `tail_call_target` says besides a table index. */
const EMPTY_SLOT = -1;
/** The program runs in another engine: call it through `tail_call_enter`. */
const OTHER_ENGINE = -2;

/** r1 ctx, r2 prog_array, r3 index. What cannot be called is passed over (bpf_tail_call(2)). */
function emitTailCall(c: CodeContext, f: FunctionCode, slot: number): void {
  const { map } = c.program.facts[slot] ?? {};
  c.callsOut = true;
  const id = f.temporary('i32');
  const out = f.block();
  f.get32(3);
  if (map !== undefined) {
    f.i32(map.spec.maxEntries);
  } else {
    f.get32(2);
    f.memory(I32.load, BpfMapStruct.offsets.max_entries);
  }
  f.op(I32.ge_u);
  f.brIf(out);
  f.tailCalls();
  f.i32(uapi.MAX_TAIL_CALL_CNT);
  f.op(I32.ge_u);
  f.brIf(out);
  // An empty slot uses up a call too, as in Linux's interpreter and JITs.
  f.tailCalls();
  f.i32(1);
  f.op(I32.add);
  f.localSet(f.tailCallsLocal);
  f.get32(3);
  f.i32(3);
  f.op(I32.shl);
  f.get32(2);
  f.op(I32.add);
  f.memory(I32.load, BPF_ARRAY_VALUE);
  f.localTee(id);
  f.op(I32.eqz);
  f.brIf(out);
  emitEnter(c, f, id);
  f.end();
}

/** Leave for the program with that id: by the cache of ProgramTable, or asking for it. */
function emitEnter(c: CodeContext, f: FunctionCode, id: number): void {
  const { programs } = c.state;
  const cached = f.local('i32');
  f.localGet(id);
  f.i32(CACHE_ENTRIES - 1);
  f.op(I32.and);
  f.i32(CACHE_ENTRY_BYTES);
  f.op(I32.mul);
  f.localTee(cached);
  f.memory(I32.load, programs.cacheAt);
  f.localGet(id);
  f.op(I32.eq);
  f.if();
  emitReturnCall(c, f, () => {
    f.localGet(cached);
    f.memory(I32.load, programs.cacheAt + 4);
  });
  f.end();
  const { target, enterOther } = tailCallImports(c);
  f.localGet(id);
  f.callImport(target);
  f.localTee(id);
  f.i32(0);
  f.op(I32.ge_s);
  f.if();
  emitReturnCall(c, f, () => f.localGet(id));
  f.end();
  f.localGet(id);
  f.i32(OTHER_ENGINE);
  f.op(I32.eq);
  f.if();
  f.get(1);
  f.stackTop();
  f.tailCalls();
  f.callImport(enterOther);
  f.return();
  f.end();
}

function emitReturnCall(
  { module, state, hasTailCalls }: CodeContext,
  f: FunctionCode,
  pushIndex: () => void,
): void {
  module.importTable(state.programs.wasm);
  f.get(1);
  f.stackTop();
  f.tailCalls();
  pushIndex();
  f.callIndirect(module.typeOf(ENTRY), hasTailCalls);
  if (!hasTailCalls) f.return();
}

function tailCallImports({ module, runtime, state }: CodeContext) {
  let other: Executable | undefined;
  const findTarget = (id: number): number => {
    const target = runtime.executableOf(id >>> 0);
    if (target === undefined) return EMPTY_SLOT;
    if (target.tableIndex === undefined) {
      other = target;
      return OTHER_ENGINE;
    }
    state.programs.remember(id, target.tableIndex);
    return target.tableIndex;
  };
  return {
    target: module.importFunction(
      'tail_call_target',
      { params: ['i32'], results: ['i32'] },
      () => findTarget,
    ),
    enterOther: module.importFunction(
      'tail_call_enter',
      ENTRY,
      () => (ctx: bigint, top: number, calls: number) => other!.enter(ctx, top >>> 0, calls),
    ),
  };
}
