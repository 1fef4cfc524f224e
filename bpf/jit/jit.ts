/**
 * The WASM JIT: a verified program becomes one WASM module over the machine's RAM.
 *
 *   createWasmJit()                   the engine
 *   createWasmJit({inline: false})    without inlined helpers, to see what they save
 *
 * The module is written straight from the instructions, in one pass, without optimising: V8 does
 * that when the code is hot. Writing and instantiating takes some 50 µs for 100 instructions.
 */
import { Bug, type RamOffset } from '../../kernel/types/units.ts';
import type { Engine, EngineRefusal } from '../engine.ts';
import { engineState, type BpfFunction } from '../engine-state.ts';
import { BaseExecutable } from '../executable.ts';
import { asOops, moduleName } from '../oops.ts';
import { firstUnhandled } from '../refusal.ts';
import { NO_PATCHES, type Patches, type PatchedFunction } from '../patch.ts';
import type { VerifiedProgram } from '../program.ts';
import type { BpfRuntime } from '../runtime.ts';
import { traceBuffer } from '../trace-buffer.ts';
import type { CodeContext } from './calls.ts';
import { mapFunction, slotAt, type MappedFunction } from './code-map.ts';
import { CodeWriter, type ValueType } from './code-writer.ts';
import { functionCode, type AroundEach } from './function.ts';
import { listing } from './listing.ts';
import { ModuleWriter } from './module-writer.ts';
import { ENTRY, type ProgramTable } from './program-table.ts';
import { FULL, shapesOf, signatureOf } from './shape.ts';
import { tracing, type TraceOptions } from './trace.ts';

export interface WasmJitOptions {
  /** Inline helpers where the verifier's facts allow it; true by default. */
  readonly inline?: boolean;
  /** Use WASM's tail calls; by default where the host has them. Without them they nest. */
  readonly tailCalls?: boolean;
  /** Called before each instruction with r0 to r10, to find where engines part. Slow. */
  readonly onStep?: (slot: number, registers: readonly bigint[]) => void;
  /** Note what runs do in the runtime's trace buffer, for models of hardware. */
  readonly trace?: TraceOptions;
}

/** A function's code must stay below V8's 7,654,321 bytes (wasm-limits.h); this is far below. */
const MAX_SLOTS = 200_000;

export function createWasmJit(options: WasmJitOptions = {}): Engine {
  const jit: Jit = {
    inline: options.inline ?? true,
    onStep: options.onStep,
    trace: options.trace,
    hasTailCalls: options.tailCalls ?? hostHasTailCalls(),
  };
  return {
    name: 'wasm',
    handles,
    refusal,
    patches: true,
    compile: (program, runtime, patches = NO_PATCHES) => {
      const refused = refusal(program);
      if (refused) throw new Bug(refused.message);
      return new WasmProgram(jit, program, runtime, patches);
    },
  };
}

interface Jit {
  readonly inline: boolean;
  readonly onStep: WasmJitOptions['onStep'];
  readonly trace: WasmJitOptions['trace'];
  readonly hasTailCalls: boolean;
}

function handles(): boolean {
  return true;
}

function refusal(program: VerifiedProgram): EngineRefusal | undefined {
  if (program.insns.length > MAX_SLOTS) {
    const message = `a WASM function of ${program.insns.length} instructions is too large`;
    return { reason: 'program-too-large', insn: MAX_SLOTS, message };
  }
  return firstUnhandled('the WASM JIT', handles, program);
}

/**
 * What a module exports, and by subprogram `callback_N` for callbacks and `function_N` for those
 * that others call with all arguments.
 */
interface ModuleExports {
  readonly enter: (ctx: bigint, stackTop: number, tailCalls: number) => bigint;
  readonly [name: string]: unknown;
}

interface Code {
  readonly image: Uint8Array<ArrayBuffer>;
  readonly imports: WebAssembly.Imports;
  readonly callsOut: boolean;
  /** One a subprogram. */
  readonly functions: readonly MappedFunction[];
}

