/**
 * The WASM functions of one machine's programs: JavaScript and other programs enter them here.
 *
 *   const index = table.reserve(); table.set(index, entry, locate); table.remove(index)
 *   table.run(index, ctx, stackTop)   low 32 bits of r0, signed
 *   table.remember(id, index)         for tail calls: generated code finds by a program's id, in RAM
 *                                     at `cacheAt`, where it is, without a call into JavaScript
 *   table.locate(index, offset)       the instruction that code of that program belongs to
 */
import { KERNEL_BASE, type Ram } from '../../kernel/ram/ram.ts';
import type { RamOffset } from '../../kernel/types/units.ts';
import type { CodePlace } from '../program.ts';
import { CodeWriter, I32, I64 } from './code-writer.ts';
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
  readonly run: (index: number, ctx: number, stackTop: number) => number;
  readonly cacheAt: RamOffset;
  readonly #ram: Ram;
  readonly #free: number[] = [];
  readonly #locate: (Locate | undefined)[] = [];
  #used = 0;

  constructor(ram: Ram) {
    this.#ram = ram;
    this.cacheAt = ram.kzalloc(CACHE_BYTES);
    this.run = trampoline(this.wasm);
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

/**
 * One function through which JavaScript runs any program. No 64-bit value crosses, so no BigInt is
 * made, and since JavaScript's call is always of this function V8 compiles it in place (6 ns
 * measured, and 11 where each program's own function is called).
 */
function trampoline(table: WebAssembly.Table): ProgramTable['run'] {
  const [index, ctx, stackTop] = [0, 1, 2];
  const module = new ModuleWriter('bpf_run');
  module.importTable(table);
  const code = new CodeWriter();
  code.localGet(ctx);
  code.if('i64');
  code.localGet(ctx);
  code.op(I64.extend_u);
  code.i64(KERNEL_BASE);
  code.op(I64.or);
  code.else();
  code.i64(0n);
  code.end();
  code.localGet(stackTop);
  code.i32(0);
  code.localGet(index);
  code.callIndirect(module.typeOf(ENTRY), false);
  code.op(I32.wrap);
  code.end();
  const run = module.declare('run', { params: ['i32', 'i32', 'i32'], results: ['i32'] });
  module.define(run, [], code);
  module.exportFunction('run', run);
  const instance = new WebAssembly.Instance(
    new WebAssembly.Module(module.encode().bytes),
    module.imports,
  );
  return instance.exports.run as ProgramTable['run'];
}
