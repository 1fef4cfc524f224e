/**
 * BTF in which each type is there once: what libbpf's btf__dedup does with the types of several
 * objects (or of thousands of a kernel's).
 *
 *   const { types, idOf } = deduplicate(concatenated([a, b]).types);
 *   dedupBtf(btf)                                        -> Btf
 *
 * Order matters: numbers, enums and forward declarations are what they are; structs then are
 * compared as whole graphs, which also finds out what forward declarations mean; what refers to
 * types (pointers, typedefs, prototypes …) follows. Variables and sections stay as they are.
 */
import { errno } from '../../kernel/types/errno.ts';
import type { Btf } from './btf.ts';
import { Equivalence, Representatives, compatibleEnums, shapeKey } from './equivalence.ts';
import { references } from './parse.ts';
import { btfOfTypes, remapped } from './remap.ts';
import type { BtfType, BtfTypeOf } from './types.ts';
import { BtfError } from './types.ts';

export interface DedupOptions {
  /**
   * A forward declaration that no graph explains means the only struct of its name (libbpf since
   * 1.1). False: it stays, as in Linux 6.1's bpftool.
   */
  readonly resolveForwards?: boolean;
}

export interface Deduplicated {
  readonly types: readonly BtfType[];
  /** New id by old id. */
  readonly idOf: (id: number) => number;
}

export function dedupBtf(btf: Btf, options: DedupOptions = {}): Btf {
  return btfOfTypes(deduplicate(btf.types, options).types);
}

/** `types[0]` is void. Throws BtfError for types that no compiler makes (a pointer to itself). */
export function deduplicate(
  types: readonly BtfType[],
  { resolveForwards = true }: DedupOptions = {},
): Deduplicated {
  const same = new Representatives(types);
  mergePrimitives(types, same);
  mergeStructs(types, same);
  if (resolveForwards) mergeForwards(types, same);
  const rewritten = mergeReferring(types, same);
  return compacted(rewritten, same);
}

function mergePrimitives(types: readonly BtfType[], same: Representatives): void {
  const known = new Map<string, number>();
  const enums = new Map<string, number[]>();
  for (const [id, type] of types.entries()) {
    switch (type.kind) {
      case 'int':
      case 'float':
      case 'fwd': {
        const key = shapeKey(type);
        if (!known.has(key)) known.set(key, id);
        same.settle(id, known.get(key)!);
        break;
      }
      case 'enum':
      case 'enum64': {
        const named = enums.get(type.name) ?? [];
        enums.set(type.name, named);
        mergeEnum(id, type, named, types, same);
        break;
      }
      case 'var':
      case 'datasec':
        same.settle(id, id);
        break;
      default:
    }
  }
}

/** An enum without values stands for the one with them, whichever comes first. */
function mergeEnum(
  id: number,
  type: BtfTypeOf<'enum' | 'enum64'>,
  named: number[],
  types: readonly BtfType[],
  same: Representatives,
): void {
  for (const other of named) {
    const canonical = types[other] as typeof type;
    if (!compatibleEnums(type, canonical)) continue;
    if (type.values.length === 0 || canonical.values.length > 0) return same.settle(id, other);
    same.settle(other, id);
  }
  same.settle(id, id);
  named.push(id);
}

function mergeStructs(types: readonly BtfType[], same: Representatives): void {
  const equivalence = new Equivalence(types, same);
  const canonical = new Map<string, number[]>();
  for (const [id, type] of types.entries()) {
    if ((type.kind !== 'struct' && type.kind !== 'union') || same.isSettled(id)) continue;
    const key = shapeKey(type);
    const alike = canonical.get(key) ?? [];
    canonical.set(key, alike);
    const found = alike.find((other) => equivalence.merge(id, other));
    if (found === undefined) alike.push(id);
    same.settle(id, found ?? id);
  }
}

function mergeForwards(types: readonly BtfType[], same: Representatives): void {
  const named = new Map<string, number[]>();
  for (const [id, { kind, name }] of types.entries()) {
    if ((kind !== 'struct' && kind !== 'union') || name === '' || same.of(id) !== id) continue;
    const key = `${kind} ${name}`;
    named.set(key, [...(named.get(key) ?? []), id]);
  }
  for (const [id, type] of types.entries()) {
    if (type.kind !== 'fwd' || same.of(id) !== id) continue;
    const found = named.get(`${type.union ? 'union' : 'struct'} ${type.name}`) ?? [];
    if (found.length === 1) same.settle(id, found[0]!);
  }
}

/**
 * Types that are equal once what they refer to is. Each is looked at after its parts; the walk ends
 * at structs, which are settled.
 */
function mergeReferring(types: readonly BtfType[], same: Representatives): BtfType[] {
  const rewritten = [...types];
  const known = new Map<string, number>();
  const open = new Set<number>();
  const settle = (id: number) => {
    const type = remapped(types[id]!, (to) => same.of(to));
    rewritten[id] = type;
    const key = JSON.stringify(type);
    if (!known.has(key)) known.set(key, id);
    same.settle(id, known.get(key)!);
  };
  for (const root of types.keys()) {
    const stack = same.isSettled(root) ? [] : [root];
    while (stack.length > 0) {
      const id = stack.at(-1)!;
      if (same.isSettled(id)) {
        stack.pop();
        continue;
      }
      const missing = references(types[id]!, false).filter((to) => !same.isSettled(to));
      if (missing.length === 0) {
        settle(id);
        open.delete(id);
        stack.pop();
        continue;
      }
      if (open.has(id)) throw new BtfError('Loop detected', errno.ELOOP, id);
      open.add(id);
      stack.push(...missing.reverse());
    }
  }
  return rewritten;
}

/** Only those that stand for themselves, numbered anew in their old order. */
function compacted(types: readonly BtfType[], same: Representatives): Deduplicated {
  const ids = new Int32Array(types.length);
  const kept = types.filter((_, id) => same.of(id) === id);
  let next = 0;
  for (const id of types.keys()) if (same.of(id) === id) ids[id] = next++;
  const idOf = (id: number) => ids[same.of(id)]!;
  return { types: kept.map((type) => remapped(type, idOf)), idOf };
}
