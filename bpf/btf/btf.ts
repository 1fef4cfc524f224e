/**
 * BTF: the types of a program or of the kernel, by id and by name.
 *
 *   parseBtf(bytes)              checked bytes; throws BtfError and nothing else
 *   btf.types[id]                the types; id 0 is void
 *   btf.find(name, 'struct')     id by name
 *   btf.resolve(id)              id without typedefs, const, volatile, restrict and tags
 *   btf.sizeOf(id)               bytes, undefined for what has no size
 *   btf.member(id, name)         a member, also of anonymous structs within
 *   btf.nameOf(id)               as C spells it: `struct sk_buff *`
 *
 * Everything here ends: a parsed Btf has no dangling ids and no type that contains itself.
 */
import { StringTable, checkReferences, parseHeader, parseTypes } from './parse.ts';
import type { BtfFunc, BtfFuncProto, BtfKind, BtfType, BtfTypeOf } from './types.ts';

const VOID: BtfType = { kind: 'void', name: '' };
/** MAX_RESOLVE_DEPTH of kernel/bpf/btf.c. */
const MAX_DEPTH = 32;

export interface FoundMember {
  readonly type: number;
  readonly bitOffset: number;
  readonly bitSize: number;
}

export class Btf {
  /** The whole of the data, header included. */
  readonly bytes: Uint8Array;
  readonly base: Btf | undefined;
  readonly types: readonly BtfType[];
  readonly strings: StringTable;
  #byName: Map<string, number[]> | undefined;
  readonly #alignments = new Map<number, number>();
  #depth = 0;

  /** Use parseBtf or BtfBuilder; they see to it that everything is in range. */
  constructor(bytes: Uint8Array, types: readonly BtfType[], strings: StringTable, base?: Btf) {
    this.bytes = bytes;
    this.types = types;
    this.strings = strings;
    this.base = base;
  }

  /** Id of the first own type; 1 unless this BTF is split off a base. */
  get firstId(): number {
    return this.base?.types.length ?? 1;
  }

  type(id: number): BtfType | undefined {
    return this.types[id];
  }

  /** Type of that kind, or undefined. */
  typeAs<K extends BtfKind>(id: number, kind: K): BtfTypeOf<K> | undefined {
    const type = this.types[id];
    return type?.kind === kind ? (type as BtfTypeOf<K>) : undefined;
  }

  /** First type of that name (and kind). */
  find(name: string, kind?: BtfKind): number | undefined {
    return this.findAll(name).find((id) => kind === undefined || this.types[id]!.kind === kind);
  }

  findAll(name: string): readonly number[] {
    if (this.#byName === undefined) {
      this.#byName = new Map();
      for (const [id, type] of this.types.entries()) {
        if (type.name === '') continue;
        const ids = this.#byName.get(type.name);
        if (ids === undefined) this.#byName.set(type.name, [id]);
        else ids.push(id);
      }
    }
    return this.#byName.get(name) ?? [];
  }

  /** The id behind typedefs and modifiers. */
  resolve(id: number): number {
    for (let at = id; ;) {
      const type = this.types[at]!;
      switch (type.kind) {
        case 'typedef':
        case 'volatile':
        case 'const':
        case 'restrict':
        case 'type_tag':
          at = type.type;
          break;
        default:
          return at;
      }
    }
  }

  /** The type behind typedefs and modifiers. */
  resolved(id: number): BtfType {
    return this.types[this.resolve(id)]!;
  }

  /** Bytes of a value of that type; undefined for void, functions, fwd and beyond 4 GiB. */
  sizeOf(id: number): number | undefined {
    let count = 1;
    for (let at = id; ;) {
      const type = this.types[this.resolve(at)]!;
      switch (type.kind) {
        case 'int':
        case 'float':
        case 'enum':
        case 'enum64':
        case 'struct':
        case 'union':
        case 'datasec':
          return bounded(count * type.size);
        case 'ptr':
          return bounded(count * 8);
        case 'array':
          count = Math.min(count * type.count, Number.MAX_SAFE_INTEGER);
          at = type.elementType;
          break;
        case 'var':
          at = type.type;
          break;
        default:
          return undefined;
      }
    }
  }

  /** Alignment in bytes by C's rules; packed structs (a member off its alignment) have 1. */
  alignOf(id: number): number {
    const at = this.resolve(id);
    const known = this.#alignments.get(at);
    if (known !== undefined) return known;
    this.#alignments.set(at, 1); // Holds where the types nest too deep to follow.
    const align = this.#computeAlign(this.types[at]!);
    this.#alignments.set(at, align);
    return align;
  }

