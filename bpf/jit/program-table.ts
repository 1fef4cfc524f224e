/** The WASM table through which programs of one machine tail-call each other. */
export class ProgramTable {
  readonly table = new WebAssembly.Table({ element: 'anyfunc', initial: 64 });
  readonly #free: number[] = [];
  #used = 0;

  /** @param entry an exported WASM function; returns its slot */
  add(entry: unknown): number {
    const index = this.#free.pop() ?? this.#used++;
    if (index >= this.table.length) this.table.grow(this.table.length);
    this.table.set(index, entry);
    return index;
  }

  remove(index: number): void {
    this.table.set(index, null);
    this.#free.push(index);
  }
}
