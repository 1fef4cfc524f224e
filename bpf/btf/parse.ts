/**
 * Bytes of a `.BTF` section to types. Structure only: bounds, known kinds, ids and names that exist,
 * no type that contains itself. What Linux demands beyond that when BTF is loaded is validate.ts.
 */
import { errno } from '../../kernel/types/errno.ts';
import type { BtfType } from './types.ts';
import {
  BTF_HEADER_BYTES,
  BTF_KINDS,
  BTF_MAGIC,
  BTF_MAX_SIZE,
  BTF_MAX_TYPE,
  BtfError,
  LINKAGES,
} from './types.ts';

export interface BtfHeader {
  readonly headerBytes: number;
  /** From the start of the data to each section. */
  readonly typeStart: number;
  readonly typeBytes: number;
  readonly stringStart: number;
  readonly stringBytes: number;
}

const bad = (message: string, typeId?: number) => new BtfError(message, errno.EINVAL, typeId);

export function parseHeader(bytes: Uint8Array): BtfHeader {
  if (bytes.length > BTF_MAX_SIZE) {
    throw new BtfError(`${bytes.length} bytes of BTF are too many`, errno.E2BIG);
  }
  if (bytes.length < BTF_HEADER_BYTES) throw bad('too short for a BTF header');
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  if (view.getUint16(0, true) !== BTF_MAGIC) throw bad('Invalid magic');
  if (view.getUint8(2) !== 1) throw new BtfError('Unsupported version', errno.ENOTSUPP);
  if (view.getUint8(3) !== 0) throw new BtfError('Unsupported flags', errno.ENOTSUPP);
  const headerBytes = view.getUint32(4, true);
  if (headerBytes < BTF_HEADER_BYTES || headerBytes > bytes.length) {
    throw bad(`Unsupported header length ${headerBytes}`);
  }
  if (bytes.subarray(BTF_HEADER_BYTES, headerBytes).some((byte) => byte !== 0)) {
    throw new BtfError('Unsupported btf_header', errno.E2BIG);
  }
  const header = {
    headerBytes,
    typeStart: headerBytes + view.getUint32(8, true),
    typeBytes: view.getUint32(12, true),
    stringStart: headerBytes + view.getUint32(16, true),
    stringBytes: view.getUint32(20, true),
  };
  if (header.typeStart + header.typeBytes > bytes.length) throw bad('types go beyond the data');
  if (header.stringStart + header.stringBytes > bytes.length) {
    throw bad('strings go beyond the data');
  }
  if (header.typeStart % 4 !== 0) throw bad('Unaligned type_off');
  return header;
}

/** Names by offset; each is decoded once. */
export class StringTable {
  readonly bytes: Uint8Array;
  /** Offset of this table's first byte: where a split BTF's base ends. */
  readonly start: number;
  readonly #base: StringTable | undefined;
  /** Names are ASCII in practice, but source lines of .BTF.ext are whatever the author wrote. */
  readonly #decoder = new TextDecoder('utf-8', { ignoreBOM: true });
  readonly #known = new Map<number, string>();
  /** Every name's tail may be a name too; a file that makes much of that is hostile. */
  #budget: number;

  constructor(bytes: Uint8Array, base?: StringTable) {
    this.bytes = bytes;
    this.#budget = 4 * bytes.length + 65536;
    this.#base = base;
    this.start = base === undefined ? 0 : base.end;
    if (base === undefined && (bytes.length === 0 || bytes[0] !== 0)) {
      throw bad('Invalid string section');
    }
    if (bytes.length > 0 && bytes.at(-1) !== 0) throw bad('Invalid string section');
  }

  get end(): number {
    return this.start + this.bytes.length;
  }

  /** Undefined where the offset is outside. */
  at(offset: number): string | undefined {
    if (offset < this.start) return this.#base?.at(offset);
    const known = this.#known.get(offset);
    if (known !== undefined) return known;
    const from = offset - this.start;
    if (from >= this.bytes.length) return undefined;
    const end = this.bytes.indexOf(0, from);
    this.#budget -= end - from;
    if (this.#budget < 0) throw new BtfError('Strings overlap too much', errno.E2BIG);
    const name = this.#decoder.decode(this.bytes.subarray(from, end));
    this.#known.set(offset, name);
    return name;
  }
}

/** Reads the type section front to back; every read is checked. */
class TypeReader {
  at = 0;
  typeId: number;
  readonly #view: DataView;
  readonly #strings: StringTable;

