/**
 * Data of the kernel as C initialisers, as bpf_snprintf_btf prints it (kernel/bpf/btf.c, Linux 6.1):
 * `(struct list_head){\n .next = (struct list_head *)0x…,\n …}`.
 *
 *   showType(btf, id, address, flags, memory)    {text, status}: what there is up to a fault; a
 *                                                character of the text is a byte
 *
 * Members that are zero are left out unless asked for, with the structs that have only such. Some of
 * it looks odd, like an array of pointers that shows its first element only, but is Linux's.
 */
import type { Btf } from './btf.ts';
import type { BtfArray, BtfComposite, BtfEnum, BtfInt, BtfMember, BtfType } from './types.ts';

/** BTF_F_* (UAPI linux/bpf.h). */
export const BTF_F_COMPACT = 1;
export const BTF_F_NONAME = 2;
export const BTF_F_PTR_RAW = 4;
export const BTF_F_ZERO = 8;
export const BTF_F_ALL = BTF_F_COMPACT | BTF_F_NONAME | BTF_F_PTR_RAW | BTF_F_ZERO;

/** What is shown, by address. */
export interface ShownMemory {
  /** The bytes, or a negative errno. */
  read(address: bigint, sizeBytes: number): Uint8Array | number;
  /** A pointer as %p and as %px print it. */
  pointer(value: bigint, raw: boolean): string;
}

/** BTF_SHOW_MAX_ITER: pointers, arrays and typedefs around a type. */
const MAX_AROUND = 10;
/** Of a member's name with its type, NUL included (BTF_SHOW_NAME_SIZE). */
const NAME_BYTES = 80;
/** One space a level, up to here. */
const MAX_INDENT = 32;
/** enum of kinds in UAPI linux/btf.h, for those that cannot be shown. */
const KIND_NUMBERS: Partial<Record<BtfType['kind'], number>> = {
  fwd: 7,
  func: 12,
  func_proto: 13,
  datasec: 15,
  float: 16,
  decl_tag: 17,
};

export function showType(
  btf: Btf,
  id: number,
  address: bigint,
  flags: number,
  memory: ShownMemory,
): { readonly text: string; readonly status: number } {
  const shower = new Shower(btf, flags, memory);
  shower.show(id, address, 0);
  return { text: shower.text, status: shower.status };
}

class Shower {
  text = '';
  status = 0;
  readonly #btf: Btf;
  readonly #flags: number;
  readonly #memory: ShownMemory;
  #depth = 0;
  /** While it is not 0 nothing is printed: is there something to show within? */
  #depthCheck = 0;
  #depthToShow = 0;
  #typeId = 0;
  #isUnion = false;
  #member: BtfMember | undefined;
  #isElement = false;
  #ofChars = false;
  #terminated = false;

  constructor(btf: Btf, flags: number, memory: ShownMemory) {
    this.#btf = btf;
    this.#flags = flags;
    this.#memory = memory;
  }

  show(id: number, address: bigint, bitOffset: number): void {
    const type = this.#btf.resolved(id);
    switch (type.kind) {
      case 'struct':
      case 'union':
        return this.#ifAnything(() => this.#members(type, id, address));
      case 'array':
        return this.#ifAnything(() => this.#elements(type, id, address, bitOffset));
      case 'int':
        return this.#int(type, id, address, bitOffset);
      case 'ptr':
        return this.#pointer(id, address);
      case 'enum':
      case 'enum64':
        return this.#enum(type, id, address);
      default:
        this.#print(`<unsupported kind:${KIND_NUMBERS[type.kind] ?? 0}>`);
    }
  }

  #has(flag: number): boolean {
    return (this.#flags & flag) !== 0;
  }

  #print(text: string): void {
    if (this.#depthCheck === 0) this.text += text;
  }

