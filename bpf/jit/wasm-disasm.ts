/**
 * Disassembles a WebAssembly module: what a tool can make of the machine code that bpf(2) gives.
 *
 *   disassembleWasm(bytes)   the functions with their instructions, in the text format's words
 *
 * Input may be anything: what is no module, or holds what the table does not know, throws
 * WasmFormatError and nothing else.
 */
import { WASM_FC_OPCODES, WASM_OPCODES, type Immediates, type WasmOpcode } from './wasm-opcodes.ts';

export class WasmFormatError extends Error {
  override name = 'WasmFormatError';
}

export interface WasmInstruction {
  /** From the start of the function's body. */
  readonly offset: number;
  readonly bytes: Uint8Array;
  /** `local.get 3`, `i64.load offset=8`, … */
  readonly text: string;
  /** How many blocks it stands in. */
  readonly depth: number;
}

export interface WasmFunction {
  readonly name: string;
  /** From the start of the module to the function's body. */
  readonly start: number;
  readonly sizeBytes: number;
  /** `(param i32) (result i64)` */
  readonly signature: string;
  /** `i64 i64 i32`, one a local besides the parameters. */
  readonly locals: string;
  readonly instructions: readonly WasmInstruction[];
}

const MAGIC = [0x00, 0x61, 0x73, 0x6d, 0x01, 0x00, 0x00, 0x00];
const SECTION = { custom: 0, type: 1, import: 2, function: 3, export: 7, code: 10 } as const;
const VALUE_TYPES: Readonly<Record<number, string>> = {
  0x7f: 'i32',
  0x7e: 'i64',
  0x7d: 'f32',
  0x7c: 'f64',
  0x7b: 'v128',
  0x70: 'funcref',
  0x6f: 'externref',
};
const IMPORT_KIND = { func: 0, table: 1, memory: 2, global: 3 } as const;
/** Name section: subsection of function names. */
const FUNCTION_NAMES = 1;
/** Larger than any program's; a count beyond it is a damaged file. */
const MAX_COUNT = 1_000_000;

/** Bounds-checked reading, LEB128 and all. */
class Reader {
  readonly bytes: Uint8Array;
  at: number;
  readonly end: number;

  constructor(bytes: Uint8Array, at: number, end: number) {
    this.bytes = bytes;
    this.at = at;
    this.end = end;
  }

  byte(): number {
    if (this.at >= this.end) throw new WasmFormatError(`the module is cut off at ${this.at}`);
    return this.bytes[this.at++]!;
  }

  take(count: number): Reader {
    if (count > this.end - this.at)
      throw new WasmFormatError(`the module is cut off at ${this.at}`);
    const part = new Reader(this.bytes, this.at, this.at + count);
    this.at += count;
    return part;
  }

  u32(): number {
    let value = 0;
    for (let shift = 0; shift < 35; shift += 7) {
      const byte = this.byte();
      value += (byte & 0x7f) * 2 ** shift;
      if (byte < 0x80) return value;
    }
    throw new WasmFormatError(`a number at ${this.at} is too long`);
  }

  count(): number {
    const count = this.u32();
    if (count > MAX_COUNT) throw new WasmFormatError(`a count of ${count} at ${this.at}`);
    return count;
  }

  signed(bits: 32 | 33 | 64): bigint {
    let value = 0n;
    for (let shift = 0n; shift < 70n; shift += 7n) {
      const byte = this.byte();
      value |= BigInt(byte & 0x7f) << shift;
      if (byte < 0x80) return BigInt.asIntN(bits, BigInt.asIntN(Number(shift) + 7, value));
    }
    throw new WasmFormatError(`a number at ${this.at} is too long`);
  }

  text(): string {
    const part = this.take(this.u32());
    return new TextDecoder().decode(part.bytes.subarray(part.at, part.end));
  }

  list<T>(read: () => T): T[] {
    return Array.from({ length: this.count() }, read);
  }
}

interface Module {
  types: string[];
  /** Type index of each function, imports first. */
  functions: number[];
  names: Map<number, string>;
  imported: number;
  code: { start: number; body: Reader }[];
}

export function disassembleWasm(bytes: Uint8Array): readonly WasmFunction[] {
  if (MAGIC.some((byte, i) => bytes[i] !== byte)) {
    throw new WasmFormatError('not a WebAssembly module of version 1');
  }
  const module = readModule(new Reader(bytes, MAGIC.length, bytes.length));
  return module.code.map(({ start, body }, i) => {
    const index = module.imported + i;
    return disassembleFunction(module, index, start, body);
  });
}

function readModule(reader: Reader): Module {
  const module: Module = { types: [], functions: [], names: new Map(), imported: 0, code: [] };
  while (reader.at < reader.end) {
    const id = reader.byte();
    const section = reader.take(reader.u32());
    switch (id) {
      case SECTION.type:
        module.types = section.list(() => functionType(section));
        break;
      case SECTION.import:
        section.list(() => readImport(section, module));
        break;
      case SECTION.function:
        module.functions.push(...section.list(() => section.u32()));
        break;
      case SECTION.export:
        section.list(() => readExport(section, module));
        break;
      case SECTION.code:
        module.code = section.list(() => {
          const body = section.take(section.u32());
          return { start: body.at, body };
        });
        break;
      case SECTION.custom:
        if (section.text() === 'name') readNames(section, module);
        break;
      default:
    }
  }
  return module;
}

