/**
 * What a generated module takes from outside, added as the code asks for it: functions by name, the
 * machine's RAM, the function table. `values` is the import object to instantiate with.
 */
import type { Ram } from '../../kernel/ram/ram.ts';
import { PAGE_SIZE } from '../../kernel/ram/ram.ts';
import type { Binaryen, WasmModule, WasmType } from './binaryen.ts';

const MODULE = 'skep';
const WASM_PAGE_BYTES = 16 * PAGE_SIZE;
export const TABLE = 'programs';

export class Imports {
  readonly values: WebAssembly.Imports = { [MODULE]: {} };
  readonly #binaryen: Binaryen;
  readonly #module: WasmModule;

  constructor(binaryen: Binaryen, module: WasmModule) {
    this.#binaryen = binaryen;
    this.#module = module;
  }

  memory({ memory, sizeBytes }: Ram): void {
    const pages = sizeBytes / WASM_PAGE_BYTES;
    this.#module.setMemory(pages, pages, null, [], false, false, 'ram');
    this.#module.addMemoryImport('ram', MODULE, 'ram');
    this.#values.ram = memory;
  }

  /** The table that tail calls go through; asked for by the first. */
  table(table: WebAssembly.Table): void {
    if (TABLE in this.#values) return;
    this.#module.addTableImport(TABLE, MODULE, TABLE);
    this.#values[TABLE] = table;
  }

  /** A function, JavaScript's or another module's export. The same name is imported once. */
  func(name: string, params: readonly WasmType[], result: WasmType, value: unknown): string {
    if (!(name in this.#values)) {
      const { createType } = this.#binaryen;
      this.#module.addFunctionImport(name, MODULE, name, createType(params), result);
      this.#values[name] = value;
    }
    return name;
  }

  get #values(): Record<string, unknown> {
    return this.values[MODULE]!;
  }
}
