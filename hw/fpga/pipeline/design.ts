/**
 * A program as a graph: control flow has become conditions, registers and memory have become wires,
 * what is left of it are the reads and writes of maps, each with the condition that it happens on.
 *
 *   const design = buildDesign(program.device, 64)       throws Refusal
 */
import { rowOf } from '../../../bpf/isa/table.ts';
import type { VerifiedProgram } from '../../../bpf/program.ts';
import { Bug } from '../../../kernel/types/units.ts';
import { type Flow, flowOf } from './flow.ts';
import { Graph } from './graph.ts';
import { isConst, type Node } from './node.ts';
import { Instructions } from './instructions.ts';
import { originalByte } from './memory.ts';
import { HEAD_BYTES, WINDOW_BYTES } from './params.ts';
import { Refusal } from './refusal.ts';
import { copyState, mergeStates, NONE, PACKET_BASE, refine, type State } from './values.ts';

export interface Design {
  readonly program: VerifiedProgram;
  readonly graph: Graph;
  readonly frameBytes: number;
  /** Reads and writes of maps, in program order. */
  readonly accesses: readonly Node[];
  /** Whether a run may come from the one instruction to the other. */
  readonly follows: (from: number, to: number) => boolean;
  /** XDP_*, 32 bits. */
  readonly verdict: Node;
  /** Where the packet begins and ends at the end, from PACKET_BASE. */
  readonly data: Node;
  readonly end: Node;
  /** Interface that a redirect leads to; 0 otherwise. */
  readonly redirect: Node;
  /** Bytes that may have been written, from the packet's first. */
  readonly written: ReadonlyMap<number, Node>;
}

interface Edge {
  readonly condition: Node;
  readonly state: State;
}

export function buildDesign(program: VerifiedProgram, frameBytes: number): Design {
  if (program.subprogs.length > 1) {
    const { start } = program.subprogs[1]!;
    throw new Refusal('subprogram', 'the program calls functions of its own', start);
  }
  const graph = new Graph();
  const flow = flowOf(program);
  const instructions = new Instructions(program, graph);
  const into: Edge[][] = flow.blocks.map(() => []);
  const exits: Edge[] = [];
  const conditions: Node[] = [];
  into[0]!.push({ condition: graph.const(1n), state: entryState(graph, frameBytes) });
  for (const { index, slots, successors, dominator } of flow.blocks) {
    const edges = into[index]!;
    if (edges.length === 0) continue;
    const any = edges.map(({ condition }) => condition).reduce((a, b) => graph.or(a, b));
    const condition = index > 0 && flow.isCertain[index] ? (conditions[dominator] ?? any) : any;
    conditions[index] = condition;
    const state = merged(graph, edges);
    let taken: Node | undefined;
    for (const slot of slots) {
      graph.slot = slot;
      const row = rowOf(program.insns[slot]!);
      if (row === undefined) throw new Bug(`no instruction at slot ${slot} of a verified program`);
      if (row.kind === 'exit') exits.push({ condition, state });
      else taken = instructions.step(state, slot, row, condition) ?? taken;
    }
    leave(graph, into, successors, condition, state, taken);
  }
  return finish(program, graph, flow, frameBytes, instructions, merged(graph, exits));
}

function leave(
  graph: Graph,
  into: Edge[][],
  successors: readonly number[],
  condition: Node,
  state: State,
  taken: Node | undefined,
): void {
  const [next, target] = successors;
  if (next === undefined) return;
  if (target === undefined || taken === undefined) {
    into[next]!.push({ condition, state });
    return;
  }
  const go = (to: number, holds: boolean): void => {
    const also = graph.and(condition, holds ? taken : graph.not(taken));
    if (isConst(also) && also.value === 0n) return;
    into[to]!.push({ condition: also, state: refine(graph, state, taken, holds) });
  };
  go(next, false);
  go(target, true);
}

/** One state of those that ways bring; the last is what holds if no other is chosen. */
function merged(graph: Graph, edges: readonly Edge[]): State {
  let state = edges.at(-1)!.state;
  for (const edge of edges.slice(0, -1).reverse()) {
    state = mergeStates(graph, edge.condition, edge.state, state);
  }
  return copyState(state);
}

function entryState(graph: Graph, frameBytes: number): State {
  const registers = Array.from({ length: 11 }, () => NONE);
  registers[1] = { kind: 'ctx' };
  registers[10] = { kind: 'stack', offset: 0 };
  return {
    registers,
    stack: new Map(),
    packet: new Map(),
    original: (at) => originalByte(graph, at, frameBytes),
    data: graph.const(PACKET_BASE),
    end: graph.add(graph.input('length', 16), graph.const(PACKET_BASE), 32),
    redirect: graph.const(0n),
  };
}

function finish(
  program: VerifiedProgram,
  graph: Graph,
  { follows }: Flow,
  frameBytes: number,
  instructions: Instructions,
  { registers, data, end, redirect, packet }: State,
): Design {
  const [r0] = registers;
  if (r0!.kind !== 'number') {
    throw new Refusal('pointer-as-number', 'a pointer is the verdict', program.insns.length - 1);
  }
  const written = new Map<number, Node>();
  for (const [at, byte] of [...packet].sort(([a], [b]) => a - b)) {
    if (!('node' in byte)) throw new Bug('a pointer in the packet');
    if (at < -HEAD_BYTES || at >= WINDOW_BYTES) throw new Bug(`byte ${at} was written`);
    if (!isOriginal(byte.node, at, frameBytes)) written.set(at, byte.node);
  }
  const verdict = graph.slice(r0!.node, 0, 32);
  const accesses = instructions.finish([verdict, data, end, redirect, ...written.values()]);
  return { program, graph, frameBytes, accesses, follows, verdict, data, end, redirect, written };
}

/** The byte is what came in. */
function isOriginal({ op, args, value }: Node, at: number, frameBytes: number): boolean {
  if (at < 0) return op === 'const' && value === 0n;
  const frame = args[0];
  return (
    op === 'slice' &&
    frame!.op === 'frame' &&
    Number(frame!.value) * frameBytes * 8 + Number(value) === at * 8
  );
}
