/**
 * Puts a WebAssembly module together (core specification 2.0, chapter 5.5).
 *
 *   const module = new ModuleWriter('bpf_prog_3')
 *   module.importMemory(ram); module.importFunction(name, signature, () => value)
 *   const f = module.declare('main', signature); module.define(f, locals, code)
 *   module.exportFunction('run', f)
 *   module.encode()      the bytes, and where each function's body is; `imports` to instantiate with
 *
 * Imports are added as code asks for them, so the index of a function of the module itself is known
 * only at the end: code calls those by number (`callOwn`), and `encode` fills in the index.
 */
import type { Ram } from '../../kernel/ram/ram.ts';
import { Bug } from '../../kernel/types/units.ts';
import { ByteWriter } from './byte-writer.ts';
import { VALUE_TYPE, type CodeWriter, type ValueType } from './code-writer.ts';

export interface Signature {
  readonly params: readonly ValueType[];
  readonly results: readonly ValueType[];
}

/** Where a function lies in the module. */
export interface CodeRange {
  /** Of its body: declarations of locals, then instructions. */
  readonly start: number;
  readonly sizeBytes: number;
  /** From `start` to the first instruction. */
  readonly codeAt: number;
}

interface OwnFunction {
  readonly name: string;
  readonly type: number;
  locals: readonly ValueType[];
  code?: CodeWriter;
}

type Import = { readonly name: string } & (
  | { readonly kind: 'memory'; readonly pages: number }
  | { readonly kind: 'table' }
  | { readonly kind: 'function'; readonly type: number }
);

const HEADER = new Uint8Array([0x00, 0x61, 0x73, 0x6d, 0x01, 0x00, 0x00, 0x00]);
const SECTION = { custom: 0, type: 1, import: 2, function: 3, export: 7, code: 10 } as const;
const KIND = { function: 0, table: 1, memory: 2 } as const;
const FUNCTION_TYPE = 0x60;
const FUNCREF = 0x70;
const [NO_MAXIMUM, HAS_MAXIMUM] = [0, 1];
/** Subsections of the name section. */
const NAMES = { module: 0, functions: 1 } as const;
const WASM_PAGE_BYTES = 65536;
/** The name that all imports are under, and that of the table. */
const FROM = 'skep';
const TABLE = 'programs';

export class ModuleWriter {
  readonly imports: WebAssembly.Imports = { [FROM]: {} };
  readonly #name: string;
  readonly #types: Signature[] = [];
  readonly #typeIndex = new Map<string, number>();
  readonly #imports: Import[] = [];
  readonly #functionImports = new Map<string, number>();
  readonly #functions: OwnFunction[] = [];
  readonly #exports: { name: string; func: number }[] = [];

  constructor(name: string) {
    this.#name = name;
  }

  typeOf(signature: Signature): number {
    const key = `${signature.params.join()} ${signature.results.join()}`;
    let index = this.#typeIndex.get(key);
    if (index === undefined) {
      index = this.#types.push(signature) - 1;
      this.#typeIndex.set(key, index);
    }
    return index;
  }

  importMemory({ memory, sizeBytes }: Ram): void {
    this.#import({ name: 'ram', kind: 'memory', pages: sizeBytes / WASM_PAGE_BYTES }, memory);
  }