function functionType(section: Reader): string {
  const form = section.byte();
  if (form !== 0x60) throw new WasmFormatError(`a type of form 0x${form.toString(16)}`);
  const part = (word: string) => {
    const types = section.list(() => valueType(section.byte()));
    return types.length > 0 ? [`(${word} ${types.join(' ')})`] : [];
  };
  return [...part('param'), ...part('result')].join(' ');
}

function readImport(section: Reader, module: Module): void {
  section.text();
  const name = section.text();
  switch (section.byte()) {
    case IMPORT_KIND.func:
      module.names.set(module.functions.length, name);
      module.functions.push(section.u32());
      module.imported++;
      break;
    case IMPORT_KIND.table:
      section.byte();
      limits(section);
      break;
    case IMPORT_KIND.memory:
      limits(section);
      break;
    case IMPORT_KIND.global:
      section.byte();
      section.byte();
      break;
    default:
      throw new WasmFormatError(`an import of unknown kind: ${name}`);
  }
}

function limits(section: Reader): void {
  const flags = section.byte();
  section.u32();
  if ((flags & 1) !== 0) section.u32();
}

function readExport(section: Reader, module: Module): void {
  const name = section.text();
  const kind = section.byte();
  const index = section.u32();
  if (kind === IMPORT_KIND.func && !module.names.has(index)) module.names.set(index, name);
}

function readNames(section: Reader, module: Module): void {
  while (section.at < section.end) {
    const id = section.byte();
    const part = section.take(section.u32());
    if (id !== FUNCTION_NAMES) continue;
    part.list(() => module.names.set(part.u32(), part.text()));
  }
}

function valueType(byte: number): string {
  const type = VALUE_TYPES[byte];
  if (!type) throw new WasmFormatError(`an unknown value type 0x${byte.toString(16)}`);
  return type;
}

function disassembleFunction(
  module: Module,
  index: number,
  start: number,
  body: Reader,
): WasmFunction {
  const locals = body.list(() => {
    const count = body.count();
    return `${valueType(body.byte())} `.repeat(Math.min(count, 1000));
  });
  const instructions: WasmInstruction[] = [];
  let depth = 0;
  while (body.at < body.end) {
    const at = body.at;
    const opcode = readOpcode(body);
    const operands = immediates(opcode.immediates, body, module);
    const callee = /call$/.test(opcode.name) ? module.names.get(Number(operands)) : undefined;
    const text = `${opcode.name}${callee ? ` $${callee}` : operands}`;
    if (opcode.name === 'end' || opcode.name === 'else') depth = Math.max(0, depth - 1);
    instructions.push({ offset: at - start, bytes: body.bytes.slice(at, body.at), text, depth });
    if (['block', 'loop', 'if', 'else'].includes(opcode.name)) depth++;
  }
  return {
    name: module.names.get(index) ?? `func[${index}]`,
    start,
    sizeBytes: body.end - start,
    signature: module.types[module.functions[index] ?? -1] ?? '',
    locals: locals.join('').trim(),
    instructions,
  };
}

function readOpcode(body: Reader): WasmOpcode {
  const byte = body.byte();
  const opcode = byte === 0xfc ? WASM_FC_OPCODES.get(body.u32()) : WASM_OPCODES.get(byte);
  if (!opcode)
    throw new WasmFormatError(`an unknown opcode 0x${byte.toString(16)} at ${body.at - 1}`);
  return opcode;
}

function immediates(kind: Immediates, body: Reader, module: Module): string {
  switch (kind) {
    case 'none':
      return '';
    case 'blocktype': {
      const type = body.signed(33);
      if (type >= 0n) return ` ${module.types[Number(type)] ?? ''}`;
      const byte = Number(type & 0x7fn);
      return byte === 0x40 ? '' : ` (result ${valueType(byte)})`;
    }
    case 'label':
    case 'index':
      return ` ${body.u32()}`;
    case 'label-table':
      return ` ${[...body.list(() => body.u32()), body.u32()].join(' ')}`;
    case 'index-index': {
      const type = body.u32();
      body.u32();
      return ` (type ${type})`;
    }
    case 'memarg': {
      body.u32();
      const offset = body.u32();
      return offset === 0 ? '' : ` offset=${offset}`;
    }
    case 'i32':
      return ` ${body.signed(32)}`;
    case 'i64':
      return ` ${body.signed(64)}`;
    case 'f32':
      return ` ${float(body, 4)}`;
    case 'f64':
      return ` ${float(body, 8)}`;
    case 'types':
      return ` (result ${body.list(() => valueType(body.byte())).join(' ')})`;
    case 'zero':
      body.byte();
      return '';
    case 'zero-zero':
      body.byte();
      body.byte();
      return '';
  }
}

function float(body: Reader, sizeBytes: 4 | 8): number {
  const { at } = body.take(sizeBytes);
  const view = new DataView(body.bytes.buffer, body.bytes.byteOffset + at, sizeBytes);
  return sizeBytes === 4 ? view.getFloat32(0, true) : view.getFloat64(0, true);
}
