/** BTF as it is in memory, type by type, before anything of it is trusted. */
import type { BtfKind } from '../types.ts';
import { BTF_KINDS } from '../types.ts';

export interface RawType {
  readonly id: number;
  readonly kind: BtfKind;
  readonly nameOffset: number;
  readonly vlen: number;
  readonly kindFlag: boolean;
  /** Size in bytes, or the type that it refers to. */
  readonly sizeOrType: number;
  /** Byte offset of what follows the three words that all types start with. */
  readonly rest: number;
}

/** Bytes of the head, of the rest, and of each entry of the rest. */
export const HEAD_BYTES = 12;
export const REST_BYTES: Partial<Record<BtfKind, number>> = {
  int: 4,
  array: 12,
  var: 4,
  decl_tag: 4,
};
export const ENTRY_BYTES: Partial<Record<BtfKind, number>> = {
  struct: 12,
  union: 12,
  enum: 8,
  enum64: 12,
  func_proto: 8,
  datasec: 12,
};

export class RawBtf {
  readonly bytes: Uint8Array;
  readonly view: DataView;
  readonly types: RawType[] = [
    { id: 0, kind: 'void', nameOffset: 0, vlen: 0, kindFlag: false, sizeOrType: 0, rest: 0 },
  ];
  strings: Uint8Array = new Uint8Array(0);
  readonly #decoder = new TextDecoder();

  constructor(bytes: Uint8Array) {
    this.bytes = bytes;
    this.view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  }

  word(at: number): number {
    return this.view.getUint32(at, true);
  }

  /** Word of the rest of a type. */
  rest(type: RawType, index: number): number {
    return this.word(type.rest + index * 4);
  }

  /** Word of one of its entries (a member, an enumerator, a parameter …). */
  entry(type: RawType, entry: number, index: number): number {
    return this.word(type.rest + entry * ENTRY_BYTES[type.kind]! + index * 4);
  }

  /** Kind by its number; undefined beyond those of 6.1. */
  kindOf(info: number): BtfKind | undefined {
    return BTF_KINDS[(info >>> 24) & 31];
  }

  hasString(offset: number): boolean {
    return offset < this.strings.length;
  }

  /** A name's bytes without their NUL. */
  string(offset: number): Uint8Array {
    const end = this.strings.indexOf(0, offset);
    return this.strings.subarray(offset, end);
  }

  /** As messages have it. */
  nameText(offset: number): string {
    if (offset === 0) return '(anon)';
    if (!this.hasString(offset)) return '(invalid-name-offset)';
    return this.#decoder.decode(this.string(offset));
  }
}

/** KSYM_NAME_LEN of 6.1. */
const MAX_NAME_BYTES = 512;

/** A name as C has them, dots too; the kernel's letters are those of Latin-1. */
export function isIdentifier(name: Uint8Array): boolean {
  const letter = (byte: number) =>
    (byte | 32) >= 97 && (byte | 32) <= 122 && byte < 128
      ? true
      : byte >= 0xc0 && byte !== 0xd7 && byte !== 0xf7;
  const ok = (byte: number) => letter(byte) || byte === 0x5f || byte === 0x2e;
  if (name.length === 0 || name.length > MAX_NAME_BYTES) return false;
  return ok(name[0]!) && name.every((byte) => ok(byte) || (byte >= 0x30 && byte <= 0x39));
}

/** Of 8, 16, 32, 64 or 128 bits, from its first bit on. */
export function isRegularInt(btf: RawBtf, type: RawType): boolean {
  const data = btf.rest(type, 0);
  const bits = data & 0xff;
  return ((data >>> 16) & 0xff) === 0 && [8, 16, 32, 64, 128].includes(bits);
}
