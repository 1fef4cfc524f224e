/** Reads and writes of maps, in program order; read-modify-writes are made one operation. */
import type { BpfMap } from '../../../bpf/maps/map.ts';
import { Bug } from '../../../kernel/types/units.ts';
import { WAYS } from './params.ts';
import { type Graph } from './graph.ts';
import { type MapAccess, type Node } from './node.ts';
import type { ElementValue, Value } from './values.ts';

export type Element = Extract<Value, { kind: 'element' }>;
type Modification = NonNullable<MapAccess['operation']>;

/** Maps whose element is found by its number; others are searched. */
export const isArray = ({ spec }: BpfMap): boolean =>
  spec.type === 'array' || spec.type === 'percpu_array';

/** Sets of a hash table: half of their slots are empty when the map is full. */
export const setsOf = ({ spec }: BpfMap): number =>
  spec.maxEntries <= WAYS ? 1 : 2 ** Math.ceil(Math.log2((2 * spec.maxEntries) / WAYS));

/** Of an element's number: where its value is. */
export const indexBits = (map: BpfMap): number =>
  Math.max(1, Math.ceil(Math.log2(isArray(map) ? map.spec.maxEntries : setsOf(map) * WAYS)));

export class MapAccesses {
  readonly #graph: Graph;
  readonly #accesses: Node[] = [];
  readonly #writes = new Map<BpfMap, number>();

  constructor(graph: Graph) {
    this.#graph = graph;
  }

  lookup(map: BpfMap, key: Node, condition: Node): Element {
    const graph = this.#graph;
    const bits = indexBits(map);
    if (isArray(map)) {
      const valid = graph.ult(key, graph.const(BigInt(map.spec.maxEntries)));
      return { kind: 'element', map, valid, index: graph.slice(key, 0, bits), offset: 0 };
    }
    const found = this.#read('lookup', map, 0, 0, [key, condition], bits + 1);
    const valid = graph.slice(found, bits, 1);
    return { kind: 'element', map, valid, index: graph.slice(found, 0, bits), offset: 0 };
  }

  /** An interface, and above its 32 bits whether there is one. */
  devmap(map: BpfMap, key: Node): Node {
    return this.#read('devmap', map, 0, 0, [key], 33);
  }

  load(at: ElementValue, bytes: number): Node {
    if (at.kind === 'either') {
      return this.#graph.mux(at.chosen, this.load(at.yes, bytes), this.load(at.no, bytes));
    }
    const { map, index, offset: from } = at;
    return this.#read('load', map, from, bytes, [index], bytes * 8);
  }

  store(at: ElementValue, bytes: number, value: Node, condition: Node): void {
    if (at.kind === 'either') {
      this.store(at.yes, bytes, value, this.#graph.and(condition, at.chosen));
      this.store(at.no, bytes, value, this.#graph.and(condition, this.#graph.not(at.chosen)));
      return;
    }
    const { map, index, offset: from } = at;
    this.#write('store', { map, from, bytes }, [index, value, condition], 1);
  }

  /** @returns the value before */
  modify(
    at: ElementValue,
    bytes: number,
    operation: Modification,
    fetch: boolean,
    operand: Node,
    condition: Node,
  ): Node {
    const graph = this.#graph;
    if (at.kind === 'either') {
      const sides = [at.yes, at.no].map((side, i) => {
        const here = graph.and(condition, i === 0 ? at.chosen : graph.not(at.chosen));
        return this.modify(side, bytes, operation, fetch, operand, here);
      });
      return graph.mux(at.chosen, sides[0]!, sides[1]!);
    }
    const { map, index, offset: from } = at;
    const access = { map, from, bytes, operation, fetch };
    return this.#write('rmw', access, [index, operand, condition], bytes * 8);
  }

  /** @returns 0 or -errno, 32 bits */
  update(map: BpfMap, key: Node, value: Node, flags: bigint, condition: Node): Node {
    const access = { map, from: 0, bytes: map.spec.valueBytes };
    return this.#write('update', access, [key, value, this.#graph.const(flags), condition], 32);
  }

  delete(map: BpfMap, key: Node, condition: Node): Node {
    const access = { map, from: 0, bytes: map.spec.valueBytes };
    return this.#write('delete', access, [key, condition], 32);
  }

  #read(
    op: 'lookup' | 'load' | 'devmap',
    map: BpfMap,
    from: number,
    bytes: number,
    args: readonly Node[],
    bits: number,
  ): Node {
    const version = this.#writes.get(map) ?? 0;
    const node = this.#graph.map(op, { map, from, bytes, version }, args, bits);
    if (!this.#accesses.includes(node)) this.#accesses.push(node);
    return node;
  }

  #write(
    op: 'store' | 'rmw' | 'update' | 'delete',
    access: MapAccess,
    args: readonly Node[],
    bits: number,
  ): Node {
    const version = this.#writes.get(access.map) ?? 0;
    this.#writes.set(access.map, version + 1);
    const node = this.#graph.map(op, { ...access, version }, args, bits);
    this.#accesses.push(node);
    return node;
  }

  /**
   * What is wanted, or has an effect: `*counter += x` of one element becomes an operation of the memory's
   * own unit, so that the next packet's comes a cycle later.
   */
  finish(wanted: readonly Node[]): readonly Node[] {
    const effects = this.#accesses.filter(({ op }) => op !== 'load' && op !== 'devmap');
    const uses = countUses([...wanted, ...effects]);
    const fused = this.#accesses.map((node) => this.#fused(node, uses));
    const live = countUses([
      ...wanted,
      ...fused.filter(({ op }) => op !== 'load' && op !== 'devmap'),
    ]);
    return fused.filter((node) => live.has(node));
  }

  #fused(store: Node, uses: ReadonlyMap<Node, number>): Node {
    const [index, sum, condition] = store.args;
    if (store.op !== 'store' || !isModification(sum!) || uses.get(sum!) !== 1) return store;
    const access = store.access!;
    const load = sum!.args.find(
      (arg) => arg.op === 'load' && arg.args[0] === index && isSame(arg.access!, access),
    );
    if (!load || uses.get(load) !== 1) return store;
    const operand = sum!.args.find((arg) => arg !== load);
    if (!operand) throw new Bug('an operation on one value');
    this.#graph.slot = store.slot;
    const fused = { ...access, operation: sum!.op as Modification, fetch: false };
    return this.#graph.map('rmw', fused, [index!, operand, condition!], access.bytes * 8);
  }
}

const isModification = ({ op }: Node): boolean => ['add', 'or', 'and', 'xor'].includes(op);

const isSame = (load: MapAccess, store: MapAccess): boolean =>
  load.map === store.map &&
  load.from === store.from &&
  load.bytes === store.bytes &&
  load.version === store.version;

/** How often each node that leads to one of these is used. */
function countUses(roots: readonly Node[]): Map<Node, number> {
  const uses = new Map<Node, number>();
  const queue = [...roots];
  for (let node = queue.pop(); node; node = queue.pop()) {
    const before = uses.get(node) ?? 0;
    uses.set(node, before + 1);
    if (before === 0) queue.push(...node.args);
  }
  return uses;
}
