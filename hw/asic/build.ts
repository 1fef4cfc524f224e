/** The graph of a program: blocks in order, each once for every set of pointers that reaches it. */
import { rowOf } from '../../bpf/isa/table.ts';
import { type Block, buildCfg } from '../../bpf/jit/cfg.ts';
import { readMask, writeMask } from '../../bpf/jit/registers.ts';
import type { VerifiedProgram } from '../../bpf/program.ts';
import { type Context, type Ending, execute, initial } from './execute.ts';
import type { Edge, Graph, Lookup, Step, Test } from './graph.ts';
import { refuse, tooMuch } from './refusal.ts';
import { Fields, signature, State } from './state.ts';
import { type Bits, bitsOf, Field, sameBits, type Value } from './value.ts';

/** More steps than any pipeline could hold tables for. */
const MAX_STEPS = 1024;
const CALL_RESULT = 1;

/** A way that leads to a step which is not built yet. */
interface Arrival {
  readonly from: Step;
  readonly state: State;
  readonly test: Test | undefined;
  readonly holds: boolean;
  readonly slot: number;
}

/** Throws Refusal. */
export function buildGraph(program: VerifiedProgram): Graph {
  const { blocks } = buildCfg(program, program.subprogs[0]!);
  const live = liveRegisters(program, blocks);
  const context: Context = { program, fields: new Fields(), lookups: [] as Lookup[] };
  const steps: Step[] = [];
  /** By block, then by signature. */
  const waiting = blocks.map(() => new Map<string, Arrival[]>());
  for (const block of blocks) {
    const back = block.successors.find((target) => target <= block.index);
    if (back !== undefined) {
      refuse(block.slots.at(-1)!, 'loop', 'a loop', 'a packet passes each stage once: let the compiler unroll it (#pragma unroll)');
    }
    const groups = block.index === 0 ? [[]] : [...waiting[block.index]!.values()];
    for (const arrivals of groups) {
      if (steps.length >= MAX_STEPS) {
        tooMuch('too-many-paths', 'the program has too many different paths', `at most ${MAX_STEPS} steps are looked at`, block.slots[0]);
      }
      const { step, state } = begin(context.fields, steps.length, block, arrivals);
      steps.push(step);
      const ending = execute(context, step, state);
      for (const { to, ...arrival } of leave(step, state, block, ending)) {
        const key = signature(arrival.state, live[to]!);
        const group = waiting[to]!.get(key);
        if (group) group.push(arrival);
        else waiting[to]!.set(key, [arrival]);
      }
    }
  }
  return { steps, lookups: context.lookups };
} // prettier-ignore

/** The step and what it knows: what all ways agree on, and fields for what differs. */
function begin(fields: Fields, index: number, block: Block, arrivals: readonly Arrival[]) {
  const first = arrivals[0];
  const state = first ? new State(fields, first.state) : initial(new State(fields));
  const step: Step = {
    index,
    slots: block.slots,
    incoming: [],
    outgoing: [],
    effects: [],
    registers: state.registers.slice(),
    start: state.start,
  };
  const edges = arrivals.map(({ from, test, holds, slot }): Edge => {
    const edge = { from, to: step, test, holds, slot };
    from.outgoing.push(edge);
    step.incoming.push(edge);
    return edge;
  });
  if (arrivals.length > 1) merge(state, arrivals, edges);
  (step.registers as (Value | undefined)[]).splice(0, Infinity, ...state.registers);
  return { step, state };
}

function merge(state: State, arrivals: readonly Arrival[], edges: readonly Edge[]): void {
  const join = (of: (from: State) => Bits): Bits =>
    joined(
      arrivals.map(({ state: from }) => of(from)),
      edges,
    );
  for (let register = 0; register <= 10; register++) {
    const values = arrivals.map(({ state: from }) => from.registers[register]);
    if (values.some((value) => value === undefined)) state.registers[register] = undefined;
    else if (values.every((value) => value!.kind === 'bits')) {
      const bits = join((from) => (from.registers[register] as Value & { kind: 'bits' }).bits);
      state.registers[register] = { kind: 'bits', bits };
    } else if (values.some((value) => !samePointer(value!, values[0]!))) {
      state.registers[register] = undefined;
    }
  }
  const bytesOf = (which: 'stack' | 'packet', otherwise: (at: number) => Bits): void => {
    const places = new Set(arrivals.flatMap(({ state: from }) => [...from[which].keys()]));
    for (const at of places) {
      state[which].set(
        at,
        join((from) => from[which].get(at) ?? otherwise(at)),
      );
    }
  };
  bytesOf('stack', () => bitsOf(0n, 8));
  bytesOf('packet', (at) => unchanged(arrivals, at));
}

/** The byte as it came in, which a way that has not written it still has. */
function unchanged(arrivals: readonly Arrival[], at: number): Bits {
  if (at < 0) return bitsOf(0n, 8);
  return arrivals[0]!.state.fields.packetByte(at);
}

function samePointer(a: Value, b: Value): boolean {
  if (a.kind !== b.kind) return false;
  if ('at' in a && 'at' in b && a.at !== b.at) return false;
  if (a.kind === 'map' && b.kind === 'map') return a.map === b.map;
  return a.kind !== 'entry' || b.kind !== 'entry' || a.lookup === b.lookup;
}

function joined(ways: readonly Bits[], edges: readonly Edge[]): Bits {
  const [first] = ways;
  if (ways.every((bits) => sameBits(bits, first!))) return first!;
  const source = { kind: 'joined', ways: ways.map((bits, i) => ({ edge: edges[i]!, bits })) } as const;
  const field = new Field(source, first!.length);
  return first!.map((bit, i) => (ways.every((bits) => bits[i] === bit) ? bit : field.bits[i]!));
} // prettier-ignore

interface Departure extends Arrival {
  readonly to: number;
}

function leave(step: Step, state: State, block: Block, ending: Ending): Departure[] {
  const slot = block.slots.at(-1)!;
  const [onwards, taken] = block.successors;
  if (ending.kind === 'exit') return [];
  const base = { from: step, slot };
  if (ending.kind === 'onwards' || taken === undefined) {
    return [{ ...base, state, test: undefined, holds: true, to: onwards! }];
  }
  const { test, holds } = ending;
  if (typeof test === 'boolean') {
    return [
      { ...base, state, test: undefined, holds: true, to: test === holds ? taken : onwards! },
    ];
  }
  return [true, false].map((answer): Departure => {
    const left = new State(state.fields, state);
    if (test.kind === 'hit' && answer) left.hits.add(test.lookup);
    if (test.kind === 'hit' && !answer) left.forgetEntry(test.lookup);
    return { ...base, state: left, test, holds: answer, to: answer === holds ? taken : onwards! };
  });
}

/** Registers that are read before they are written from the start of each block on, as masks. */
function liveRegisters(program: VerifiedProgram, blocks: readonly Block[]): Uint16Array {
  const live = new Uint16Array(blocks.length);
  for (const { index, slots, successors } of blocks.toReversed()) {
    let mask = successors.reduce((sum, target) => sum | live[target]!, 0);
    for (const slot of slots.toReversed()) {
      const row = rowOf(program.insns[slot]!)!;
      const writes = row.kind === 'call' ? CALL_RESULT : writeMask(program, slot, row);
      mask = (mask & ~writes) | readMask(program, slot, row, () => 0);
    }
    live[index] = mask;
  }
  return live;
}
