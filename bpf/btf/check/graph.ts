/**
 * Second half of the kernel's check: what types lead to. A walk along ids, at most 32 deep, finds for
 * each type what it is in the end; chains that come back to themselves without a struct between, and
 * types in places where they make no sense, are refused (kernel/bpf/btf.c of 6.1).
 */
import { errno } from '../../../kernel/types/errno.ts';
import type { BtfKind } from '../types.ts';
import type { CheckLog } from './log.ts';
import { Refusal } from './log.ts';
import { checkMember } from './members.ts';
import type { RawBtf, RawType } from './raw.ts';
import { isIdentifier, isRegularInt } from './raw.ts';

/** MAX_RESOLVE_DEPTH */
const MAX_DEPTH = 32;

const kinds = (...names: BtfKind[]): ReadonlySet<BtfKind> => new Set(names);
const MODIFIERS = kinds('typedef', 'const', 'volatile', 'restrict', 'type_tag');
const COMPOSITES = kinds('struct', 'union');
/** Nothing can be of these types. */
const SOURCE_ONLY = kinds('var', 'decl_tag', 'datasec');
const SIZELESS = kinds('void', 'fwd', 'func', 'func_proto', 'decl_tag');
const SIZED = kinds('int', 'struct', 'union', 'enum', 'enum64', 'datasec', 'float');
const WALKED = kinds(
  ...MODIFIERS,
  ...COMPOSITES,
  'ptr',
  'array',
  'var',
  'func',
  'datasec',
  'decl_tag',
);
const TAGGABLE = kinds('struct', 'union', 'func', 'var', 'typedef');

/** What a walk that started at a type must still follow. */
type Mode = 'anything' | 'pointers' | 'contents';

interface Visit {
  readonly type: RawType;
  next: number;
}

const UNSEEN = 0;
const OPEN = 1;
const RESOLVED = 2;

export class GraphCheck {
  readonly #btf: RawBtf;
  readonly #log: CheckLog;
  readonly #state: Uint8Array;
  readonly #resolvedIds: Uint32Array;
  readonly #resolvedSizes: Uint32Array;
  readonly #stack: Visit[] = [];
  #mode: Mode = 'anything';

  constructor(btf: RawBtf, log: CheckLog) {
    this.#btf = btf;
    this.#log = log;
    this.#state = new Uint8Array(btf.types.length);
    this.#resolvedIds = new Uint32Array(btf.types.length);
    this.#resolvedSizes = new Uint32Array(btf.types.length);
  }

  check(): void {
    for (const type of this.#btf.types.slice(1)) {
      if (WALKED.has(type.kind) && !this.#isResolved(type)) this.#walk(type);
      if (type.kind === 'func_proto') this.#checkPrototype(type);
    }
    this.#checkTags();
  }

  /** Tags stand outside of const, volatile and typedefs: the kernel looks for them only there. */
  #checkTags(): void {
    let good = 0;
    for (const start of this.#btf.types.slice(1)) {
      if (!MODIFIERS.has(start.kind)) continue;
      let within = start.kind === 'type_tag';
      let left = MAX_DEPTH;
      for (let type = start; MODIFIERS.has(type.kind); type = this.#btf.types[type.sizeOrType]!) {
        if (left-- === 0) this.#log.refuse('Max chain length or cycle detected', errno.ELOOP);
        const isTag = type.kind === 'type_tag';
        if (isTag && !within) this.#log.refuse("Type tags don't precede modifiers");
        within &&= isTag;
        if (type.id <= good) break;
      }
      good = start.id;
    }
  }

