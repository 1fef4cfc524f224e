/**
 * `btf dump … format c`: a header file of all types, in an order that a compiler takes. Structs
 * that are only pointed at are declared ahead; those that are members come first.
 */
// differs: padding is left to the compiler, packed structs are marked by their size only, and of
// two types with one name the second gets the suffix ___2, as libbpf numbers them.
import type { Btf } from '../../bpf/btf/btf.ts';
import type { BtfType } from '../../bpf/btf/types.ts';

const INTRO = `#ifndef __VMLINUX_H__
#define __VMLINUX_H__

#ifndef BPF_NO_PRESERVE_ACCESS_INDEX
#pragma clang attribute push (__attribute__((preserve_access_index)), apply_to = record)
#endif

`;
const OUTRO = `#ifndef BPF_NO_PRESERVE_ACCESS_INDEX
#pragma clang attribute pop
#endif

#endif /* __VMLINUX_H__ */
`;

export function headerText(btf: Btf, roots: readonly number[]): string {
  const writer = new HeaderWriter(btf);
  const ids = roots.length > 0 ? roots : btf.types.keys();
  for (const id of ids) writer.add(id);
  return INTRO + writer.text + OUTRO;
}

class HeaderWriter {
  text = '';
  readonly #btf: Btf;
  readonly #done = new Set<number>();
  readonly #declared = new Set<string>();
  readonly #names = new Map<number, string>();
  readonly #taken = new Map<string, number>();

  constructor(btf: Btf) {
    this.#btf = btf;
  }

  /** Write the type, and before it what it needs whole. */
  add(id: number): void {
    if (this.#done.has(id)) return;
    this.#done.add(id);
    const type = this.#btf.types[id]!;
    switch (type.kind) {
      case 'struct':
      case 'union':
        for (const member of type.members) this.#need(member.type);
        if (type.name !== '') this.text += `${this.#composite(id, type, 0)};\n\n`;
        return;
      case 'enum':
      case 'enum64':
        this.text += `${this.#enumeration(id, type, 0)};\n\n`;
        return;
      case 'typedef':
        this.#need(type.type);
        this.text += `typedef ${this.#declare(type.type, this.#nameOf(id, type), 0)};\n\n`;
        return;
      case 'func_proto':
      case 'ptr':
      case 'array':
      case 'const':
      case 'volatile':
      case 'restrict':
        this.#need(id);
        return;
      default:
        return;
    }
  }

  /** What a declaration of `id` refers to must be known: whole, or by name behind a pointer. */
  #need(id: number, pointed = false): void {
    const type = this.#btf.types[id]!;
    switch (type.kind) {
      case 'ptr':
        return this.#need(type.type, true);
      case 'array':
        return this.#need(type.elementType, pointed);
      case 'const':
      case 'volatile':
      case 'restrict':
      case 'type_tag':
        return this.#need(type.type, pointed);
      case 'typedef':
        return this.add(id);
      case 'func_proto':
        this.#need(type.returnType, true);
        for (const param of type.params) if (param.type !== 0) this.#need(param.type, true);
        return;
      case 'struct':
      case 'union':
        if (type.name === '') {
          for (const member of type.members) this.#need(member.type);
          this.#done.add(id);
        } else if (pointed) this.#forward(id, type, type.kind);
        else this.add(id);
        return;
      case 'fwd':
        return this.#forward(id, type, type.union ? 'union' : 'struct');
      case 'enum':
      case 'enum64':
        if (type.name === '') this.#done.add(id);
        else this.add(id);
        return;
      default:
        return;
    }
  }

  #forward(id: number, type: BtfType, keyword: string): void {
    const name = `${keyword} ${this.#nameOf(id, type)}`;
    if (this.#done.has(id) || this.#declared.has(name)) return;
    this.#declared.add(name);
    this.text += `${name};\n\n`;
  }

  /** The type's name, made unique among types. */
  #nameOf(id: number, type: BtfType): string {
    const known = this.#names.get(id);
    if (known !== undefined) return known;
    const space = type.kind === 'typedef' ? 'typedef ' : type.kind === 'fwd' ? 'fwd ' : 'tag ';
    const count = (this.#taken.get(space + type.name) ?? 0) + 1;
    this.#taken.set(space + type.name, count);
    const name = count === 1 || space === 'fwd ' ? type.name : `${type.name}___${count}`;
    this.#names.set(id, name);
    return name;
  }

