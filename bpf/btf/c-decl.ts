/**
 * Types as C spells them: declarations inside out, bodies of structs with the padding that makes
 * their offsets come true, names made unique (libbpf's btf_dump of Linux 6.1).
 *
 *   const speller = new Speller(btf);
 *   speller.declare(id, 'next', 0)       'struct foo *next'
 *   speller.define(id)                   'struct foo {\n\tint a;\n}' or 'typedef …'
 *   speller.reference(id)                'struct foo'
 */
import { errno } from '../../kernel/types/errno.ts';
import type { Btf } from './btf.ts';
import { MAX_NESTING } from './c-order.ts';
import type { BtfComposite, BtfEnum, BtfMember, BtfTypeOf } from './types.ts';
import { BtfError } from './types.ts';

/** A header of more text than that (a kernel's has 2 MiB) is made of types that multiply. */
const MAX_TEXT = 64 * 1024 * 1024;

export class Speller {
  readonly #btf: Btf;
  /** Names given so far: C has one space for tags, one for typedefs and enumerators. */
  readonly #tags = new Map<string, number>();
  readonly #identifiers = new Map<string, number>();
  readonly #names = new Map<number, string>();
  #depth = 0;
  #budget = MAX_TEXT;

  constructor(btf: Btf) {
    this.#btf = btf;
  }

  /** The definition without its semicolon. */
  define(id: number): string {
    const type = this.#btf.types[id]!;
    switch (type.kind) {
      case 'struct':
      case 'union':
        return this.#body(id, type, 0);
      case 'enum':
      case 'enum64':
        return this.#enumeration(id, type, 0);
      case 'typedef': {
        const name = this.#identifier(id);
        // What old GCCs leave of the type of variable arguments.
        if (type.type === 0 && name === '__gnuc_va_list') {
          return 'typedef __builtin_va_list __gnuc_va_list';
        }
        return `typedef ${this.declare(type.type, name, 0)}`;
      }
      default:
        return this.reference(id);
    }
  }

  /** The type by keyword and name. */
  reference(id: number): string {
    const type = this.#btf.types[id]!;
    switch (type.kind) {
      case 'struct':
      case 'union':
      case 'enum':
      case 'enum64': {
        const keyword = type.kind === 'enum64' ? 'enum' : type.kind;
        return type.name === '' ? keyword : `${keyword} ${this.#tag(id)}`;
      }
      case 'fwd':
        return `${type.union ? 'union' : 'struct'} ${type.name}`;
      case 'typedef':
        return this.#identifier(id);
      case 'void':
        return 'void';
      default:
        return type.name;
    }
  }

  /** A declaration of `name` (or of nothing, where that is empty) at an indentation level. */
  declare(id: number, name: string, level: number): string {
    if (this.#depth > MAX_NESTING) throw new BtfError('types nest too deep', errno.ELOOP, id);
    this.#depth++;
    const text = this.#unwind(this.#chain(id), name, level);
    this.#depth--;
    this.#budget -= text.length;
    if (this.#budget < 0) throw new BtfError('types repeat too much', errno.E2BIG, id);
    return text;
  }

  /** From the declared type to the one that it is made of. */
  #chain(id: number): number[] {
    const chain: number[] = [];
    for (let at = id; ;) {
      chain.push(at);
      if (chain.length > MAX_NESTING) throw new BtfError('types nest too deep', errno.ELOOP, id);
      const type = this.#btf.types[at]!;
      switch (type.kind) {
        case 'ptr':
        case 'const':
        case 'volatile':
        case 'restrict':
        case 'type_tag':
          at = type.type;
          break;
        case 'array':
          at = type.elementType;
          break;
        case 'func_proto':
          at = type.returnType;
          break;
        default:
          return chain;
      }
    }
  }

  /** Spells a chain from its end; what is left of it when brackets open stands within them. */
  #unwind(chain: number[], name: string, level: number): string {
    let text = '';
    // A star that comes first needs no space before it.
    let afterStar = true;
    for (let id = chain.pop(); id !== undefined; id = chain.pop()) {
      const type = this.#btf.types[id]!;
      switch (type.kind) {
        case 'ptr':
          text += afterStar ? '*' : ' *';
          break;
        case 'const':
        case 'volatile':
        case 'restrict':
          text += ` ${type.kind}`;
          break;
        case 'type_tag':
          text += `${this.#qualifiers(chain)} __attribute__((btf_type_tag("${type.name}")))`;
          break;
        case 'array': {
          // GCC qualifies arrays of qualified elements; C cannot.
          this.#qualifiers(chain);
          const next = chain.at(-1);
          if (next === undefined) return `${text}${gap(name, afterStar)}${name}[${type.count}]`;
          const inner = this.#unwind(chain, name, level);
          const nested = this.#btf.types[next]!.kind === 'array';
          return `${text}${gap(name, afterStar)}${nested ? inner : `(${inner})`}[${type.count}]`;
        }
        case 'func_proto': {
          // GCC marks functions that do not return as volatile.
          this.#qualifiers(chain);
          text +=
            chain.length > 0
              ? ` (${this.#unwind(chain, name, level)})`
              : `${gap(name, afterStar)}${name}`;
          return `${text}(${this.#parameters(type, level)})`;
        }
        default:
          text += this.#qualifiers(chain) + this.#inlined(id, level);
      }
      afterStar = type.kind === 'ptr';
    }
    return `${text}${gap(name, afterStar)}${name}`;
  }

