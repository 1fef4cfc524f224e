/**
 * The WASM functions of one machine's programs, through which they tail-call each other.
 *
 *   table.reserve()        an index in `wasm` for a program; set(index, entry, locate) fills it in
 *   table.locate(index, offset)    the instruction that code of that program belongs to
 *   table.cacheAt          RAM: by the low bits of a program's id, {id, index} as two u32; generated
 *                          code finds a target there without a call into JavaScript
 *   table.remember(id, index)
 */
import type { Ram } from '../kernel/ram/ram.ts';
import type { RamOffset } from '../kernel/types/units.ts';
import type { CodePlace } from './program.ts';

/** A power of two. */
export const CACHE_ENTRIES = 64;
export const CACHE_ENTRY_BYTES = 8;
const CACHE_BYTES = CACHE_ENTRIES * CACHE_ENTRY_BYTES;

type Locate = (offset: number) => CodePlace | undefined;

export class ProgramTable {
  readonly wasm = new WebAssembly.Table({ element: 'anyfunc', initial: 64 });
  readonly cacheAt: RamOffset;
  readonly #ram: Ram;
  readonly #free: number[] = [];
  readonly #locate: (Locate | undefined)[] = [];
  #used = 0;

  constructor(ram: Ram) {
    this.#ram = ram;
    this.cacheAt = ram.kzalloc(CACHE_BYTES);
  }

  reserve(): number {
    const index = this.#free.pop() ?? this.#used++;
    if (index >= this.wasm.length) this.wasm.grow(this.wasm.length);
    return index;
  }

  /** @param entry an exported WASM function */
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