/** Patches, as the module calls them. */
type Imported = (subprog: number) => PatchedFunction;

function generate(
  jit: Jit,
  program: VerifiedProgram,
  runtime: BpfRuntime,
  index: number,
  patched: readonly number[],
  imported: Imported,
): Code {
  const { inline, hasTailCalls } = jit;
  const module = new ModuleWriter(moduleName(index));
  module.importMemory(runtime.ram);
  const replaces = program.spec.type === 'ext';
  const complete = replaces ? [0, ...patched] : patched;
  const needed = shapesOf(program, complete);
  // What is traced shows r10 even where the code has no need of it.
  const shapes = jit.onStep ? needed.map((shape) => ({ ...shape, takesStack: true })) : needed;
  const state = engineState(runtime);
  const patchOf = (subprog: number): number | undefined =>
    patched.includes(subprog)
      ? module.importFunction(`patched_${subprog}`, FULL, () => imported(subprog))
      : undefined;
  const facts = { program, runtime, state, module, shapes, hasTailCalls, inline, patchOf };
  const c: CodeContext = { ...facts, callsOut: jit.onStep !== undefined || patched.length > 0 };
  program.subprogs.forEach(({ name }, i) => module.declare(name, signatureOf(shapes[i]!)));
  const around = jit.trace
    ? tracing(traceBuffer(runtime), program, shapes, jit.trace)
    : stepping(jit, module);
  const codes = shapes.map((_, subprog) => {
    const code = functionCode(c, subprog, around);
    module.define(subprog, code.locals, code);
    return code;
  });
  if (replaces) exportEntry(module);
  else module.exportFunction('enter', 0);
  for (const subprog of complete) module.exportFunction(functionName(subprog), subprog);
  program.subprogs.forEach(({ isCallback }, i) => isCallback && exportCallback(c, i));
  const { bytes, functions } = module.encode();
  return {
    image: bytes,
    imports: module.imports,
    callsOut: c.callsOut,
    functions: codes.map((code, i) => mapFunction(functions[i]!, code)),
  };
}

function stepping({ onStep }: Jit, module: ModuleWriter): AroundEach | undefined {
  if (onStep === undefined) return undefined;
  const all = Array.from({ length: 11 }, (_, register) => register);
  const params: readonly ValueType[] = ['i32', ...all.map(() => 'i64' as const)];
  const func = module.importFunction('on_step', { params, results: [] }, () => {
    return (slot: number, ...registers: bigint[]) => onStep(slot, registers);
  });
  return {
    before(slot, f) {
      f.i32(slot);
      for (const register of all) f.get(register);
      f.callImport(func);
    },
  };
}

/** The entry of one that takes all arguments, for those who have only the first. */
function exportEntry(module: ModuleWriter): void {
  const code = new CodeWriter();
  code.localGet(0);
  for (let register = 2; register <= 5; register++) code.i64(0n);
  code.localGet(1);
  code.localGet(2);
  code.callOwn(0);
  code.end();
  const entry = module.declare('enter', ENTRY);
  module.define(entry, [], code);
  module.exportFunction('enter', entry);
}

/** callback_N(r1, …, r5, stackTop), whatever the subprogram takes of it. */
function exportCallback({ module, shapes, patchOf }: CodeContext, subprog: number): void {
  const { args, takesStack, takesTailCalls } = shapes[subprog]!;
  const code = new CodeWriter();
  for (const register of args) code.localGet(register - 1);
  if (takesStack) code.localGet(5);
  if (takesTailCalls) code.i32(0);
  const patch = patchOf(subprog);
  if (patch === undefined) code.callOwn(subprog);
  else code.callImport(patch);
  code.end();
  const params: readonly ValueType[] = ['i64', 'i64', 'i64', 'i64', 'i64', 'i32'];
  const callback = module.declare(callbackName(subprog), { params, results: ['i64'] });
  module.define(callback, [], code);
  module.exportFunction(callbackName(subprog), callback);
}