  /** Takes const, volatile and restrict off the end of a chain. */
  #qualifiers(chain: number[]): string {
    let text = '';
    for (;;) {
      const { kind } = this.#btf.types[chain.at(-1) ?? 0]!;
      if (kind !== 'const' && kind !== 'volatile' && kind !== 'restrict') return text;
      text += `${kind} `;
      chain.pop();
    }
  }

  #parameters({ params }: BtfTypeOf<'func_proto'>, level: number): string {
    // clang's `(void)` has one parameter of type void, GCC's none.
    if (params.length === 0 || (params.length === 1 && params[0]!.type === 0)) return 'void';
    return params
      .map(({ name, type }, index) =>
        type === 0 && index === params.length - 1 ? '...' : this.declare(type, name, level),
      )
      .join(', ');
  }

  /** A type without a name has its body where it is used. */
  #inlined(id: number, level: number): string {
    const type = this.#btf.types[id]!;
    if (type.name === '') {
      if (type.kind === 'struct' || type.kind === 'union') return this.#body(id, type, level);
      if (type.kind === 'enum' || type.kind === 'enum64') return this.#enumeration(id, type, level);
    }
    return this.reference(id);
  }

  #body(id: number, type: BtfTypeOf<'struct' | 'union'>, level: number): string {
    const packed = type.kind === 'struct' && this.#isPacked(type);
    let text = `${this.reference(id)} {`;
    let end = 0;
    let afterBits = false;
    for (const member of type.members) {
      const { bitOffset, bitSize } = member;
      const align = packed ? 1 : this.#btf.alignOf(member.type);
      text += padding(end, bitOffset, align, afterBits && bitSize > 0, level + 1);
      const declared = this.declare(member.type, member.name, level + 1);
      text += `\n${'\t'.repeat(level + 1)}${declared}${bitSize > 0 ? `: ${bitSize}` : ''};`;
      end = bitOffset + (bitSize || (this.#btf.sizeOf(member.type) ?? 0) * 8);
      afterBits = bitSize > 0;
    }
    if (type.kind === 'struct') {
      text += padding(end, type.size * 8, this.#btf.alignOf(id), false, level + 1);
    }
    if (type.members.length > 0 || type.size > 0) text += `\n${'\t'.repeat(level)}`;
    return `${text}}${packed ? ' __attribute__((packed))' : ''}`;
  }

  #enumeration(id: number, type: BtfEnum, level: number): string {
    const head = this.reference(id);
    if (type.values.length === 0) return head;
    const wide = type.kind === 'enum64' ? (type.signed ? 'LL' : 'ULL') : '';
    const rows = type.values.map(({ name, value }) => {
      const unique = numbered(name, taken(this.#identifiers, name));
      return `\n${'\t'.repeat(level + 1)}${unique} = ${value}${wide},`;
    });
    return `${head} {${rows.join('')}\n${'\t'.repeat(level)}}`;
  }

  /** Some member, or the size, is not where C would have it. */
  #isPacked({ size, members }: BtfComposite): boolean {
    const aligns = members.map(({ type }) => this.#btf.alignOf(type));
    const off = ({ bitOffset, bitSize }: BtfMember, index: number) =>
      bitSize === 0 && bitOffset % (8 * aligns[index]!) !== 0;
    return size % aligns.reduce((a, b) => Math.max(a, b), 1) !== 0 || members.some(off);
  }

  #tag(id: number): string {
    const type = this.#btf.types[id]!;
    // An enum without values announces one that is elsewhere.
    if (type.kind === 'enum' && type.values.length === 0) return type.name;
    return this.#unique(id, this.#tags);
  }

  #identifier(id: number): string {
    return this.#unique(id, this.#identifiers);
  }

  #unique(id: number, space: Map<string, number>): string {
    const known = this.#names.get(id);
    if (known !== undefined) return known;
    const { name } = this.#btf.types[id]!;
    const unique = numbered(name, taken(space, name));
    this.#names.set(id, unique);
    return unique;
  }
}

const gap = (name: string, afterStar: boolean) => (name !== '' && !afterStar ? ' ' : '');

/** How many have that name, this one included. */
function taken(space: Map<string, number>, name: string): number {
  const count = (space.get(name) ?? 0) + 1;
  space.set(name, count);
  return count;
}

const numbered = (name: string, count: number) => (count > 1 ? `${name}___${count}` : name);

/** What unnamed bit-fields are made of, in bits. */
const UNITS = [
  ['long', 64],
  ['int', 32],
  ['short', 16],
  ['char', 8],
] as const;

const roundUp = (bit: number, unit: number) => Math.ceil(bit / unit) * unit;

/**
 * Unnamed bit-fields from where a member ends to where the next one starts, as few as the compiler
 * needs: it aligns by itself what comes next, and an unnamed `long: 0` makes it align further.
 */
function padding(
  from: number,
  to: number,
  nextAlign: number,
  betweenBits: boolean,
  level: number,
): string {
  if (from >= to) return '';
  const line = (type: string, bits: number) => `\n${'\t'.repeat(level)}${type}: ${bits};`;
  // The largest unit with a boundary in the gap.
  const [type, unit] = UNITS.find(([, bits]) => roundUp(from, bits) <= to) ?? UNITS[3];
  let text = '';
  let at = from;
  const boundary = roundUp(at, unit);
  if (boundary > at && boundary <= to) {
    // Left alone, the next member would not land there; or the fill that follows would fit before.
    const missed = boundary === to && roundUp(at, nextAlign * 8) !== boundary;
    const swallowed = boundary !== to && to - boundary <= boundary - at;
    if (betweenBits) text += line(type, boundary - at);
    else if (missed || swallowed) text += line(type, 0);
    at = boundary;
  }
  for (; to - at >= unit; at += unit) text += line(type, unit);
  if (at === to) return text;
  const rest = to - at;
  const [smallest] = UNITS.findLast(([, bits]) => bits >= rest) ?? UNITS[0];
  return text + line(smallest, rest);
}
