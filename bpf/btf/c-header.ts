/**
 * `bpftool btf dump … format c`: a header file of the types, in an order that a compiler takes, as
 * bpftool 7.1 of Linux 6.1 prints it.
 *
 *   cHeader(btf, [])          { text }  all types; or only some, and what they need
 *
 * A type that no C can express ends the text early, with the reason in `failure`.
 */
import { errno } from '../../kernel/types/errno.ts';
import type { Btf } from './btf.ts';
import { Speller } from './c-decl.ts';
import { DefinitionOrder, MAX_NESTING } from './c-order.ts';
import { BtfError } from './types.ts';

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

/** GCC's own vector types of Arm, which its DWARF has as plain ints (polynomials over GF(2)). */
const ARM_VECTORS: Readonly<Record<string, string>> = {
  __Poly8_t: 'unsigned char',
  __Poly16_t: 'unsigned short',
  __Poly64_t: 'unsigned long long',
  __Poly128_t: 'unsigned __int128',
};

/** Steps from type to type; a Debian kernel's header takes 52,000. */
const MAX_STEPS = 5_000_000;

export interface CHeader {
  readonly text: string;
  readonly failure?: BtfError;
}

export function cHeader(btf: Btf, roots: readonly number[]): CHeader {
  const writer = new HeaderWriter(btf);
  const ids = roots.length > 0 ? roots : [...btf.types.keys()].slice(1);
  try {
    for (const id of ids) writer.add(id);
  } catch (failure) {
    if (!(failure instanceof BtfError)) throw failure;
    return { text: INTRO + writer.text(), failure };
  }
  return { text: INTRO + writer.text() + OUTRO };
}

const OPEN = 1;
const WRITTEN = 2;

class HeaderWriter {
  readonly #btf: Btf;
  readonly #order: DefinitionOrder;
  readonly #speller: Speller;
  readonly #parts: string[] = [];
  readonly #state: Uint8Array;
  /** The struct was announced, or the typedef already written for those who point at it. */
  readonly #announced: Uint8Array;
  #steps = MAX_STEPS;

  constructor(btf: Btf) {
    this.#btf = btf;
    this.#order = new DefinitionOrder(btf);
    this.#speller = new Speller(btf);
    this.#state = new Uint8Array(btf.types.length);
    this.#announced = new Uint8Array(btf.types.length);
  }

  text(): string {
    return this.#parts.join('');
  }

  add(id: number): void {
    for (const definition of this.#order.upTo(id)) this.#write(definition, undefined, 0);
  }

  /**
   * Write what stands ahead of a use of the type: for a use within another type (`user`) what that
   * needs to know of it; without a user the definition itself.
   */
  #write(id: number, user: number | undefined, depth: number): void {
    if (this.#state[id] === WRITTEN) return;
    if (depth > MAX_NESTING || --this.#steps < 0) {
      throw new BtfError('types nest too deep', errno.ELOOP, id);
    }
    const type = this.#btf.types[id]!;
    if (this.#state[id] === OPEN) return this.#writeEarly(id, user);
    const write = (to: number, by = user) => this.#write(to, by, depth + 1);
    switch (type.kind) {
      case 'int': {
        const vector = ARM_VECTORS[type.name];
        if (vector !== undefined) this.#emit(`typedef ${vector} ${type.name}`);
        this.#state[id] = WRITTEN;
        return;
      }
      case 'enum':
      case 'enum64':
        if (user === undefined) this.#emit(this.#speller.define(id));
        this.#state[id] = WRITTEN;
        return;
      case 'ptr':
      case 'const':
      case 'volatile':
      case 'restrict':
      case 'type_tag':
        return write(type.type);
      case 'array':
        return write(type.elementType);
      case 'func_proto':
        write(type.returnType);
        for (const param of type.params) write(param.type);
        return;
      case 'fwd':
        this.#emit(this.#speller.reference(id));
        this.#state[id] = WRITTEN;
        return;
      case 'typedef':
        this.#state[id] = OPEN;
        write(type.type, id);
        if (this.#announced[id] === 0) this.#emitTypedef(id);
        this.#state[id] = WRITTEN;
        return;
      case 'struct':
      case 'union': {
        this.#state[id] = OPEN;
        const named = type.name !== '';
        if (user === undefined || !named) {
          const owner = named ? id : user;
          for (const member of type.members) this.#write(member.type, owner ?? id, depth + 1);
        } else if (this.#announced[id] === 0 && id !== user) {
          this.#emit(this.#speller.reference(id));
          this.#announced[id] = 1;
        }
        if (user === undefined) this.#emit(this.#speller.define(id));
        this.#state[id] = user === undefined ? WRITTEN : 0;
        return;
      }
      default:
        return;
    }
  }

  /** A type that is used by what it is made of. */
  #writeEarly(id: number, user: number | undefined): void {
    if (this.#announced[id] === 1) return;
    const type = this.#btf.types[id]!;
    if (type.kind === 'typedef') {
      this.#emitTypedef(id);
    } else {
      // A struct needs no announcement within itself; one without a name can have none.
      if (id === user || type.name === '') return;
      this.#emit(this.#speller.reference(id));
    }
    this.#announced[id] = 1;
  }

  #emitTypedef(id: number): void {
    // Compilers have this one built in.
    if (this.#btf.types[id]!.name !== '__builtin_va_list') this.#emit(this.#speller.define(id));
  }

  #emit(declaration: string): void {
    this.#parts.push(`${declaration};\n\n`);
  }
}
