/**
 * The WASM JIT: a verified program becomes one WASM module over the machine's RAM.
 *
 *   createWasmJit(binaryen)                     the engine; the host loads binaryen and passes it in
 *   createWasmJit(binaryen, {inline: false})    without inlined helpers, to see what they save
 *
 * Code is generated straight from the instructions, structured by structure.ts; binaryen's own
 * optimiser is left out (30 ms a program), since V8 optimises again anyway.
 */
import { KERNEL_BASE } from '../../kernel/ram/ram.ts';
import { Bug, type RamOffset } from '../../kernel/types/units.ts';
import type { Engine, EngineRefusal, Executable } from '../engine.ts';
import type { BpfFunction } from '../engine-state.ts';
import { engineState } from '../engine-state.ts';
import { BaseExecutable } from '../executable.ts';
import type { IsaRow } from '../isa/row.ts';
import { firstUnhandled } from '../refusal.ts';
import type { VerifiedProgram } from '../program.ts';
import type { BpfRuntime } from '../runtime.ts';
import type { Binaryen, Expr, WasmModule } from './binaryen.ts';
import { functionName } from './calls.ts';
import { emitFunction } from './function.ts';
import type { FrameExpressions } from './frame.ts';
import { Imports } from './imports.ts';
import { annotatedText } from './listing.ts';
import { ProgramTable } from './program-table.ts';
import { disassembleWasm } from './wasm-disasm.ts';

export interface WasmJitOptions {
  /** Inline helpers where the verifier's facts allow it; true by default. */
  readonly inline?: boolean;
  /** Called before each instruction with r0 to r10, to find where engines part. Slow. */
  readonly onStep?: (slot: number, registers: readonly bigint[]) => void;
}

/** A function's code must stay below V8's 7,654,321 bytes (wasm-limits.h); this is far below. */
const MAX_SLOTS = 200_000;

export function createWasmJit(binaryen: Binaryen, options: WasmJitOptions = {}): Engine {
  const jit: Jit = {
    binaryen,
    inline: options.inline ?? true,
    onStep: options.onStep,
    hasTailCalls: hostHasTailCalls(binaryen),
    tables: new WeakMap(),
  };
  return {
    name: 'wasm',
    handles,
    refusal,
    compile: (program, runtime) => {
      const refused = refusal(program);
      if (refused) throw new Bug(refused.message);
      return compile(jit, program, runtime);
    },
  };
}

interface Jit {
  readonly binaryen: Binaryen;
  readonly inline: boolean;
  readonly onStep: WasmJitOptions['onStep'];
  readonly hasTailCalls: boolean;
  readonly tables: WeakMap<BpfRuntime, ProgramTable>;
}

function handles(row: IsaRow): boolean {
  return row.kind !== 'call' || row.target !== 'kfunc';
}

function refusal(program: VerifiedProgram): EngineRefusal | undefined {
  if (program.insns.length > MAX_SLOTS) {
    const message = `a WASM function of ${program.insns.length} instructions is too large`;
    return { reason: 'program-too-large', insn: MAX_SLOTS, message };
  }
  return firstUnhandled('the WASM JIT', handles, program);
}

/** What a module exports; its functions besides are f0, f1, … by subprogram. */
interface ModuleExports {
  readonly run: (ctx: number, stackTop: number) => number;
  readonly [name: string]: unknown;
}

function compile(jit: Jit, program: VerifiedProgram, runtime: BpfRuntime): Executable {
  let table = jit.tables.get(runtime);
  if (table === undefined) jit.tables.set(runtime, (table = new ProgramTable()));
  const { module, imports } = buildModule(jit, program, runtime, table, false);
  const bytes = module.emitBinary();
  module.dispose();
  const instance = new WebAssembly.Instance(new WebAssembly.Module(bytes), imports.values);
  const listing = (): string => {
    const listed = buildModule(jit, program, runtime, table, true);
    const text = annotatedText(program, listed.module.emitText());
    listed.module.dispose();
    return text;
  };
  const exports = instance.exports as unknown as ModuleExports;
  return new WasmProgram(program, runtime, { exports, table, image: bytes, listing });
}

