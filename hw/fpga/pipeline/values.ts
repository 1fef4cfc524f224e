/**
 * What a register or a piece of memory holds while a program is turned into a pipeline: a number, or a
 * pointer whose kind is known. Where ways meet, values become multiplexers; what has no common
 * form becomes `none`, which nobody may read.
 */
import type { BpfMap } from '../../../bpf/maps/map.ts';
import { type Graph } from './graph.ts';
import { isConst, type Node } from './node.ts';

export type Value =
  | { readonly kind: 'number'; readonly node: Node }
  /** PACKET_BASE and the distance from where the packet began, 32 bits. */
  | { readonly kind: 'packet'; readonly node: Node }
  /** Bytes from r10, at most 0. */
  | { readonly kind: 'stack'; readonly offset: number }
  | { readonly kind: 'ctx' }
  | { readonly kind: 'map'; readonly map: BpfMap }
  /** NULL where not `valid`; else in element `index` of the map. */
  | {
      readonly kind: 'element';
      readonly map: BpfMap;
      readonly valid: Node;
      readonly index: Node;
      readonly offset: number;
    }
  /** Elements of different maps, on different ways. */
  | {
      readonly kind: 'either';
      readonly chosen: Node;
      readonly yes: ElementValue;
      readonly no: ElementValue;
    }
  | { readonly kind: 'none' };

export type ElementValue = Extract<Value, { kind: 'element' | 'either' }>;

const isElement = (value: Value): value is ElementValue =>
  value.kind === 'element' || value.kind === 'either';

/** Whether the pointer is one. */
export function validOf(graph: Graph, value: ElementValue): Node {
  if (value.kind === 'element') return value.valid;
  return graph.mux(value.chosen, validOf(graph, value.yes), validOf(graph, value.no));
}

export function moveElement(value: ElementValue, by: number): ElementValue {
  if (value.kind === 'element') return { ...value, offset: value.offset + by };
  return { ...value, yes: moveElement(value.yes, by), no: moveElement(value.no, by) };
}

export const NONE: Value = { kind: 'none' };

/** Pointers into the packet count from here, so that none is negative or wraps. */
export const PACKET_BASE = 1n << 30n;
export const POINTER_BITS = 32;

/** A byte of memory: of a number, or the n-th of a pointer that was spilled. */
export type Byte = { readonly node: Node } | { readonly pointer: Value; readonly index: number };

export interface State {
  readonly registers: Value[];
  /** By bytes from r10, and from where the packet began. */
  readonly stack: Map<number, Byte>;
  readonly packet: Map<number, Byte>;
  /** A byte of the packet as it came in. */
  readonly original: (at: number) => Node;
  /** struct xdp_md's data and data_end. */
  data: Node;
  end: Node;
  /** Interface that a redirect leads to. */
  redirect: Node;
}

export const copyState = (state: State): State => ({
  ...state,
  registers: [...state.registers],
  stack: new Map(state.stack),
  packet: new Map(state.packet),
});

/** What holds where ways meet; `chosen` tells the first from the second. */
export function mergeStates(graph: Graph, chosen: Node, a: State, b: State): State {
  return {
    registers: a.registers.map((value, i) => mergeValues(graph, chosen, value, b.registers[i]!)),
    stack: mergeBytes(graph, chosen, a.stack, b.stack),
    original: a.original,
    packet: mergePacket(graph, chosen, a, b),
    data: graph.mux(chosen, a.data, b.data),
    end: graph.mux(chosen, a.end, b.end),
    redirect: graph.mux(chosen, a.redirect, b.redirect),
  };
}

export function mergeValues(graph: Graph, chosen: Node, a: Value, b: Value): Value {
  if (sameValue(a, b)) return a;
  if (a.kind === 'number' && b.kind === 'number') {
    return { kind: 'number', node: graph.mux(chosen, a.node, b.node) };
  }
  if (a.kind === 'packet' && b.kind === 'packet') {
    return { kind: 'packet', node: graph.mux(chosen, a.node, b.node) };
  }
  if (a.kind === 'element' && isNull(b)) {
    return { ...a, valid: graph.mux(chosen, a.valid, graph.const(0n)) };
  }
  if (b.kind === 'element' && isNull(a)) {
    return { ...b, valid: graph.mux(chosen, graph.const(0n), b.valid) };
  }
  if (!isElement(a) || !isElement(b)) return NONE;
  const isOne = a.kind === 'element' && b.kind === 'element' && a.map === b.map;
  if (!isOne || a.offset !== b.offset) return { kind: 'either', chosen, yes: a, no: b };
  const valid = graph.mux(chosen, a.valid, b.valid);
  return { ...a, valid, index: graph.mux(chosen, a.index, b.index) };
}

const isNull = (value: Value): boolean =>
  value.kind === 'number' && isConst(value.node) && value.node.value === 0n;

export function sameValue(a: Value, b: Value): boolean {
  if (a === b) return true;
  if (a.kind !== b.kind) return false;
  const other = b as Record<string, unknown>;
  return Object.entries(a).every(([field, value]) => other[field] === value);
}

function mergeBytes(
  graph: Graph,
  chosen: Node,
  a: ReadonlyMap<number, Byte>,
  b: ReadonlyMap<number, Byte>,
): Map<number, Byte> {
  const merged = new Map<number, Byte>();
  for (const [at, first] of a) {
    const second = b.get(at);
    const byte = second && mergeByte(graph, chosen, first, second);
    if (byte) merged.set(at, byte);
  }
  return merged;
}

/** A byte that one way has not written is what came in. */
function mergePacket(graph: Graph, chosen: Node, a: State, b: State): Map<number, Byte> {
  const merged = new Map<number, Byte>();
  for (const at of new Set([...a.packet.keys(), ...b.packet.keys()])) {
    const [first, second] = [a, b].map(({ packet, original }) => {
      const byte = packet.get(at);
      return byte && 'node' in byte ? byte.node : original(at);
    });
    merged.set(at, { node: graph.mux(chosen, first!, second!) });
  }
  return merged;
}

function mergeByte(graph: Graph, chosen: Node, a: Byte, b: Byte): Byte | undefined {
  if ('node' in a && 'node' in b) return { node: graph.mux(chosen, a.node, b.node) };
  if ('node' in a || 'node' in b || a.index !== b.index) return undefined;
  const pointer = mergeValues(graph, chosen, a.pointer, b.pointer);
  return pointer.kind === 'none' ? undefined : { pointer, index: a.index };
}

/** What follows where a condition is known: multiplexers that it decides become what they choose. */
export function refine(graph: Graph, state: State, condition: Node, holds: boolean): State {
  const negated = condition.op === 'not';
  const tested = negated ? condition.args[0]! : condition;
  const truth = negated ? !holds : holds;
  const known = (node: Node): Node => {
    if (node === tested) return graph.const(truth ? 1n : 0n);
    if (node.op !== 'mux' || node.args[0] !== tested) return node;
    return truth ? node.args[1]! : node.args[2]!;
  };
  const registers = state.registers.map((value): Value => {
    if (value.kind === 'number' || value.kind === 'packet') {
      return { ...value, node: known(value.node) };
    }
    return isElement(value) ? knownElement(value, known) : value;
  });
  return { ...copyState(state), registers, data: known(state.data), end: known(state.end) };
}

function knownElement(value: ElementValue, known: (node: Node) => Node): ElementValue {
  if (value.kind === 'element') return { ...value, valid: known(value.valid) };
  return { ...value, yes: knownElement(value.yes, known), no: knownElement(value.no, known) };
}