  /** An aggregate within another is gone over twice: whether it has something, and to show it. */
  #ifAnything(show: () => void): void {
    const member = this.#member;
    if (this.#depth > 0 && !this.#has(BTF_F_ZERO)) {
      if (this.#depthCheck === 0) {
        this.#depthCheck = this.#depth + 1;
        this.#depthToShow = 0;
      }
      show();
      this.#member = member;
      if (this.#depthCheck !== this.#depth + 1) return;
      this.#depthCheck = 0;
      if (this.#depthToShow <= this.#depth) return;
    }
    show();
  }

  /** Of a type that starts here: its bytes, or undefined after a fault. */
  #start(id: number, address: bigint, sizeBytes: number, isUnion = false): Uint8Array | undefined {
    this.#typeId = id;
    this.#isUnion = isUnion;
    const bytes = this.#memory.read(address, sizeBytes);
    if (typeof bytes !== 'number') return bytes;
    this.status = bytes;
    return undefined;
  }

  #end(): void {
    this.#typeId = 0;
    this.#isUnion = false;
  }

  /** The first bytes of an aggregate are looked at when it starts, the others when they are shown. */
  #startAggregate(id: number, address: bigint, sizeBytes: number, isUnion: boolean): boolean {
    if (!this.#start(id, address, Math.min(sizeBytes, MAX_INDENT), isUnion)) return false;
    this.#print(`${this.#indent()}${this.#name()}${this.#newline()}`);
    this.#depth++;
    return true;
  }

  #endAggregate(suffix: string): void {
    this.#depth--;
    this.#print(`${this.#indent()}${suffix}${this.#delimiter()}${this.#newline()}`);
    this.#end();
  }

  #members(type: BtfComposite, id: number, address: bigint): void {
    if (!this.#startAggregate(id, address, type.size, type.kind === 'union')) return;
    for (const member of type.members) {
      this.#member = member;
      const at = address + BigInt(member.bitOffset >> 3);
      const bit = member.bitOffset & 7;
      if (member.bitSize > 0) {
        const sizeBytes = Math.ceil((bit + member.bitSize) / 8);
        const bytes = this.#start(member.type, at, sizeBytes);
        if (bytes) this.#bits(bytes, bit, member.bitSize);
        this.#end();
      } else this.show(member.type, at, bit);
      this.#member = undefined;
    }
    this.#endAggregate('}');
  }

  #elements(type: BtfArray, id: number, address: bigint, bitOffset: number): void {
    const element = this.#btf.resolved(type.elementType);
    // Only what has a size of its own is stepped over.
    const size = 'size' in element ? element.size : 0;
    this.#ofChars = element.kind === 'int' && (size === 1 || element.char);
    this.#terminated = false;
    const sizeBytes = this.#btf.sizeOf(id) ?? 0;
    if (!this.#startAggregate(id, address, sizeBytes, false)) return;
    for (let i = 0; i < type.count && !this.#terminated; i++) {
      this.#isElement = true;
      this.#member = undefined;
      this.show(type.elementType, address + BigInt(i * size), bitOffset);
      this.#isElement = false;
    }
    this.#ofChars = false;
    this.#terminated = false;
    this.#endAggregate(']');
  }

  #int(type: BtfInt, id: number, address: bigint, bitOffset: number): void {
    const bytes = this.#start(id, address, type.size);
    if (!bytes) return;
    const isWhole = bitOffset === 0 && type.bitOffset === 0 && type.bits % 8 === 0;
    if (!isWhole || ![8, 16, 32, 64].includes(type.bits)) {
      this.#bits(bytes, bitOffset + type.bitOffset, type.bits);
    } else if (type.bits === 8 && this.#ofChars && bytes[0] === 0) {
      this.#terminated = true;
    } else if (type.bits === 8 && this.#ofChars && isPrintable(bytes[0]!)) {
      this.#value(true, `'${String.fromCharCode(bytes[0]!)}'`);
    } else {
      const number = littleEndian(bytes);
      const value = type.signed ? BigInt.asIntN(type.bits, number) : number;
      this.#value(value !== 0n, String(value));
    }
    this.#end();
  }

  #bits(bytes: Uint8Array, from: number, count: number): void {
    const value = BigInt.asUintN(count, littleEndian(bytes) >> BigInt(from));
    this.#value(value !== 0n, `0x${value.toString(16)}`);
  }

  #pointer(id: number, address: bigint): void {
    const bytes = this.#start(id, address, 8);
    if (!bytes) return;
    const value = littleEndian(bytes);
    const text = this.#memory.pointer(value, this.#has(BTF_F_PTR_RAW));
    this.#value(value !== 0n, `0x${text}`);
    this.#end();
  }

  /** A value with a name is shown even where it is 0. */
  #enum(type: BtfEnum, id: number, address: bigint): void {
    const bytes = this.#start(id, address, type.size);
    if (!bytes) return;
    const bits = type.size * 8;
    const value = littleEndian(bytes);
    const number = type.signed ? BigInt.asIntN(bits, value) : value;
    const named = type.values.find((each) => BigInt.asUintN(bits, each.value) === value);
    this.#value(named !== undefined || number !== 0n, named?.name ?? String(number));
    this.#end();
  }

  #value(isSomething: boolean, text: string): void {
    if (!isSomething && !this.#has(BTF_F_ZERO) && this.#depth > 0) return;
    this.#print(`${this.#indent()}${this.#name()}${text}${this.#delimiter()}${this.#newline()}`);
    this.#depthToShow = Math.max(this.#depthToShow, this.#depth);
  }

  #indent(): string {
    return this.#has(BTF_F_COMPACT) ? '' : ' '.repeat(Math.min(this.#depth, MAX_INDENT));
  }

  #newline(): string {
    return this.#has(BTF_F_COMPACT) ? '' : '\n';
  }

  #delimiter(): string {
    if (this.#depth === 0) return '';
    return this.#has(BTF_F_COMPACT) && this.#isUnion ? '|' : ',';
  }

  /** `.member = (type)` and what opens: nothing for an element, the opening alone without names. */
  #name(): string {
    if (this.#isElement) return '';
    const member = this.#member;
    const around = this.#around(member?.type ?? this.#typeId);
    if (!around) return '';
    if (this.#has(BTF_F_NONAME)) return around.opens;
    const named = member && member.name !== '' ? `.${member.name} = ` : '';
    return `${named}(${around.text})${around.opens}`.slice(0, NAME_BYTES - 1);
  }

  /** The type as C spells it, but with all stars and brackets at its end. */
  #around(from: number): { readonly text: string; readonly opens: string } | undefined {
    let type: BtfType = this.#btf.type(from)!;
    let typedef: string | undefined;
    let [stars, brackets] = ['', ''];
    for (let i = 0; ; i++) {
      if (i === MAX_AROUND) return undefined;
      let next = 0;
      if (type.kind === 'typedef') {
        typedef ??= type.name;
        next = type.type;
      } else if (type.kind === 'array') {
        brackets += '[]';
        next = type.elementType;
      } else if (type.kind === 'ptr') {
        stars += '*';
        next = type.type;
      }
      if (next === 0) break;
      type = this.#withoutQualifiers(next);
    }
    const isComposite = type.kind === 'struct' || type.kind === 'union';
    const isEnum = type.kind === 'enum' || type.kind === 'enum64';
    const word = isComposite ? type.kind : isEnum ? 'enum' : '';
    const prefix = typedef === undefined ? word : '';
    // `void *` ends at the pointer itself, which has no name.
    const name = typedef ?? type.name;
    const spelled = [prefix, name].filter((part) => part !== '').join(' ');
    const opens = stars !== '' ? '' : brackets !== '' ? '[' : isComposite ? '{' : '';
    return { text: `${spelled}${stars && ` ${stars}`}${brackets}`, opens };
  }

  #withoutQualifiers(id: number): BtfType {
    for (let at = id; ;) {
      const type = this.#btf.type(at)!;
      const isQualifier = ['const', 'volatile', 'restrict', 'type_tag'].includes(type.kind);
      if (!isQualifier || !('type' in type)) return type;
      at = type.type;
    }
  }
}

/** The kernel's isprint: ISO 8859-1. */
const isPrintable = (byte: number) => (byte >= 0x20 && byte < 0x7f) || byte >= 0xa0;

function littleEndian(bytes: Uint8Array): bigint {
  return bytes.reduceRight((value, byte) => (value << 8n) | BigInt(byte), 0n);
}
