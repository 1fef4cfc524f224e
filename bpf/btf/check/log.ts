/**
 * What the kernel writes to the log while it checks BTF: every type as it is met, members indented,
 * and behind the line that is wrong, why. A refusal ends the check.
 */
import { errno } from '../../../kernel/types/errno.ts';
import type { RawBtf, RawType } from './raw.ts';

/** Thrown within the check only. */
export class Refusal extends Error {
  override name = 'Refusal';
  readonly errno: number;
  constructor(code: number, why: string) {
    super(why);
    this.errno = code;
  }
}

/** btf_kind_str: the words of the kernel. */
const KIND_WORDS: Readonly<Record<string, string>> = { void: 'UNKNOWN' };
const ENCODINGS: Readonly<Record<number, string>> = {
  0: '(none)',
  1: 'SIGNED',
  2: 'CHAR',
  4: 'BOOL',
};

export class CheckLog {
  readonly #btf: RawBtf;
  readonly #parts: string[] | undefined;
  /** All types are in the log; what comes now are errors, which repeat the type for context. */
  listed = false;

  constructor(btf: RawBtf, wanted: boolean) {
    this.#btf = btf;
    this.#parts = wanted ? [] : undefined;
  }

  get text(): string {
    return this.#parts?.join('') ?? '';
  }

  say(text: string): void {
    this.#parts?.push(text);
  }

  refuse(why: string, code: number = errno.EINVAL): never {
    this.say(why);
    throw new Refusal(code, why);
  }

  type(type: RawType, why?: string): void {
    if (!this.#parts) return;
    const details = this.#details(type);
    this.say(`${this.#head(type)}${details === '' ? '' : ` ${details}`}${because(why)}\n`);
  }

  refuseType(type: RawType, why: string, code: number = errno.EINVAL): never {
    this.type(type, why);
    throw new Refusal(code, why);
  }

  /** For types whose details cannot be read. */
  refuseHead(type: RawType, why: string): never {
    if (this.#parts) this.say(`${this.#head(type)}${because(why)}\n`);
    throw new Refusal(errno.EINVAL, why);
  }

  /** `typeId`: instead of the member's own, where that is another name for it. */
  member(type: RawType, member: number, why?: string, typeId?: number): void {
    if (!this.#parts) return;
    if (this.listed) this.type(type);
    const [name, own, offset] = [0, 1, 2].map((index) => this.#btf.entry(type, member, index));
    const bits = type.kindFlag
      ? `bitfield_size=${offset! >>> 24} bits_offset=${offset! & 0xffffff}`
      : `bits_offset=${offset}`;
    const head = `\t${this.#btf.nameText(name!)} type_id=${typeId ?? own}`;
    this.say(`${head} ${bits}${because(why)}\n`);
  }

  refuseMember(type: RawType, member: number, why: string, typeId?: number): never {
    this.member(type, member, why, typeId);
    throw new Refusal(errno.EINVAL, why);
  }

  variable(type: RawType, row: number, why?: string): void {
    if (!this.#parts) return;
    if (this.listed) this.type(type);
    const [id, offset, size] = [0, 1, 2].map((index) => this.#btf.entry(type, row, index));
    this.say(`\t type_id=${id} offset=${offset} size=${size}${because(why)}\n`);
  }

  refuseVariable(type: RawType, row: number, why: string): never {
    this.variable(type, row, why);
    throw new Refusal(errno.EINVAL, why);
  }

  #head({ id, kind, nameOffset }: RawType): string {
    const word = KIND_WORDS[kind] ?? kind.toUpperCase();
    return `[${id}] ${word} ${this.#btf.nameText(nameOffset)}`;
  }

  #details(type: RawType): string {
    const { kind, sizeOrType, vlen, kindFlag } = type;
    const rest = (index: number) => this.#btf.rest(type, index);
    switch (kind) {
      case 'int': {
        const data = rest(0);
        const encoding = ENCODINGS[(data >>> 24) & 15] ?? 'UNKN';
        const offset = (data >>> 16) & 0xff;
        return `size=${sizeOrType} bits_offset=${offset} nr_bits=${data & 0xff} encoding=${encoding}`;
      }
      case 'array':
        return `type_id=${rest(0)} index_type_id=${rest(1)} nr_elems=${rest(2)}`;
      case 'struct':
      case 'union':
      case 'enum':
      case 'enum64':
      case 'datasec':
        return `size=${sizeOrType} vlen=${vlen}`;
      case 'fwd':
        return kindFlag ? 'union' : 'struct';
      case 'func_proto':
        return `return=${sizeOrType} args=(${this.#parameters(type)})`;
      case 'var':
        return `type_id=${sizeOrType} linkage=${rest(0)}`;
      case 'float':
        return `size=${sizeOrType}`;
      case 'decl_tag':
        return `type=${sizeOrType} component_idx=${rest(0) | 0}`;
      case 'void':
        return '';
      default:
        return `type_id=${sizeOrType}`;
    }
  }

  #parameters(type: RawType): string {
    if (type.vlen === 0) return 'void';
    const all = Array.from({ length: type.vlen }, (_, index) => {
      const id = this.#btf.entry(type, index, 1);
      const last = index === type.vlen - 1;
      if (last && id === 0) return 'vararg';
      return `${id} ${this.#btf.nameText(this.#btf.entry(type, index, 0))}`;
    });
    return all.join(', ');
  }
}

const because = (why: string | undefined) => (why ? ` ${why}` : '');