  #composite(
    id: number,
    type: Extract<BtfType, { kind: 'struct' | 'union' }>,
    depth: number,
  ): string {
    const name = type.name === '' ? '' : ` ${this.#nameOf(id, type)}`;
    const indent = '\t'.repeat(depth);
    const members = type.members.map((member) => {
      const bits = member.bitSize > 0 ? `: ${member.bitSize}` : '';
      return `${indent}\t${this.#declare(member.type, member.name, depth + 1)}${bits};\n`;
    });
    const packed = this.#isPacked(type) ? ' __attribute__((packed))' : '';
    return `${type.kind}${name} {\n${members.join('')}${indent}}${packed}`;
  }

  #isPacked(type: Extract<BtfType, { kind: 'struct' | 'union' }>): boolean {
    return type.members.some(({ type: member, bitOffset, bitSize }) => {
      return bitSize === 0 && bitOffset % (this.#btf.alignOf(member) * 8) !== 0;
    });
  }

  #enumeration(
    id: number,
    type: Extract<BtfType, { kind: 'enum' | 'enum64' }>,
    depth: number,
  ): string {
    const name = type.name === '' ? '' : ` ${this.#nameOf(id, type)}`;
    const indent = '\t'.repeat(depth);
    const suffix = type.kind === 'enum64' ? (type.signed ? 'LL' : 'ULL') : '';
    const values = type.values.map((row) => `${indent}\t${row.name} = ${row.value}${suffix},\n`);
    return `enum${name} {\n${values.join('')}${indent}}`;
  }

  /** C's inside-out declarations: `inner` is what has been built around the name so far. */
  #declare(id: number, inner: string, depth: number): string {
    const space = (text: string): string => (text === '' ? '' : ` ${text}`);
    if (id === 0) return `void${space(inner)}`;
    const type = this.#btf.types[id]!;
    switch (type.kind) {
      case 'ptr': {
        const target = this.#btf.types[this.#withoutTags(type.type)]!;
        const wraps = target.kind === 'func_proto' || target.kind === 'array';
        return this.#declare(type.type, wraps ? `(*${inner})` : `*${inner}`, depth);
      }
      case 'array':
        return this.#declare(type.elementType, `${inner}[${type.count}]`, depth);
      case 'const':
      case 'volatile':
      case 'restrict': {
        const target = this.#btf.types[type.type]!;
        if (target.kind === 'ptr') {
          return this.#declare(type.type, ` ${type.kind}${space(inner)}`.trimStart(), depth);
        }
        return `${type.kind} ${this.#declare(type.type, inner, depth)}`;
      }
      case 'type_tag':
        return this.#declare(type.type, inner, depth);
      case 'func_proto': {
        const params = type.params.map((param) =>
          param.type === 0 ? '...' : this.#declare(param.type, param.name, depth),
        );
        return this.#declare(type.returnType, `${inner}(${params.join(', ') || 'void'})`, depth);
      }
      case 'struct':
      case 'union': {
        const text =
          type.name === ''
            ? this.#composite(id, type, depth)
            : `${type.kind} ${this.#nameOf(id, type)}`;
        return text + space(inner);
      }
      case 'enum':
      case 'enum64': {
        const text =
          type.name === '' ? this.#enumeration(id, type, depth) : `enum ${this.#nameOf(id, type)}`;
        return text + space(inner);
      }
      case 'fwd':
        return `${type.union ? 'union' : 'struct'} ${this.#nameOf(id, type)}${space(inner)}`;
      case 'typedef':
        return `${this.#nameOf(id, type)}${space(inner)}`;
      default:
        return `${type.name}${space(inner)}`;
    }
  }

  #withoutTags(id: number): number {
    let at = id;
    for (;;) {
      const type = this.#btf.types[at]!;
      if (type.kind !== 'type_tag') return at;
      at = type.type;
    }
  }
}