const functionName = (subprog: number): string => `function_${subprog}`;
const callbackName = (subprog: number): string => `callback_${subprog}`;

class WasmProgram extends BaseExecutable {
  readonly engine = 'wasm';
  readonly imageBytes: number;
  readonly tableIndex: number;
  readonly #run: ProgramTable['run'];
  readonly #runBelow: ProgramTable['runBelow'];
  readonly #enter: ModuleExports['enter'];
  readonly #exports: ModuleExports;
  readonly #code: Code;
  readonly #callsOut: boolean;

  constructor(jit: Jit, program: VerifiedProgram, runtime: BpfRuntime, patches: Patches) {
    super(program, runtime);
    const { programs } = this.state;
    this.tableIndex = programs.reserve();
    const imported: Imported = (subprog) => {
      const patch = patches.get(subprog)!;
      return (...call) => patch(this.#function(subprog), ...call);
    };
    const patched = [...patches.keys()];
    const code = generate(jit, program, runtime, this.tableIndex, patched, imported);
    const instance = new WebAssembly.Instance(new WebAssembly.Module(code.image), code.imports);
    const exports = instance.exports as unknown as ModuleExports;
    this.#code = code;
    this.#callsOut = code.callsOut;
    this.#run = programs.run;
    this.#runBelow = programs.runBelow;
    this.#enter = exports.enter;
    this.#exports = exports;
    this.imageBytes = code.image.length;
    programs.set(this.tableIndex, exports.enter, (offset) => {
      const slot = slotAt(code.functions, offset);
      return slot === undefined ? undefined : { program, slot };
    });
    program.subprogs.forEach(({ isCallback }, subprog) => {
      if (isCallback) this.bindCallback(subprog, exports[callbackName(subprog)] as BpfFunction);
    });
  }

  override run(ctx: RamOffset): number {
    const { state } = this;
    if (this.#callsOut) return super.run(ctx);
    try {
      return this.#run(this.tableIndex, ctx) >>> 0;
    } catch (error) {
      throw asOops(error, state.programs);
    }
  }

  protected override execute(ctx: RamOffset, stackTop: number): number {
    return this.#runBelow(this.tableIndex, ctx, stackTop) >>> 0;
  }

  override enter(ctx: bigint, stackTop: number, tailCalls: number): bigint {
    return this.#enter(ctx, stackTop, tailCalls);
  }

  protected override enterWith(args: readonly bigint[], stackTop: number, tailCalls: number) {
    if (this.program.spec.type !== 'ext') return super.enterWith(args, stackTop, tailCalls);
    const [r1, r2, r3, r4, r5] = args;
    return this.#function(0)(r1!, r2!, r3!, r4!, r5!, stackTop, tailCalls);
  }

  #function(subprog: number): PatchedFunction {
    return this.#exports[functionName(subprog)] as PatchedFunction;
  }

  image(): Uint8Array {
    return this.#code.image;
  }

  functionBytes(): readonly number[] {
    return this.#code.functions.map(({ sizeBytes }) => sizeBytes);
  }

  override text(): string {
    return listing(this.program, this.#code.image, this.#code.functions);
  }

  override free(): void {
    super.free();
    this.state.programs.remove(this.tableIndex);
  }
}

/** V8 has WASM tail calls since 11.2 (Chrome 112, Node 20). */
function hostHasTailCalls(): boolean {
  const module = new ModuleWriter('tail_calls');
  const signature = { params: [], results: [] };
  const code = new CodeWriter();
  module.importTable(new WebAssembly.Table({ element: 'anyfunc', initial: 1 }));
  code.i32(0);
  code.callIndirect(module.typeOf(signature), true);
  code.end();
  module.define(module.declare('f', signature), [], code);
  return WebAssembly.validate(module.encode().bytes);
}
