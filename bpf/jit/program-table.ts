/**
 * The WASM functions of one machine's programs: JavaScript and other programs enter them here.
 *
 *   const index = table.reserve(); table.set(index, entry, locate); table.remove(index)
 *   table.run(index, ctx)             low 32 bits of r0, signed; a run in which no other can begin
 *   table.runBelow(index, ctx, top)   the same with r10 = `top`
 *   table.remember(id, index)         for tail calls: generated code finds by a program's id, in RAM
 *                                     at `cacheAt`, where it is, without a call into JavaScript
 *   table.locate(index, offset)       the instruction that code of that program belongs to
 */
import { KERNEL_BASE, type Ram } from '../../kernel/ram/ram.ts';
import type { RamOffset } from '../../kernel/types/units.ts';
import type { CodePlace } from '../program.ts';
import { CodeWriter, I32, I64, SELECT } from './code-writer.ts';
import { ModuleWriter, type Signature } from './module-writer.ts';

/** How programs are entered: r1, stackTop, tail calls made so far; returns r0. */
export const ENTRY: Signature = { params: ['i64', 'i32', 'i32'], results: ['i64'] };

/** By the low bits of an id: {id, index} as two u32. A power of two. */
export const CACHE_ENTRIES = 64;
export const CACHE_ENTRY_BYTES = 8;
const CACHE_BYTES = CACHE_ENTRIES * CACHE_ENTRY_BYTES;

type Locate = (offset: number) => CodePlace | undefined;

export class ProgramTable {
  readonly wasm = new WebAssembly.Table({ element: 'anyfunc', initial: 64 });
  readonly run: (index: number, ctx: number) => number;
  readonly runBelow: (index: number, ctx: number, stackTop: number) => number;
  readonly cacheAt: RamOffset;
  readonly #ram: Ram;
  readonly #free: number[] = [];
  readonly #locate: (Locate | undefined)[] = [];
  #used = 0;

  constructor(ram: Ram, stack: StackBounds) {
    this.#ram = ram;
    this.cacheAt = ram.kzalloc(CACHE_BYTES);
    const { run, runBelow } = trampolines(ram, this.wasm, stack);
    this.run = run;
    this.runBelow = runBelow;
  }

  reserve(): number {
    const index = this.#free.pop() ?? this.#used++;
    if (index >= this.wasm.length) this.wasm.grow(this.wasm.length);
    return index;
  }

  /** @param entry an exported WASM function of signature ENTRY */
  set(index: number, entry: unknown, locate: Locate): void {
    this.wasm.set(index, entry);
    this.#locate[index] = locate;
  }

  /** @param offset in the program's module */
  locate(index: number, offset: number): CodePlace | undefined {
    return this.#locate[index]?.(offset);
  }

  remove(index: number): void {
    this.wasm.set(index, null);
    this.#locate[index] = undefined;
    this.#free.push(index);
    this.forget();
  }

  remember(id: number, index: number): void {
    const at = this.cacheAt + CACHE_ENTRY_BYTES * (id & (CACHE_ENTRIES - 1));
    this.#ram.u32[at >>> 2] = id;
    this.#ram.u32[(at + 4) >>> 2] = index;
  }

  /** Empty the cache. */
  forget(): void {
    this.#ram.u8.fill(0, this.cacheAt, this.cacheAt + CACHE_BYTES);
  }
}

/** Where the stack of the next run begins. */
interface StackBounds {
  /** Where in RAM, as u32, r10 of the next run's first frame is. */
  readonly topAt: RamOffset;
  /** Below it no run may begin. */
  readonly lowestTop: number;
  /** Throws what a run is told that would. */
  readonly overflow: () => void;
}

/**
 * The functions through which JavaScript runs any program. No 64-bit value crosses, so no BigInt is
 * made, and since JavaScript's call is always of the same function V8 compiles it in place (6 ns
 * measured, and 11 where each program's own function is called).
 */
function trampolines(ram: Ram, table: WebAssembly.Table, stack: StackBounds) {
  const module = new ModuleWriter('bpf_run');
  module.importMemory(ram);
  module.importTable(table);
  const overflow = module.importFunction('overflow', { params: [], results: [] }, () => {
    return stack.overflow;
  });
  const [index, ctx, top] = [0, 1, 2];
  const entry = module.typeOf(ENTRY);

  const runBelow = new CodeWriter();
  pushKernelAddress(runBelow, ctx);
  runBelow.localGet(top);
  runBelow.i32(0);
  runBelow.localGet(index);
  runBelow.callIndirect(entry, false);
  runBelow.op(I32.wrap);
  runBelow.end();

  const run = new CodeWriter();
  pushKernelAddress(run, ctx);
  run.i32(0);
  run.memory(I32.load, stack.topAt);
  run.localTee(top);
  run.i32(stack.lowestTop);
  run.op(I32.lt_u);
  run.if();
  run.callImport(overflow);
  run.end();
  run.localGet(top);
  run.i32(0);
  run.localGet(index);
  run.callIndirect(entry, false);
  run.op(I32.wrap);
  run.end();

  const params = ['i32', 'i32', 'i32'] as const;
  module.define(module.declare('run', { params: ['i32', 'i32'], results: ['i32'] }), ['i32'], run);
  module.define(module.declare('run_below', { params, results: ['i32'] }), [], runBelow);
  module.exportFunction('run', 0);
  module.exportFunction('runBelow', 1);
  const instance = new WebAssembly.Instance(
    new WebAssembly.Module(module.encode().bytes),
    module.imports,
  );
  return instance.exports as unknown as Pick<ProgramTable, 'run' | 'runBelow'>;
}

/** Of the RAM offset in a local; 0 is NULL. */
function pushKernelAddress(code: CodeWriter, offset: number): void {
  code.localGet(offset);
  code.op(I64.extend_u);
  code.i64(KERNEL_BASE);
  code.op(I64.or);
  code.i64(0n);
  code.localGet(offset);
  code.op(SELECT);
}
