/**
 * Makes BTF: from nothing, or from an existing one whose types it changes.
 *
 *   const builder = new BtfBuilder();
 *   const int = builder.intern({ kind: 'int', name: 'int', … });
 *   builder.add({ kind: 'typedef', name: 'pid_t', type: int });
 *   builder.build()                            -> Btf
 *
 * Started from a Btf, ids and offsets in its string section stay what they were, so records of
 * `.BTF.ext` remain valid.
 */
import { Btf } from './btf.ts';
import { StringTable, checkReferences } from './parse.ts';
import type { BtfType } from './types.ts';
import { BTF_HEADER_BYTES, BTF_KINDS, BTF_MAGIC, LINKAGES } from './types.ts';

const VOID: BtfType = { kind: 'void', name: '' };

export class BtfBuilder {
  readonly #types: BtfType[];
  readonly #interned = new Map<string, number>();
  readonly #strings: Uint8Array[];
  readonly #offsets = new Map<string, number>();
  #stringBytes: number;

  constructor(start?: Btf) {
    this.#types = start === undefined ? [VOID] : [...start.types];
    this.#strings = [start?.strings.bytes ?? new Uint8Array(1)];
    this.#stringBytes = this.#strings[0]!.length;
    this.#offsets.set('', 0);
    if (start !== undefined) this.#learnStrings(start.strings);
  }

  #learnStrings(strings: StringTable): void {
    for (let at = 1; at < strings.bytes.length;) {
      const end = strings.bytes.indexOf(0, at);
      const text = strings.at(at)!;
      if (!this.#offsets.has(text)) this.#offsets.set(text, at);
      at = end + 1;
    }
  }

  get types(): readonly BtfType[] {
    return this.#types;
  }

  /** A new type; its id. */
  add(type: BtfType): number {
    this.#types.push(type);
    return this.#types.length - 1;
  }

  /** The id of an equal type that was interned before, or of a new one. */
  intern(type: BtfType): number {
    const key = JSON.stringify(type, (_, value: unknown) =>
      typeof value === 'bigint' ? `${value}n` : value,
    );
    const known = this.#interned.get(key);
    if (known !== undefined) return known;
    const id = this.add(type);
    this.#interned.set(key, id);
    return id;
  }

  replace(id: number, type: BtfType): void {
    this.#types[id] = type;
  }

  /** Offset of that text in the string section; each text is there once. */
  string(text: string): number {
    const known = this.#offsets.get(text);
    if (known !== undefined) return known;
    const offset = this.#stringBytes;
    const bytes = new TextEncoder().encode(`${text}\0`);
    this.#strings.push(bytes);
    this.#stringBytes += bytes.length;
    this.#offsets.set(text, offset);
    return offset;
  }

  /** Throws BtfError if types were added that contradict each other. */
  build(): Btf {
    const words: number[] = [];
    for (const type of this.#types.slice(1)) this.#encode(type, words);
    const typeBytes = words.length * 4;
    const bytes = new Uint8Array(BTF_HEADER_BYTES + typeBytes + this.#stringBytes);
    const view = new DataView(bytes.buffer);
    view.setUint16(0, BTF_MAGIC, true);
    view.setUint8(2, 1);
    [BTF_HEADER_BYTES, 0, typeBytes, typeBytes, this.#stringBytes].forEach((value, index) =>
      view.setUint32(4 + index * 4, value, true),
    );
    words.forEach((word, index) => view.setUint32(BTF_HEADER_BYTES + index * 4, word, true));
    let at = BTF_HEADER_BYTES + typeBytes;
    const strings = bytes.subarray(at);
    for (const part of this.#strings) {
      bytes.set(part, at);
      at += part.length;
    }
    checkReferences(this.#types, 1);
    return new Btf(bytes, [...this.#types], new StringTable(strings));
  }

  #encode(type: BtfType, out: number[]): void {
    const head = (sizeOrType: number, vlen = 0, kindFlag = false) => {
      const kind = BTF_KINDS.indexOf(type.kind);
      out.push(
        this.string(type.name),
        (kindFlag ? 0x80000000 : 0) + (kind << 24) + vlen,
        sizeOrType,
      );
    };
    switch (type.kind) {
      case 'void':
        break;
      case 'int': {
        const encoding = (type.signed ? 1 : 0) | (type.char ? 2 : 0) | (type.bool ? 4 : 0);
        head(type.size);
        out.push((encoding << 24) | (type.bitOffset << 16) | type.bits);
        break;
      }
      case 'array':
        head(0);
        out.push(type.elementType, type.indexType, type.count);
        break;
      case 'struct':
      case 'union':
        head(type.size, type.members.length, type.kindFlag);
        for (const { name, type: memberType, bitOffset, bitSize } of type.members) {
          const offset = type.kindFlag ? bitSize * 2 ** 24 + bitOffset : bitOffset;
          out.push(this.string(name), memberType, offset);
        }
        break;
      case 'enum':
      case 'enum64':
        head(type.size, type.values.length, type.signed);
        for (const { name, value } of type.values) {
          out.push(this.string(name), Number(BigInt.asUintN(32, value)));
          if (type.kind === 'enum64') out.push(Number(BigInt.asUintN(32, value >> 32n)));
        }
        break;
      case 'fwd':
        head(0, 0, type.union);
        break;
      case 'func':
        head(type.type, LINKAGES.indexOf(type.linkage));
        break;
      case 'func_proto':
        head(type.returnType, type.params.length);
        for (const param of type.params) out.push(this.string(param.name), param.type);
        break;
      case 'var':
        head(type.type);
        out.push(LINKAGES.indexOf(type.linkage));
        break;
      case 'datasec':
        head(type.size, type.vars.length);
        for (const variable of type.vars) out.push(variable.type, variable.offset, variable.size);
        break;
      case 'float':
        head(type.size);
        break;
      case 'decl_tag':
        head(type.type);
        out.push(type.component);
        break;
      default:
        head(type.type);
    }
  }
}