  #walk(root: RawType): void {
    this.#mode = 'anything';
    try {
      this.#push(root);
      for (let visit = this.#stack.at(-1); visit !== undefined; visit = this.#stack.at(-1)) {
        this.#step(visit);
      }
    } catch (refusal) {
      if (!(refusal instanceof Refusal)) throw refusal;
      if (refusal.errno === errno.E2BIG || refusal.errno === errno.EEXIST) {
        this.#log.type(root, refusal.message);
      }
      throw refusal;
    }
  }

  #push(type: RawType): void {
    if (this.#stack.length === MAX_DEPTH) {
      throw new Refusal(errno.E2BIG, `Exceeded max resolving depth:${MAX_DEPTH}`);
    }
    if (this.#state[type.id] !== UNSEEN) throw new Refusal(errno.EEXIST, 'Loop detected');
    this.#state[type.id] = OPEN;
    this.#stack.push({ type, next: 0 });
    if (this.#mode !== 'anything') return;
    if (type.kind === 'ptr') this.#mode = 'pointers';
    else if (COMPOSITES.has(type.kind) || type.kind === 'array') this.#mode = 'contents';
  }

  #pop(resolvedId: number, sizeBytes: number): void {
    const { type } = this.#stack.pop()!;
    this.#resolvedIds[type.id] = resolvedId;
    this.#resolvedSizes[type.id] = sizeBytes;
    this.#state[type.id] = RESOLVED;
  }

  #isResolved({ id }: RawType): boolean {
    return this.#state[id] === RESOLVED;
  }

  /** The walk need not go into that type now. */
  #isSink({ kind }: RawType): boolean {
    switch (this.#mode) {
      case 'anything':
        return !WALKED.has(kind);
      case 'pointers':
        return !MODIFIERS.has(kind) && kind !== 'ptr';
      case 'contents':
        return !MODIFIERS.has(kind) && kind !== 'array' && !COMPOSITES.has(kind);
    }
  }

  /** True if that type has to be looked at first: it now is on the stack. */
  #descends(type: RawType): boolean {
    if (this.#isSink(type) || this.#isResolved(type)) return false;
    this.#push(type);
    return true;
  }

  /** What a type of that id is in the end, and its size; undefined where it has none. */
  #sized(id: number): { readonly type: RawType; readonly bytes: number } | undefined {
    const { types } = this.#btf;
    let type = types[id];
    if (type !== undefined && (MODIFIERS.has(type.kind) || type.kind === 'var')) {
      type = types[this.#resolvedIds[id]!]!;
    }
    if (type === undefined || SIZELESS.has(type.kind)) return undefined;
    if (SIZED.has(type.kind)) return { type, bytes: type.sizeOrType };
    if (type.kind === 'array') return { type, bytes: this.#resolvedSizes[type.id]! };
    return type.kind === 'ptr' ? { type, bytes: 8 } : undefined;
  }

  #step(visit: Visit): void {
    switch (visit.type.kind) {
      case 'struct':
      case 'union':
        return this.#stepComposite(visit);
      case 'array':
        return this.#stepArray(visit.type);
      case 'datasec':
        return this.#stepDatasec(visit);
      case 'decl_tag':
        return this.#stepTag(visit.type);
      case 'func':
        this.#checkFunction(visit.type);
        return this.#pop(visit.type.sizeOrType, 0);
      default:
        return this.#stepReference(visit.type);
    }
  }

  /** Pointers, typedefs, qualifiers, variables. */
  #stepReference(type: RawType): void {
    const refuse = () => this.#log.refuseType(type, 'Invalid type_id');
    const next = this.#btf.types[type.sizeOrType];
    if (next === undefined || SOURCE_ONLY.has(next.kind)) return refuse();
    if (this.#descends(next)) return;
    if ((type.kind === 'ptr' || type.kind === 'var') && MODIFIERS.has(next.kind)) {
      // Resolved as part of a struct, it may have stopped at a pointer.
      const end = this.#btf.types[this.#resolvedIds[next.id]!]!;
      if (end.kind === 'ptr' && this.#descends(end)) return;
    }
    const sized = this.#sized(next.id);
    if (sized !== undefined) return this.#pop(sized.type.id, type.kind === 'var' ? sized.bytes : 0);
    if (type.kind === 'var') return refuse();
    const end = this.#isResolved(next) ? this.#btf.types[this.#resolvedIds[next.id]!]! : next;
    if (end.kind !== 'void' && end.kind !== 'fwd' && end.kind !== 'func_proto') return refuse();
    this.#pop(end.id, 0);
  }

  #stepArray(type: RawType): void {
    const refuse = (why: string) => this.#log.refuseType(type, why);
    const [elementId, indexId, count] = [0, 1, 2].map((at) => this.#btf.rest(type, at));
    const usable = (part: RawType | undefined): part is RawType =>
      part !== undefined && !SIZELESS.has(part.kind) && !SOURCE_ONLY.has(part.kind);
    const index = this.#btf.types[indexId!];
    if (!usable(index)) return refuse('Invalid index');
    if (this.#descends(index)) return;
    const number = this.#sized(index.id)?.type;
    if (number?.kind !== 'int' || !isRegularInt(this.#btf, number)) return refuse('Invalid index');
    const element = this.#btf.types[elementId!];
    if (!usable(element)) return refuse('Invalid elem');
    if (this.#descends(element)) return;
    const sized = this.#sized(element.id);
    if (sized === undefined) return refuse('Invalid elem');
    if (count! * sized.bytes > 0xffff_ffff) refuse('Array size overflows U32_MAX');
    if (sized.type.kind === 'int' && !isRegularInt(this.#btf, sized.type)) {
      refuse('Invalid array of int');
    }
    this.#pop(sized.type.id, count! * sized.bytes);
  }

  #stepComposite(visit: Visit): void {
    const { type } = visit;
    if (visit.next > 0) this.#checkMember(type, visit.next - 1);
    for (let member = visit.next; member < type.vlen; member++) {
      const of = this.#btf.types[this.#btf.entry(type, member, 1)];
      if (of === undefined || SIZELESS.has(of.kind) || SOURCE_ONLY.has(of.kind)) {
        return this.#log.refuseMember(type, member, 'Invalid member');
      }
      visit.next = member + 1;
      if (this.#descends(of)) return;
      this.#checkMember(type, member);
    }
    this.#pop(0, 0);
  }

  #checkMember(struct: RawType, member: number): void {
    const id = this.#btf.entry(struct, member, 1);
    const of = this.#btf.types[id]!;
    const type = MODIFIERS.has(of.kind) ? this.#sized(id)?.type : of;
    if (type === undefined) return this.#log.refuseMember(struct, member, 'Invalid member');
    const arrayBytes = type.kind === 'array' ? this.#resolvedSizes[type.id]! : 0;
    checkMember(this.#btf, this.#log, { struct, member, type, arrayBytes });
  }

  #stepDatasec(visit: Visit): void {
    const { type } = visit;
    this.#mode = 'anything';
    for (let row = visit.next; row < type.vlen; row++) {
      const variable = this.#btf.types[this.#btf.entry(type, row, 0)];
      if (variable?.kind !== 'var') {
        return this.#log.refuseVariable(type, row, 'Not a VAR kind member');
      }
      visit.next = row + 1;
      if (this.#descends(variable)) return;
      const sized = this.#sized(variable.sizeOrType);
      if (sized === undefined) return this.#log.refuseVariable(type, row, 'Invalid type');
      if (this.#btf.entry(type, row, 2) < sized.bytes) {
        return this.#log.refuseVariable(type, row, 'Invalid size');
      }
    }
    this.#pop(0, 0);
  }

  #stepTag(type: RawType): void {
    const target = this.#btf.types[type.sizeOrType];
    if (target === undefined || !TAGGABLE.has(target.kind)) {
      return this.#log.refuseType(type, 'Invalid type_id');
    }
    if (this.#descends(target)) return;
    const component = this.#btf.rest(type, 0) | 0;
    if (component !== -1) {
      const counted = target.kind === 'func' ? this.#btf.types[target.sizeOrType]! : target;
      const none = target.kind === 'var' || target.kind === 'typedef';
      if (none || component >= counted.vlen) {
        this.#log.refuseType(type, 'Invalid component_idx');
      }
    }
    this.#pop(target.id, 0);
  }

  #checkFunction(type: RawType): void {
    const prototype = this.#btf.types[type.sizeOrType];
    if (prototype?.kind !== 'func_proto') return this.#log.refuseType(type, 'Invalid type_id');
    for (let index = 0; index < prototype.vlen; index++) {
      const [name, id] = [0, 1].map((at) => this.#btf.entry(prototype, index, at));
      if (name === 0 && id !== 0) this.#log.refuseType(type, `Invalid arg#${index + 1}`);
    }
  }

  #checkPrototype(type: RawType): void {
    const refuse = (why: string) => this.#log.refuseType(type, why);
    const has = (id: number) => {
      const of = this.#btf.types[id];
      if (of === undefined || SOURCE_ONLY.has(of.kind)) return false;
      if (WALKED.has(of.kind) && !this.#isResolved(of)) this.#walk(of);
      return this.#sized(id) !== undefined;
    };
    if (type.sizeOrType !== 0 && !has(type.sizeOrType)) refuse('Invalid return type');
    const parameter = (index: number, word: number) => this.#btf.entry(type, index, word);
    let count = type.vlen;
    if (count > 0 && parameter(count - 1, 1) === 0) {
      if (parameter(count - 1, 0) !== 0) refuse(`Invalid arg#${count}`);
      count--;
    }
    for (let index = 0; index < count; index++) {
      const name = parameter(index, 0);
      const named =
        name === 0 || (this.#btf.hasString(name) && isIdentifier(this.#btf.string(name)));
      const of = this.#btf.types[parameter(index, 1)];
      if (of === undefined || SOURCE_ONLY.has(of.kind) || !named || !has(of.id)) {
        refuse(`Invalid arg#${index + 1}`);
      }
    }
  }
}