  #computeAlign(type: BtfType): number {
    switch (type.kind) {
      case 'int':
      case 'float':
      case 'enum':
      case 'enum64':
        return Math.min(8, type.size) || 1;
      case 'ptr':
        return 8;
      case 'array':
        return this.#nested(() => this.alignOf(type.elementType)) ?? 1;
      case 'struct':
      case 'union': {
        let align = 1;
        for (const member of type.members) {
          const own = this.#nested(() => this.alignOf(member.type)) ?? 1;
          if (member.bitSize === 0 && member.bitOffset % (own * 8) !== 0) return 1;
          align = Math.max(align, own);
        }
        return type.size % align === 0 ? align : 1;
      }
      default:
        return 1;
    }
  }

  /** `step` unless the recursion is deeper than the kernel follows types. */
  #nested<T>(step: () => T): T | undefined {
    if (this.#depth >= MAX_DEPTH) return undefined;
    this.#depth++;
    const result = step();
    this.#depth--;
    return result;
  }

  /** A member by name, looked for in anonymous structs and unions within as C does. */
  member(id: number, name: string): FoundMember | undefined {
    return this.#memberWithin(this.resolve(id), name, new Set());
  }

  /** `searched`: types that do not have it; a hostile DAG is walked once, not once a path. */
  #memberWithin(id: number, name: string, searched: Set<number>): FoundMember | undefined {
    const type = this.types[id]!;
    if ((type.kind !== 'struct' && type.kind !== 'union') || searched.has(id)) return undefined;
    searched.add(id);
    for (const member of type.members) {
      if (member.name === name) return member;
      if (member.name !== '') continue;
      const inner = this.#nested(() =>
        this.#memberWithin(this.resolve(member.type), name, searched),
      );
      if (inner !== undefined) return { ...inner, bitOffset: inner.bitOffset + member.bitOffset };
    }
    return undefined;
  }

  /** Prototype of a FUNC. */
  prototypeOf(func: BtfFunc): BtfFuncProto {
    return this.types[func.type] as BtfFuncProto;
  }

  /** The type as C spells it, without a declared name: `const struct foo *`, `int[4]`. */
  nameOf(id: number): string {
    let prefix = '';
    let suffix = '';
    let at = id;
    for (let depth = 0; depth <= MAX_DEPTH; depth++) {
      const type = this.types[at]!;
      switch (type.kind) {
        case 'ptr':
          suffix = ` *${suffix.startsWith(' *') ? suffix.slice(1) : suffix}`;
          at = type.type;
          break;
        case 'const':
        case 'volatile':
        case 'restrict':
          if (this.types[type.type]!.kind === 'ptr') suffix = ` ${type.kind}${suffix}`;
          else prefix += `${type.kind} `;
          at = type.type;
          break;
        case 'type_tag':
          at = type.type;
          break;
        case 'array':
          suffix = `[${type.count}]${suffix}`;
          at = type.elementType;
          break;
        default:
          return `${prefix}${baseName(type)}${suffix}`;
      }
    }
    return `${prefix}…${suffix}`;
  }
}

function bounded(size: number): number | undefined {
  return size <= 0xffffffff ? size : undefined;
}

function baseName(type: BtfType): string {
  const name = type.name === '' ? '(anon)' : type.name;
  switch (type.kind) {
    case 'void':
      return 'void';
    case 'struct':
    case 'union':
      return `${type.kind} ${name}`;
    case 'enum':
    case 'enum64':
      return `enum ${name}`;
    case 'fwd':
      return `${type.union ? 'union' : 'struct'} ${name}`;
    case 'func_proto':
      return 'func_proto';
    default:
      return name;
  }
}

/**
 * The BTF in `bytes`; with `base`, BTF split off it (its ids and names go on where base's end).
 * Throws BtfError for data that is no BTF.
 */
export function parseBtf(bytes: Uint8Array, base?: Btf): Btf {
  const header = parseHeader(bytes);
  const { typeStart, typeBytes, stringStart, stringBytes } = header;
  const strings = new StringTable(
    bytes.subarray(stringStart, stringStart + stringBytes),
    base?.strings,
  );
  const inherited = base?.types ?? [VOID];
  const section = bytes.subarray(typeStart, typeStart + typeBytes);
  const own = parseTypes(section, strings, inherited.length);
  const types = [...inherited, ...own];
  checkReferences(types, inherited.length);
  return new Btf(bytes, types, strings, base);
}
