/**
 * In which order types must be defined so that C takes them: what a struct holds by value stands
 * before it, what it only points at may come later (libbpf's btf_dump, which `bpftool btf dump …
 * format c` prints with).
 *
 *   const order = new DefinitionOrder(btf);
 *   order.upTo(id)        ids to define now, `id`'s own last; throws BtfError for an endless type
 */
import { errno } from '../../kernel/types/errno.ts';
import type { Btf } from './btf.ts';
import { BtfError } from './types.ts';

/** Types nested deeper are nobody's source code; libbpf would run out of stack some time later. */
export const MAX_NESTING = 2000;

const OPEN = 1;
const DONE = 2;

export class DefinitionOrder {
  readonly #btf: Btf;
  readonly #state: Uint8Array;
  readonly #referenced: Uint8Array;
  #queue: number[] = [];

  constructor(btf: Btf) {
    this.#btf = btf;
    this.#state = new Uint8Array(btf.types.length);
    this.#referenced = markReferenced(btf);
  }

  upTo(id: number): readonly number[] {
    this.#queue = [];
    this.#visit(id, false, 0);
    return this.#queue;
  }

  /**
   * True where the type is (now) defined, so that a typedef of it can be, too; false where its name
   * is enough, behind a pointer.
   */
  #visit(id: number, pointed: boolean, depth: number): boolean {
    if (this.#state[id] === DONE) return true;
    const type = this.#btf.types[id]!;
    const named = type.name !== '';
    if (this.#state[id] === OPEN) {
      // Only a struct or union can be announced by its name.
      const composite = type.kind === 'struct' || type.kind === 'union';
      if (composite && pointed && named) return false;
      throw new BtfError('unsatisfiable type cycle', errno.ELOOP, id);
    }
    if (depth > MAX_NESTING) throw new BtfError('types nest too deep', errno.ELOOP, id);
    const visit = (to: number, behind = pointed) => this.#visit(to, behind, depth + 1);
    switch (type.kind) {
      case 'ptr': {
        const defined = visit(type.type, true);
        this.#state[id] = DONE;
        return defined;
      }
      case 'array':
        return visit(type.elementType, false);
      case 'const':
      case 'volatile':
      case 'restrict':
      case 'type_tag':
        return visit(type.type);
      case 'func_proto':
        return [type.returnType, ...type.params.map((param) => param.type)]
          .map((part) => visit(part))
          .some(Boolean);
      case 'struct':
      case 'union':
        if (pointed && named) return false;
        this.#state[id] = OPEN;
        for (const member of type.members) visit(member.type, false);
        return this.#define(id, named);
      case 'enum':
      case 'enum64':
      case 'fwd':
        // An unnamed enum is defined within whatever uses it, if anything does.
        return this.#define(id, named || this.#referenced[id] === 0);
      case 'typedef':
        if (!visit(type.type) && pointed) return false;
        return this.#define(id, true);
      default:
        this.#state[id] = DONE;
        return false;
    }
  }

  #define(id: number, byItself: boolean): true {
    if (byItself) this.#queue.push(id);
    this.#state[id] = DONE;
    return true;
  }
}

/** Types that another one uses. What a function returns does not count, as in libbpf. */
function markReferenced(btf: Btf): Uint8Array {
  const marks = new Uint8Array(btf.types.length);
  for (const type of btf.types) {
    switch (type.kind) {
      case 'array':
        marks[type.indexType] = 1;
        marks[type.elementType] = 1;
        break;
      case 'struct':
      case 'union':
        for (const member of type.members) marks[member.type] = 1;
        break;
      case 'func_proto':
        for (const param of type.params) marks[param.type] = 1;
        break;
      case 'datasec':
        for (const variable of type.vars) marks[variable.type] = 1;
        break;
      default:
        if ('type' in type) marks[type.type] = 1;
    }
  }
  return marks;
}
