/**
 * A design cut into stages: an operation stands where its operands are there, and as many one behind
 * the other as a clock period lets through. Reads and writes of maps wait for those before them.
 *
 *   const schedule = scheduleStages(design, bounds)
 *   schedule.stageOf(node)     where it is computed, or a unit gets its operands
 *   schedule.readyAt(node)     the first stage that can use it
 */
import type { Design } from './design.ts';
import { type Node } from './node.ts';
import { CLOCK_HZ, NS, STAGES } from './params.ts';

export interface Schedule {
  readonly stages: number;
  stageOf(node: Node): number;
  readyAt(node: Node): number;
  /** Nodes that anything wants, by stage and then as they were made. */
  readonly nodes: readonly Node[];
}

interface Place {
  /** Where it is computed or begun. */
  readonly stage: number;
  /** Where its value is there, and how far into that stage. */
  readonly ready: number;
  readonly ns: number;
}

const PERIOD_NS = 1e9 / CLOCK_HZ - NS.setUp;

/** @param notBefore stages in front of which some nodes must not stand */
export function scheduleStages(design: Design, notBefore: ReadonlyMap<Node, number>): Schedule {
  const places = new Map<Node, Place>();
  const before = ordered(design);
  const place = (node: Node): Place => {
    const known = places.get(node);
    if (known) return known;
    const found = placed(node, node.args.map(place), earliest(node, places));
    places.set(node, found);
    return found;
  };
  const earliest = (node: Node, at: ReadonlyMap<Node, Place>): number => {
    const waits = (before.get(node) ?? []).map(({ node: first, stages }) => {
      place(first);
      return at.get(first)!.stage + stages;
    });
    return Math.max(notBefore.get(node) ?? 0, ...waits);
  };
  const results = resultsOf(design);
  for (const node of design.accesses) place(node);
  for (const node of results) place(node);
  const readyAt = (node: Node): number => places.get(node)!.ready;
  const last = Math.max(
    ...results.map((node) => places.get(node)!.ready),
    ...design.accesses.map((node) => places.get(node)!.ready),
  );
  const nodes = [...places.keys()].sort((a, b) => {
    const [x, y] = [places.get(a)!, places.get(b)!];
    return x.stage - y.stage || a.id - b.id;
  });
  return { stages: last + 1, stageOf: (node) => places.get(node)!.stage, readyAt, nodes };
}

/** What leaves the pipeline at its end. */
export const resultsOf = ({ verdict, data, end, redirect, written }: Design): readonly Node[] => [
  verdict,
  data,
  end,
  redirect,
  ...written.values(),
];

function placed(node: Node, args: readonly Place[], bound: number): Place {
  let stage = bound;
  let ns: number = NS.clockToOut;
  for (const { ready, ns: late } of args) {
    if (ready > stage) [stage, ns] = [ready, late];
    else if (ready === stage) ns = Math.max(ns, late);
  }
  const taken = unitStages(node);
  if (taken > 0) return { stage, ready: stage + taken, ns: NS.clockToOut };
  if (node.op === 'frame') {
    const at = Math.max(stage, Number(node.value));
    return { stage: at, ready: at, ns: NS.clockToOut };
  }
  const delay = delayOf(node);
  if (delay > 0 && ns + delay > PERIOD_NS) [stage, ns] = [stage + 1, NS.clockToOut];
  return { stage, ready: stage, ns: ns + delay };
}

/** Stages from a unit's operands to its result; 0 for logic. */
export function unitStages({ op, args }: Node): number {
  switch (op) {
    case 'mul':
      return STAGES.multiply;
    case 'div':
    case 'mod':
      return Math.ceil(args[0]!.bits / STAGES.divideBits);
    case 'lookup':
    case 'update':
    case 'delete':
      return STAGES.lookup;
    case 'load':
    case 'devmap':
    case 'store':
      return STAGES.memory;
    case 'rmw':
      return STAGES.memory + 1;
    default:
      return 0;
  }
}

function delayOf({ op, bits, args }: Node): number {
  const width = Math.max(bits, ...args.map((arg) => arg.bits));
  switch (op) {
    case 'add':
    case 'sub':
    case 'ult':
      return NS.carry + NS.carryPerBit * width;
    case 'eq':
      return NS.lut * Math.max(1, Math.ceil(Math.log2(width / 3) / Math.log2(6)));
    case 'and':
    case 'or':
    case 'xor':
      return NS.lut;
    case 'mux':
      return NS.lut + (bits > 16 ? NS.fanOut : 0);
    case 'shl':
    case 'shr':
    case 'sar':
      return NS.lut * Math.ceil(args[1]!.bits / 2);
    default:
      return 0;
  }
}

interface Wait {
  readonly node: Node;
  /** Stages that one must come behind it. */
  readonly stages: number;
}

/** What each access must wait for: those before it to the same bytes, if one of the two writes. */
function ordered({ accesses, follows }: Design): ReadonlyMap<Node, readonly Wait[]> {
  const before = new Map<Node, Wait[]>();
  accesses.forEach((node, i) => {
    const waits: Wait[] = [];
    for (const first of accesses.slice(0, i)) {
      if (!conflict(first, node) || !follows(first.slot, node.slot)) continue;
      waits.push({ node: first, stages: isWrite(first) ? commitStages(first) : 0 });
    }
    before.set(node, waits);
  });
  return before;
}

export const isWrite = ({ op }: Node): boolean =>
  op === 'store' || op === 'rmw' || op === 'update' || op === 'delete';

/** Changes which elements there are. */
export const isStructural = ({ op }: Node): boolean => op === 'update' || op === 'delete';

/** Stages behind its own from which on others see what it wrote. */
export const commitStages = (node: Node): number => unitStages(node);

/** Two accesses to the same bytes of a map, or to its keys, one of which writes. */
export function conflict(a: Node, b: Node): boolean {
  if (a.access!.map !== b.access!.map || (!isWrite(a) && !isWrite(b))) return false;
  const [from, to] = [a, b].map(rangeOf) as [Range, Range];
  return from[0] < to[1] && to[0] < from[1];
}

type Range = readonly [from: number, to: number];

/** Keys stand in front of the value. */
function rangeOf(node: Node): Range {
  if (node.op === 'lookup') return [-1, 0];
  const { from, bytes } = node.access!;
  return [isStructural(node) ? -1 : from, from + bytes];
}
