/**
 * Puts a WebAssembly module together (core specification 2.0, chapter 5.5).
 *
 *   const module = new ModuleWriter('bpf_prog_3')
 *   module.importMemory(ram); module.importFunction(name, signature, value)
 *   const f = module.declare('main', signature); module.define(f, locals, code)
 *   module.exportFunction('run', f)
 *   module.encode()      the bytes, and where each function's body is; `imports` to instantiate with
 *
 * Imports are added as code asks for them, so the index of a function of the module itself is known
 * only at the end: code calls those by number (`callOwn`), and `encode` fills in the index.
 */
import type { Ram } from '../../kernel/ram/ram.ts';
import { Bug } from '../../kernel/types/units.ts';
import { VALUE_TYPE, writePaddedU32, type CodeWriter, type ValueType } from './code-writer.ts';

export interface Signature {
  readonly params: readonly ValueType[];
  readonly results: readonly ValueType[];
}

/** Where a function's body lies in the module. */
export interface CodeRange {
  readonly start: number;
  readonly sizeBytes: number;
}

interface OwnFunction {
  readonly name: string;
  readonly type: number;
  body?: Uint8Array;
  /** Of the instructions in `body`: behind the declarations of locals. */
  codeAt: number;
  code?: CodeWriter;
}

const HEADER = [0x00, 0x61, 0x73, 0x6d, 0x01, 0x00, 0x00, 0x00];
const SECTION = { custom: 0, type: 1, import: 2, function: 3, export: 7, code: 10 } as const;
const KIND = { function: 0, table: 1, memory: 2 } as const;
const FUNCTION_TYPE = 0x60;
const FUNCREF = 0x70;
const HAS_MAXIMUM = 1;
/** Subsections of the name section. */
const NAMES = { module: 0, functions: 1 } as const;
const WASM_PAGE_BYTES = 65536;
/** The name that all imports are under. */
const FROM = 'skep';

export class ModuleWriter {
  readonly imports: WebAssembly.Imports = { [FROM]: {} };
  readonly #name: string;
  readonly #types: number[][] = [];
  readonly #typeIndex = new Map<string, number>();
  readonly #imports: number[][] = [];
  readonly #functionImports = new Map<string, number>();
  readonly #functions: OwnFunction[] = [];
  readonly #exports: { name: string; func: number }[] = [];

  constructor(name: string) {
    this.#name = name;
  }