  constructor(section: Uint8Array, strings: StringTable, firstId: number) {
    this.#view = new DataView(section.buffer, section.byteOffset, section.length);
    this.#strings = strings;
    this.typeId = firstId;
  }

  get done(): boolean {
    return this.at >= this.#view.byteLength;
  }

  u32(): number {
    if (this.at + 4 > this.#view.byteLength) throw bad('Extra or truncated type data', this.typeId);
    const value = this.#view.getUint32(this.at, true);
    this.at += 4;
    return value;
  }

  name(): string {
    const offset = this.u32();
    const name = this.#strings.at(offset);
    if (name === undefined) throw bad(`Invalid name_offset:${offset}`, this.typeId);
    return name;
  }

  times<T>(count: number, entryBytes: number, read: () => T): T[] {
    if (this.at + count * entryBytes > this.#view.byteLength) {
      throw bad('Type exceeds its section', this.typeId);
    }
    return Array.from({ length: count }, read);
  }
}

/** Types of a section, without the void at index 0. */
export function parseTypes(section: Uint8Array, strings: StringTable, firstId: number): BtfType[] {
  const reader = new TypeReader(section, strings, firstId);
  const types: BtfType[] = [];
  while (!reader.done) {
    if (reader.typeId > BTF_MAX_TYPE) throw new BtfError('Too many types', errno.E2BIG);
    types.push(parseType(reader));
    reader.typeId++;
  }
  return types;
}

function parseType(reader: TypeReader): BtfType {
  const name = reader.name();
  const info = reader.u32();
  const sizeOrType = reader.u32();
  const vlen = info & 0xffff;
  const kindFlag = info >>> 31 === 1;
  if (info & 0x60ff0000) throw bad(`Invalid btf_info:${info.toString(16)}`, reader.typeId);
  const kind = BTF_KINDS[(info >>> 24) & 31];
  switch (kind) {
    case 'int':
      return parseInt(reader, name, sizeOrType);
    case 'ptr':
      return { kind, name: '', type: sizeOrType };
    case 'typedef':
    case 'volatile':
    case 'const':
    case 'restrict':
    case 'type_tag':
      return { kind, name, type: sizeOrType };
    case 'array':
      return {
        kind,
        name: '',
        elementType: reader.u32(),
        indexType: reader.u32(),
        count: reader.u32(),
      };
    case 'struct':
    case 'union':
      return { kind, name, size: sizeOrType, kindFlag, members: members(reader, vlen, kindFlag) };
    case 'enum':
      return {
        kind,
        name,
        size: sizeOrType,
        signed: kindFlag,
        values: reader.times(vlen, 8, () => enumerator(reader, kindFlag)),
      };
    case 'enum64':
      return {
        kind,
        name,
        size: sizeOrType,
        signed: kindFlag,
        values: reader.times(vlen, 12, () => enumerator64(reader, kindFlag)),
      };
    case 'fwd':
      return { kind, name, union: kindFlag };
    case 'func': {
      const linkage = LINKAGES[vlen];
      if (linkage === undefined) throw bad('Invalid func linkage', reader.typeId);
      return { kind, name, type: sizeOrType, linkage };
    }
    case 'func_proto':
      return {
        kind,
        name: '',
        returnType: sizeOrType,
        params: reader.times(vlen, 8, () => ({ name: reader.name(), type: reader.u32() })),
      };
    case 'var': {
      const linkage = LINKAGES[reader.u32()];
      if (linkage === undefined) throw bad('Linkage not supported', reader.typeId);
      return { kind, name, type: sizeOrType, linkage };
    }
    case 'datasec':
      return {
        kind,
        name,
        size: sizeOrType,
        vars: reader.times(vlen, 12, () => ({
          type: reader.u32(),
          offset: reader.u32(),
          size: reader.u32(),
        })),
      };
    case 'float':
      return { kind, name, size: sizeOrType };
    case 'decl_tag':
      return { kind, name, type: sizeOrType, component: reader.u32() | 0 };
    default:
      throw bad(`Invalid kind:${(info >>> 24) & 31}`, reader.typeId);
  }
}

function parseInt(reader: TypeReader, name: string, size: number): BtfType {
  const data = reader.u32();
  const encoding = data >>> 24;
  if (encoding > 15) throw bad(`Invalid int_data:${data.toString(16)}`, reader.typeId);
  if (encoding > 7) throw new BtfError('Unsupported encoding', errno.ENOTSUPP, reader.typeId);
  return {
    kind: 'int',
    name,
    size,
    bits: data & 0xff,
    bitOffset: (data >>> 16) & 0xff,
    signed: (encoding & 1) !== 0,
    char: (encoding & 2) !== 0,
    bool: (encoding & 4) !== 0,
  };
}

function members(reader: TypeReader, count: number, kindFlag: boolean) {
  return reader.times(count, 12, () => {
    const name = reader.name();
    const type = reader.u32();
    const offset = reader.u32();
    return {
      name,
      type,
      bitOffset: kindFlag ? offset & 0xffffff : offset,
      bitSize: kindFlag ? offset >>> 24 : 0,
    };
  });
}

function enumerator(reader: TypeReader, signed: boolean) {
  const name = reader.name();
  const value = reader.u32();
  return { name, value: BigInt(signed ? value | 0 : value) };
}

function enumerator64(reader: TypeReader, signed: boolean) {
  const name = reader.name();
  const low = BigInt(reader.u32());
  const value = (BigInt(reader.u32()) << 32n) | low;
  return { name, value: signed ? BigInt.asIntN(64, value) : value };
}

/** Ids that a type refers to. `byValue`: only those it contains or is another name of. */
export function references(type: BtfType, byValue: boolean): readonly number[] {
  switch (type.kind) {
    case 'typedef':
    case 'volatile':
    case 'const':
    case 'restrict':
    case 'type_tag':
    case 'var':
      return [type.type];
    case 'array':
      return [type.elementType, type.indexType];
    case 'struct':
    case 'union':
      return type.members.map((member) => member.type);
    case 'datasec':
      return type.vars.map((variable) => variable.type);
    case 'ptr':
    case 'func':
    case 'decl_tag':
      return byValue ? [] : [type.type];
    case 'func_proto':
      return byValue ? [] : [type.returnType, ...type.params.map((param) => param.type)];
    default:
      return [];
  }
}

/** Every referenced id exists and no type contains itself, so that sizes and chains are finite. */
export function checkReferences(types: readonly BtfType[], firstId: number): void {
  for (let id = firstId; id < types.length; id++) {
    const type = types[id]!;
    for (const to of references(type, false)) {
      if (to >= types.length) throw bad(`Invalid type_id ${to}`, id);
    }
    if (type.kind === 'func' && types[type.type]!.kind !== 'func_proto') {
      throw bad('Invalid type_id: not a func_proto', id);
    }
  }
  checkAcyclic(types, firstId);
}

/** Depth first with a stack of its own: a hostile chain may be as long as the data. */
function checkAcyclic(types: readonly BtfType[], firstId: number): void {
  const OPEN = 1;
  const CLOSED = 2;
  const state = new Uint8Array(types.length);
  for (let root = firstId; root < types.length; root++) {
    if (state[root] === CLOSED) continue;
    const path = [{ id: root, next: references(types[root]!, true), taken: 0 }];
    state[root] = OPEN;
    while (path.length > 0) {
      const top = path.at(-1)!;
      const to = top.next[top.taken++];
      if (to === undefined) {
        state[top.id] = CLOSED;
        path.pop();
      } else if (state[to] === OPEN) {
        throw new BtfError('Loop detected', errno.EEXIST, to);
      } else if (state[to] !== CLOSED && to >= firstId) {
        state[to] = OPEN;
        path.push({ id: to, next: references(types[to]!, true), taken: 0 });
      }
    }
  }
}