function buildModule(
  jit: Jit,
  program: VerifiedProgram,
  runtime: BpfRuntime,
  table: ProgramTable,
  isListing: boolean,
): { module: WasmModule; imports: Imports } {
  const { binaryen } = jit;
  const module = new binaryen.Module();
  module.setFeatures(
    binaryen.Features.SignExt |
      binaryen.Features.BulkMemory |
      (jit.hasTailCalls ? binaryen.Features.TailCall : 0),
  );
  const imports = new Imports(binaryen, module);
  imports.memory(runtime.ram);
  const state = engineState(runtime);
  const context = { ...jit, program, runtime, state, imports, table: table.table };
  const mark = isListing ? listingMark(binaryen, module, imports) : traceMark(jit, imports);
  program.subprogs.forEach((info, subprog) => {
    emitFunction(context, subprog, { module, mark });
    if (subprog === 0 || info.isCallback) {
      module.addFunctionExport(functionName(subprog), functionName(subprog));
    }
  });
  addRun(binaryen, module);
  return { module, imports };
}

/** A call that does nothing but show in the text where an instruction begins. */
function listingMark(binaryen: Binaryen, module: WasmModule, imports: Imports) {
  return (slot: number): Expr => {
    const name = imports.func(`insn_${slot}`, [], binaryen.none, undefined);
    return module.call(name, [], binaryen.none);
  };
}

function traceMark({ binaryen, onStep }: Jit, imports: Imports) {
  if (onStep === undefined) return undefined;
  const { i32, i64, none } = binaryen;
  const params = [i32, ...Array.from({ length: 11 }, () => i64)];
  imports.func('on_step', params, none, (slot: number, ...registers: bigint[]) => {
    onStep(slot, registers);
  });
  return (slot: number, f: FrameExpressions): Expr => {
    const registers = Array.from({ length: 11 }, (_, register) => f.get(register));
    return f.m.call('on_step', [f.m.i32.const(slot), ...registers], none);
  };
}

/** run(ctx, stackTop): no 64-bit value crosses, so no BigInt is made. */
function addRun(binaryen: Binaryen, module: WasmModule): void {
  const { i32, i64 } = binaryen;
  const zero = (): number => module.i64.const(0n);
  const ctx = (): number => module.local.get(0, i32);
  const address = module.i64.or(module.i64.extend_u(ctx()), module.i64.const(KERNEL_BASE));
  const r1 = module.if(ctx(), address, zero());
  const args = [r1, zero(), zero(), zero(), zero(), module.local.get(1, i32), module.i32.const(0)];
  const body = module.i32.wrap(module.call(functionName(0), args, i64));
  module.addFunction('run', binaryen.createType([i32, i32]), i32, [], body);
  module.addFunctionExport('run', 'run');
}

interface WasmCode {
  readonly exports: ModuleExports;
  readonly table: ProgramTable;
  readonly image: Uint8Array;
  readonly listing: () => string;
}

class WasmProgram extends BaseExecutable {
  readonly engine = 'wasm';
  readonly imageBytes: number;
  readonly tableIndex: number;
  readonly #run: ModuleExports['run'];
  readonly #entry: (...args: (bigint | number)[]) => bigint;
  readonly #code: WasmCode;

  constructor(program: VerifiedProgram, runtime: BpfRuntime, code: WasmCode) {
    super(program, runtime);
    this.#code = code;
    this.imageBytes = code.image.length;
    this.#run = code.exports.run;
    this.#entry = code.exports[functionName(0)] as (...args: (bigint | number)[]) => bigint;
    this.tableIndex = code.table.add(this.#entry);
    program.subprogs.forEach(({ isCallback }, subprog) => {
      if (!isCallback) return;
      // The missing last argument, tailCalls, arrives as 0.
      this.bindCallback(subprog, code.exports[functionName(subprog)] as BpfFunction);
    });
  }

  protected override execute(ctx: RamOffset, stackTop: number): number {
    return this.#run(ctx, stackTop) >>> 0;
  }

  override enter(ctx: bigint, stackTop: number, tailCalls: number): bigint {
    return this.#entry(ctx, 0n, 0n, 0n, 0n, stackTop, tailCalls);
  }

  image(): Uint8Array {
    return this.#code.image;
  }

  functionBytes(): readonly number[] {
    const functions = disassembleWasm(this.#code.image);
    return this.program.subprogs.map((_, subprog) => functions[subprog]!.sizeBytes);
  }

  override text(): string {
    return this.#code.listing();
  }

  override free(): void {
    super.free();
    this.#code.table.remove(this.tableIndex);
  }
}

/** V8 has WASM tail calls since 11.2 (Chrome 112, Node 20). */
function hostHasTailCalls(binaryen: Binaryen): boolean {
  const module = new binaryen.Module();
  module.setFeatures(binaryen.Features.TailCall);
  const { none } = binaryen;
  module.addFunction('f', none, none, [], module.return_call('f', [], none));
  const bytes = module.emitBinary();
  module.dispose();
  try {
    new WebAssembly.Module(bytes);
    return true;
  } catch {
    return false;
  }
}