  typeOf({ params, results }: Signature): number {
    const key = `${params.join()} ${results.join()}`;
    let index = this.#typeIndex.get(key);
    if (index === undefined) {
      index = this.#types.length;
      this.#typeIndex.set(key, index);
      this.#types.push([
        FUNCTION_TYPE,
        ...vector(params.map(typeByte)),
        ...vector(results.map(typeByte)),
      ]);
    }
    return index;
  }

  importMemory({ memory, sizeBytes }: Ram): void {
    const pages = u32(sizeBytes / WASM_PAGE_BYTES);
    this.#import('ram', memory, [KIND.memory, HAS_MAXIMUM, ...pages, ...pages]);
  }

  /** The module's only table; asking for it again does nothing. */
  importTable(table: WebAssembly.Table): void {
    if ('programs' in this.#values) return;
    this.#import('programs', table, [KIND.table, FUNCREF, 0, ...u32(0)]);
  }

  /** The index to call it by. The same name is imported once, and its value asked for once. */
  importFunction(name: string, signature: Signature, value: () => unknown): number {
    let index = this.#functionImports.get(name);
    if (index === undefined) {
      index = this.#functionImports.size;
      this.#functionImports.set(name, index);
      this.#import(name, value(), [KIND.function, ...u32(this.typeOf(signature))]);
    }
    return index;
  }

  /** Its number among the module's own functions. */
  declare(name: string, signature: Signature): number {
    return this.#functions.push({ name, type: this.typeOf(signature), codeAt: 0 }) - 1;
  }

  /** @param locals types of the locals behind the parameters */
  define(func: number, locals: readonly ValueType[], code: CodeWriter): void {
    const declarations = localDeclarations(locals);
    const body = new Uint8Array(declarations.length + code.length);
    body.set(declarations);
    body.set(code.bytes, declarations.length);
    Object.assign(this.#functions[func]!, { body, code, codeAt: declarations.length });
  }

  exportFunction(name: string, func: number): void {
    this.#exports.push({ name, func });
  }

  encode(): { readonly bytes: Uint8Array<ArrayBuffer>; readonly functions: readonly CodeRange[] } {
    const before = [
      ...HEADER,
      ...section(SECTION.type, vectorOf(this.#types)),
      ...section(SECTION.import, vectorOf(this.#imports)),
      ...section(SECTION.function, vectorOf(this.#functions.map(({ type }) => u32(type)))),
      ...section(SECTION.export, vectorOf(this.#exports.map((each) => this.#exported(each)))),
    ];
    const bodies = this.#functions.map((func) => this.#linkedBody(func));
    const sizes = bodies.map(({ length }) => u32(length));
    const count = u32(bodies.length);
    const total = bodies.reduce(
      (sum, { length }, i) => sum + length + sizes[i]!.length,
      count.length,
    );
    before.push(SECTION.code, ...u32(total), ...count);
    const names = section(SECTION.custom, this.#nameSection());
    const start = before.length;
    const bytes = new Uint8Array(start - count.length + total + names.length);
    bytes.set(before);
    let at = start;
    const functions = bodies.map((body, i): CodeRange => {
      bytes.set(sizes[i]!, at);
      at += sizes[i]!.length;
      bytes.set(body, at);
      at += body.length;
      return { start: at - body.length, sizeBytes: body.length };
    });
    bytes.set(names, at);
    return { bytes, functions };
  }

  /** Offset of an own function's instructions from the start of its body. */
  codeOffset(func: number): number {
    return this.#functions[func]!.codeAt;
  }

  #linkedBody({ name, body, code, codeAt }: OwnFunction): Uint8Array {
    if (body === undefined || code === undefined) throw new Bug(`${name} has no body`);
    const { ownCalls } = code;
    for (let i = 0; i < ownCalls.length; i += 2) {
      writePaddedU32(body, codeAt + ownCalls[i]!, this.#indexOf(ownCalls[i + 1]!));
    }
    return body;
  }

  #indexOf(func: number): number {
    return this.#functionImports.size + func;
  }

  #import(name: string, value: unknown, description: readonly number[]): void {
    this.#imports.push([...text(FROM), ...text(name), ...description]);
    this.#values[name] = value;
  }

  #exported({ name, func }: { name: string; func: number }): number[] {
    return [...text(name), KIND.function, ...u32(this.#indexOf(func))];
  }

  #nameSection(): number[] {
    const functions = this.#functions.map(({ name }, i) => [
      ...u32(this.#indexOf(i)),
      ...text(name),
    ]);
    return [
      ...text('name'),
      ...section(NAMES.module, text(this.#name)),
      ...section(NAMES.functions, vectorOf(functions)),
    ];
  }

  get #values(): Record<string, unknown> {
    return this.imports[FROM]!;
  }
}

const typeByte = (type: ValueType): number => VALUE_TYPE[type];

function u32(value: number): number[] {
  const bytes: number[] = [];
  let rest = value;
  while (rest > 0x7f) {
    bytes.push((rest & 0x7f) | 0x80);
    rest >>>= 7;
  }
  bytes.push(rest);
  return bytes;
}

/** Names here are identifiers: ASCII. */
function text(value: string): number[] {
  return vector(Array.from(value, (char) => char.charCodeAt(0)));
}

function vector(bytes: readonly number[]): number[] {
  return [...u32(bytes.length), ...bytes];
}

function vectorOf(items: readonly (readonly number[])[]): number[] {
  return [...u32(items.length), ...items.flat()];
}

function section(id: number, content: readonly number[]): number[] {
  return [id, ...vector(content)];
}

/** Runs of one type are declared together. */
function localDeclarations(locals: readonly ValueType[]): number[] {
  const runs: { type: ValueType; count: number }[] = [];
  for (const type of locals) {
    const last = runs.at(-1);
    if (last?.type === type) last.count++;
    else runs.push({ type, count: 1 });
  }
  return vectorOf(runs.map(({ type, count }) => [...u32(count), typeByte(type)]));
}