  /** The module's only table; asking for it again does nothing. */
  importTable(table: WebAssembly.Table): void {
    if (!(TABLE in this.#values)) this.#import({ name: TABLE, kind: 'table' }, table);
  }

  /** The index to call it by. The same name is imported once, and its value asked for once. */
  importFunction(name: string, signature: Signature, value: () => unknown): number {
    let index = this.#functionImports.get(name);
    if (index === undefined) {
      index = this.#functionImports.size;
      this.#functionImports.set(name, index);
      this.#import({ name, kind: 'function', type: this.typeOf(signature) }, value());
    }
    return index;
  }

  /** Its number among the module's own functions. */
  declare(name: string, signature: Signature): number {
    return this.#functions.push({ name, type: this.typeOf(signature), locals: [] }) - 1;
  }

  /** @param locals types of the locals behind the parameters */
  define(func: number, locals: readonly ValueType[], code: CodeWriter): void {
    Object.assign(this.#functions[func]!, { locals, code });
  }

  exportFunction(name: string, func: number): void {
    this.#exports.push({ name, func });
  }

  encode(): { readonly bytes: Uint8Array<ArrayBuffer>; readonly functions: readonly CodeRange[] } {
    const codeBytes = this.#functions.reduce((sum, { code }) => sum + (code?.length ?? 0), 0);
    const out = new ByteWriter(codeBytes + 1024);
    out.raw(HEADER);
    section(out, SECTION.type, () => vector(out, this.#types, (type) => writeType(out, type)));
    section(out, SECTION.import, () =>
      vector(out, this.#imports, (each) => writeImport(out, each)),
    );
    section(out, SECTION.function, () => vector(out, this.#functions, ({ type }) => out.u32(type)));
    section(out, SECTION.export, () =>
      vector(out, this.#exports, ({ name, func }) => {
        out.text(name);
        out.byte(KIND.function);
        out.u32(this.#indexOf(func));
      }),
    );
    const functions: CodeRange[] = [];
    section(out, SECTION.code, () =>
      vector(out, this.#functions, (func) => functions.push(this.#writeBody(out, func))),
    );
    section(out, SECTION.custom, () => this.#writeNames(out));
    return { bytes: out.bytes, functions };
  }

  #writeBody(out: ByteWriter, { name, locals, code }: OwnFunction): CodeRange {
    if (code === undefined) throw new Bug(`${name} has no code`);
    code.link(this.#functionImports.size);
    const size = out.leaveU32();
    const start = out.length;
    writeLocals(out, locals);
    const codeAt = out.length - start;
    out.raw(code.bytes);
    const sizeBytes = out.length - start;
    out.fillU32(size, sizeBytes);
    return { start, sizeBytes, codeAt };
  }

  #writeNames(out: ByteWriter): void {
    out.text('name');
    section(out, NAMES.module, () => out.text(this.#name));
    section(out, NAMES.functions, () =>
      vector(out, this.#functions, ({ name }, i) => {
        out.u32(this.#indexOf(i));
        out.text(name);
      }),
    );
  }

  #indexOf(func: number): number {
    return this.#functionImports.size + func;
  }

  #import(described: Import, value: unknown): void {
    this.#imports.push(described);
    this.#values[described.name] = value;
  }

  get #values(): Record<string, unknown> {
    return this.imports[FROM]!;
  }
}

function section(out: ByteWriter, id: number, write: () => void): void {
  out.byte(id);
  const size = out.leaveU32();
  const start = out.length;
  write();
  out.fillU32(size, out.length - start);
}

function vector<T>(
  out: ByteWriter,
  items: readonly T[],
  write: (item: T, i: number) => void,
): void {
  out.u32(items.length);
  items.forEach(write);
}

function writeType(out: ByteWriter, { params, results }: Signature): void {
  out.byte(FUNCTION_TYPE);
  for (const types of [params, results]) {
    vector(out, types, (type) => out.byte(VALUE_TYPE[type]));
  }
}

function writeImport(out: ByteWriter, described: Import): void {
  out.text(FROM);
  out.text(described.name);
  out.byte(KIND[described.kind]);
  switch (described.kind) {
    case 'memory':
      out.byte(HAS_MAXIMUM);
      out.u32(described.pages);
      out.u32(described.pages);
      break;
    case 'table':
      out.byte(FUNCREF);
      out.byte(NO_MAXIMUM);
      out.u32(0);
      break;
    case 'function':
      out.u32(described.type);
  }
}

/** Runs of one type are declared together. */
function writeLocals(out: ByteWriter, locals: readonly ValueType[]): void {
  const runs: { type: ValueType; count: number }[] = [];
  for (const type of locals) {
    const last = runs.at(-1);
    if (last?.type === type) last.count++;
    else runs.push({ type, count: 1 });
  }
  vector(out, runs, ({ type, count }) => {
    out.u32(count);
    out.byte(VALUE_TYPE[type]);
  });
}
