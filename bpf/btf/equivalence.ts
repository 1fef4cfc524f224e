/**
 * Whether two structs mean the same: equal in themselves, and so is all that they refer to, along
 * every path, with the same parts in the same places. While that is checked it is a hypothesis;
 * only if the whole graph agrees do the pairs of types become one.
 */
import type { BtfComposite, BtfType, BtfTypeOf } from './types.ts';

/** Which type stands for which so far; a type that stands for itself is its own value. */
export class Representatives {
  readonly #types: readonly BtfType[];
  readonly #map: Int32Array;

  constructor(types: readonly BtfType[]) {
    this.#types = types;
    this.#map = new Int32Array(types.length).fill(-1);
    this.#map[0] = 0;
  }

  isSettled(id: number): boolean {
    return this.#map[id]! >= 0;
  }

  settle(id: number, representative: number): void {
    this.#map[id] = representative;
  }

  of(id: number): number {
    let at = id;
    while (this.#map[at]! >= 0 && this.#map[at] !== at) at = this.#map[at]!;
    return at;
  }

  /** The struct that a forward declaration was found to mean; else the id itself. */
  behindForward(id: number): number {
    if (this.#types[id]!.kind !== 'fwd') return id;
    const to = this.of(id);
    return this.#types[to]!.kind === 'fwd' ? id : to;
  }
}

/** How deep structs are nested that compilers repeat; deeper ones only count as different. */
const MAX_REPEATED = 16;

export class Equivalence {
  readonly #types: readonly BtfType[];
  readonly #representatives: Representatives;
  /** Candidate by the canonical type that it would be the same as. */
  readonly #pairs = new Map<number, number>();

  constructor(types: readonly BtfType[], representatives: Representatives) {
    this.#types = types;
    this.#representatives = representatives;
  }

  /** If the candidate is the same as the canonical type, the pairs found on the way are merged. */
  merge(candidate: number, canonical: number): boolean {
    this.#pairs.clear();
    if (!this.#holds(candidate, canonical)) return false;
    this.#adopt();
    return true;
  }

  /** All pairs must agree, in the order of a walk from the root. */
  #holds(candidate: number, canonical: number): boolean {
    const stack: [number, number][] = [[candidate, canonical]];
    for (let pair = stack.pop(); pair !== undefined; pair = stack.pop()) {
      const parts = this.#compare(...pair);
      if (parts === undefined) return false;
      for (let at = parts.length - 1; at >= 0; at--) stack.push(parts[at]!);
    }
    return true;
  }

  /** The parts that must agree too; undefined where the two differ already. */
  #compare(candidate: number, target: number): readonly [number, number][] | undefined {
    const same = this.#representatives;
    if (same.of(candidate) === same.of(target)) return [];
    const canonical = same.behindForward(target);
    const assumed = this.#pairs.get(canonical);
    if (assumed !== undefined) return this.#sameByIds(assumed, candidate) ? [] : undefined;
    this.#pairs.set(canonical, candidate);
    return differences(this.#types[candidate]!, this.#types[canonical]!);
  }

  /** Compilers repeat identical arrays, and some structs, within one unit. */
  #sameByIds(a: number, b: number, depth = 0): boolean {
    if (a === b) return true;
    if (depth > MAX_REPEATED) return false;
    const [left, right] = [this.#types[a]!, this.#types[b]!];
    if (left.kind === 'array' && right.kind === 'array') return equalArray(left, right);
    return (
      isComposite(left) &&
      isComposite(right) &&
      shapeKey(left) === shapeKey(right) &&
      left.members.every(
        ({ type }, at) =>
          type === right.members[at]!.type ||
          this.#sameByIds(type, right.members[at]!.type, depth + 1),
      )
    );
  }

  #adopt(): void {
    const same = this.#representatives;
    for (const [canonicalId, candidateId] of this.#pairs) {
      const candidate = same.of(candidateId);
      const canonical = same.of(canonicalId);
      const candidateIsForward = this.#types[candidate]!.kind === 'fwd';
      const canonicalIsForward = this.#types[canonical]!.kind === 'fwd';
      // The struct that a forward declaration means need not be settled itself yet: it will be.
      if (!candidateIsForward && canonicalIsForward) same.settle(canonical, candidate);
      if (candidateIsForward && !canonicalIsForward) same.settle(candidate, canonical);
      const settled = same.isSettled(canonical) && !same.isSettled(candidate);
      if (settled && !canonicalIsForward && isComposite(this.#types[candidate]!)) {
        same.settle(candidate, canonical);
      }
    }
  }
}

const isComposite = (type: BtfType): type is BtfTypeOf<'struct'> | BtfTypeOf<'union'> =>
  type.kind === 'struct' || type.kind === 'union';

const equalArray = (a: BtfTypeOf<'array'>, b: BtfTypeOf<'array'>) =>
  a.elementType === b.elementType && a.indexType === b.indexType && a.count === b.count;

/** Parts of two types that agree but for these; undefined where they do not. */
function differences(a: BtfType, b: BtfType): readonly [number, number][] | undefined {
  if (a.name !== b.name) return undefined;
  if (a.kind !== b.kind) {
    const [fwd, whole] = a.kind === 'fwd' ? [a, b] : [b, a];
    return fwd.kind === 'fwd' && whole.kind === (fwd.union ? 'union' : 'struct') ? [] : undefined;
  }
  switch (a.kind) {
    case 'enum':
    case 'enum64':
      return compatibleEnums(a, b as typeof a) ? [] : undefined;
    case 'array': {
      const other = b as typeof a;
      if (a.count !== other.count) return undefined;
      return [
        [a.indexType, other.indexType],
        [a.elementType, other.elementType],
      ];
    }
    case 'struct':
    case 'union': {
      const other = b as BtfComposite;
      if (shapeKey(a) !== shapeKey(other)) return undefined;
      return a.members.map(({ type }, at) => [type, other.members[at]!.type]);
    }
    case 'func_proto': {
      const other = b as typeof a;
      const named = a.params.every(({ name }, at) => name === other.params[at]?.name);
      if (a.params.length !== other.params.length || !named) return undefined;
      return [
        [a.returnType, other.returnType],
        ...a.params.map(({ type }, at): [number, number] => [type, other.params[at]!.type]),
      ];
    }
    case 'func':
      return a.linkage === (b as typeof a).linkage ? [[a.type, (b as typeof a).type]] : undefined;
    case 'ptr':
    case 'typedef':
    case 'const':
    case 'volatile':
    case 'restrict':
    case 'type_tag':
      return [[a.type, (b as typeof a).type]];
    case 'int':
    case 'float':
    case 'fwd':
      return shapeKey(a) === shapeKey(b) ? [] : undefined;
    default:
      return undefined;
  }
}

/** One without values announces the other. */
export function compatibleEnums(a: BtfTypeOf<'enum' | 'enum64'>, b: typeof a): boolean {
  if (a.values.length > 0 && b.values.length > 0) return shapeKey(a) === shapeKey(b);
  return a.kind === b.kind && a.name === b.name && a.size === b.size && a.signed === b.signed;
}

/** What a type is, without the types that it refers to. Equal keys: equal in themselves. */
export function shapeKey(type: BtfType): string {
  switch (type.kind) {
    case 'int':
      return `i ${type.size} ${type.bits} ${type.bitOffset} ${type.signed} ${type.char} ${type.bool} ${type.name}`;
    case 'float':
      return `f ${type.size} ${type.name}`;
    case 'fwd':
      return `w ${type.union} ${type.name}`;
    case 'enum':
    case 'enum64': {
      const values = type.values.map(({ name, value }) => `${name}=${value}`);
      return `${type.kind} ${type.size} ${type.signed} ${type.name} ${values.join(' ')}`;
    }
    case 'struct':
    case 'union': {
      const members = type.members.map((m) => `${m.name}@${m.bitOffset}:${m.bitSize}`);
      return `${type.kind} ${type.size} ${type.kindFlag} ${type.name} ${members.join(' ')}`;
    }
    default:
      return JSON.stringify(type);
  }
}
