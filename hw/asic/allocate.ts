/**
 * Which stage does what: tests, lookups, register accesses and operations in the order of the
 * graph, each in the first stage where what it needs is there and where there is room.
 *
 * - What only depends on bytes of the packet that come in, the parser does: it is a state machine over
 *   header bytes, and a join of its states brings its values for nothing.
 * - A test in a stage (a gateway) decides about tables of the same stage; a hit about the actions of
 *   its own table. A value that a stage computes, the next can use.
 * - A register has one stage, whatever ways lead to it.
 */
import type { BpfMap } from '../../bpf/maps/map.ts';
import type { Edge, Effect, Graph, Lookup, Step, Test } from './graph.ts';
import { MATCHES, tableSize } from './memory.ts';
import { CONTAINER_BITS, PARSER_ENTRIES, PHV_BITS, REGISTER_BITS, STAGES } from './params.ts';
import { refuse, tooMuch } from './refusal.ts';
import { Stages } from './stages.ts';
import { type Bits, constantOf, type Field, fieldsOf, widthOf } from './value.ts';

/** One thing that a stage does. */
export interface Action {
  readonly stage: number;
  readonly slot: number;
  readonly step: number;
  readonly text: string;
  /** Stages whose results it waits for, and whether to match on them or only to act with them. */
  readonly waits: readonly { readonly stage: number; readonly to: 'match' | 'action' }[];
}

export interface Allocation {
  readonly stages: Stages;
  readonly actions: readonly Action[];
  readonly parserEntries: number;
  /** Transitions on the parser's longest way. */
  readonly parserDepth: number;
  readonly phvBits: number;
  readonly ternary: readonly boolean[];
  readonly stateful: readonly boolean[];
}

/** From which stage on something can be acted with, and matched on. */
interface Ready {
  readonly action: number;
  readonly match: number;
}

/** A register must move to a later stage: allocate again with that in mind. */
class Later extends Error {
  readonly map: BpfMap;
  readonly stage: number;
  constructor(map: BpfMap, stage: number) {
    super('a register must be later');
    this.map = map;
    this.stage = stage;
  }
}

/** Throws Refusal. */
export function allocate(graph: Graph): Allocation {
  const least = new Map<BpfMap, number>();
  for (;;) {
    try {
      return new Allocator(graph, least).run();
    } catch (error) {
      if (!(error instanceof Later)) throw error;
      least.set(error.map, error.stage);
    }
  }
}

class Allocator {
  readonly #graph: Graph;
  readonly #least: ReadonlyMap<BpfMap, number>;
  readonly #stages = new Stages();
  readonly #actions: Action[] = [];
  /** By step: the first stage that may do something of it; whether the parser gets that far. */
  readonly #control: number[] = [];
  readonly #parsed: boolean[] = [];
  readonly #depth: number[] = [];
  readonly #edges = new Map<Edge, { readonly stage: number; readonly parsed: boolean }>();
  readonly #lookups = new Map<Lookup, { readonly first: number; readonly last: number }>();
  readonly #registerStage = new Map<BpfMap, number>();
  readonly #registers: ReadonlySet<BpfMap>;
  readonly #ready = new Map<Field, Ready>();
  readonly #tables = new Set<string>();
  readonly #alus = new Set<string>();
  readonly #headerBytes = new Set<number>();
  #phvBits = 0;
  #parserEntries = 0;
  readonly #ternary = Array.from({ length: STAGES }, () => false);
  readonly #stateful = Array.from({ length: STAGES }, () => false);

  constructor(graph: Graph, least: ReadonlyMap<BpfMap, number>) {
    this.#graph = graph;
    this.#least = least;
    const effects = graph.steps.flatMap((step) => step.effects);
    this.#registers = new Set(
      effects.flatMap((effect) => (effect.kind === 'register' ? [effect.lookup.map] : [])),
    );
  }

  run(): Allocation {
    for (const step of this.#graph.steps) {
      const ways = step.incoming.map((edge) => this.#edges.get(edge)!);
      this.#control[step.index] = Math.max(0, ...ways.map(({ stage }) => stage));
      this.#parsed[step.index] = ways.every(({ parsed }) => parsed);
      const before = step.incoming.map(({ from }) => this.#depth[from.index]!);
      this.#depth[step.index] = 1 + Math.max(0, ...before);
      for (const effect of step.effects) this.#effect(step, effect);
      this.#leave(step);
    }
    const headerBits = 8 * (1 + Math.max(-1, ...this.#headerBytes));
    const phvBits = headerBits + this.#phvBits;
    if (phvBits > PHV_BITS) {
      tooMuch('header-vector-full', `headers and what is computed take ${phvBits} bits of the header vector`, `it has ${PHV_BITS}: look at fewer bytes of the packet`);
    }
    if (this.#parserEntries > PARSER_ENTRIES) {
      tooMuch('parser-full', `the parser would need ${this.#parserEntries} transitions`, `it has ${PARSER_ENTRIES}`);
    }
    const parsedDepths = this.#depth.filter((_, index) => this.#parsed[index]);
    return {
      stages: this.#stages,
      actions: this.#actions.toSorted((a, b) => a.stage - b.stage),
      parserEntries: this.#parserEntries,
      parserDepth: Math.max(...parsedDepths),
      phvBits,
      ternary: this.#ternary,
      stateful: this.#stateful,
    };
  } // prettier-ignore

  // --- ways out of a step ---

  #leave(step: Step): void {
    const [first] = step.outgoing;
    if (!first) return;
    const clean = this.#parsed[step.index]! && step.effects.length === 0;
    const control = this.#control[step.index]!;
    const way = first.test
      ? this.#test(step, first.test, first.slot, clean)
      : { stage: control, parsed: clean };
    for (const edge of step.outgoing) this.#edges.set(edge, way);
  }

  #test(step: Step, test: Test, slot: number, clean: boolean) {
    const control = this.#control[step.index]!;
    if (test.kind === 'hit') {
      return { stage: Math.max(control, this.#lookups.get(test.lookup)!.last), parsed: false };
    }
    if (test.kind === 'length') {
      // The parser marks headers that are there; a gateway can ask for the mark.
      this.#headerBytes.add(test.least - 1);
      this.#parserEntries++;
      if (clean) return { stage: control, parsed: true };
      return { stage: this.#gateway(step, control, [], slot), parsed: false };
    }
    const { a, b, condition } = test;
    const isKnown = constantOf(b) !== undefined || constantOf(a) !== undefined;
    if (clean && isKnown && [...fieldsOf(a), ...fieldsOf(b)].every((field) => this.#isParsed(field))) {
      const width = Math.max(widthOf(a), widthOf(b));
      const isEqual = condition === 'eq' || condition === 'ne' || condition === 'set';
      this.#read(a);
      this.#read(b);
      // A range of n-bit numbers takes up to 2n - 2 ternary words.
      this.#parserEntries += isEqual ? 1 : Math.max(1, 2 * width - 2);
      return { stage: control, parsed: true };
    }
    const inputs = [this.#need(a, slot), this.#need(b, slot)];
    const from = Math.max(control, ...inputs.map(({ match }) => match));
    // Two values are only compared for order by subtracting them first.
    const isOrder = !isKnown && condition !== 'eq' && condition !== 'ne';
    const at = isOrder ? this.#operation(step, from, inputs, slot, 'subtract to compare') + 1 : from;
    return { stage: this.#gateway(step, at, inputs, slot), parsed: false };
  } // prettier-ignore

  /** Known to the parser: bytes of the packet, and joins of them in its states. */
  #isParsed({ source }: Field): boolean {
    if (source.kind === 'packet') return true;
    return (
      source.kind === 'joined' &&
      source.ways.every(
        ({ edge, bits }) =>
          this.#edges.get(edge)?.parsed === true &&
          [...fieldsOf(bits)].every((field) => this.#isParsed(field)),
      )
    );
  }

  #gateway(step: Step, from: number, inputs: readonly Ready[], slot: number): number {
    const stage = this.#stages.place(from, { tables: 1 }, slot, 'this test');
    this.#note(step, stage, slot, 'gateway', inputs, 'match');
    return stage;
  }

  // --- effects ---

  #effect(step: Step, effect: Effect): void {
    switch (effect.kind) {
      case 'lookup':
        return this.#lookup(step, effect.lookup);
      case 'register':
        return this.#register(step, effect);
      case 'packet': {
        const bytes = effect.bits.length / 8;
        for (let i = 0; i < bytes; i++) this.#headerBytes.add(Math.max(effect.at, 0) + i);
        if (effect.at < 0) this.#phvBits += effect.bits.length;
        return this.#set(step, effect.bits, effect.slot, `packet[${effect.at}..+${bytes}]`);
      }
      case 'port':
        return this.#set(step, effect.bits, effect.slot, 'port');
      case 'verdict':
        return this.#set(step, effect.bits, effect.slot, 'verdict');
      case 'header':
        return; // The deparser writes what is there.
    }
  }

  /** An action that moves what is ready to where it belongs. */
  #set(step: Step, bits: Bits, slot: number, what: string): void {
    const input = this.#need(bits, slot);
    const from = Math.max(this.#control[step.index]!, input.action);
    this.#operation(step, from, [input], slot, `set ${what}`);
  }

  /** An operation of the step's action in that stage, or of the first later one with room. */
  #operation(step: Step, from: number, inputs: readonly Ready[], slot: number, text: string): number {
    let stage = from;
    const key = (at: number) => `${step.index} ${at}`;
    if (!this.#tables.has(key(stage)) && !this.#isActionOfTable(step, stage)) {
      stage = this.#stages.place(from, { tables: 1 }, slot, 'this operation');
      this.#tables.add(key(stage));
    }
    this.#note(step, stage, slot, text, inputs, 'action');
    return stage;
  } // prettier-ignore

  /** Behind a hit or a miss, in the stage of that table, there is an action already. */
  #isActionOfTable(step: Step, stage: number): boolean {
    return step.incoming.some(
      ({ test }) => test?.kind === 'hit' && this.#lookups.get(test.lookup)!.last === stage,
    );
  }

  #lookup(step: Step, lookup: Lookup): void {
    const { map, key, slot } = lookup;
    const kind = MATCHES[map.spec.type]!;
    const input = this.#need(key, slot);
    const isRegister = this.#registers.has(map);
    const from = Math.max(this.#control[step.index]!, input.match, this.#least.get(map) ?? 0);
    const need = { tables: 1, ...tableSize(map) };
    const what = `map ${map.spec.name}`;
    let place;
    if (!isRegister) place = this.#stages.spread(from, need, slot, what);
    else {
      this.#refuseTwice(lookup);
      const known = this.#registerStage.get(map);
      if (known !== undefined && from > known) throw new Later(map, from);
      const stage = known ?? this.#stages.place(from, need, slot, what);
      this.#registerStage.set(map, stage);
      place = { first: stage, last: stage };
    }
    this.#lookups.set(lookup, place);
    if (kind === 'prefix' || kind === 'ternary') this.#ternary[place.first] = true;
    this.#note(step, place.first, slot, `${kind} match of ${what}`, [input], 'match');
  }

  /** One access of a register a packet. */
  #refuseTwice(lookup: Lookup): void {
    for (const [other] of this.#lookups) {
      if (other.map !== lookup.map || !reaches(other.step, lookup.step)) continue;
      refuse(lookup.slot, 'second-access', `a second access of map ${lookup.map.spec.name}, which packets change`, 'a register is in one stage, and a packet passes it once');
    }
  } // prettier-ignore

  #register(step: Step, effect: Effect & { kind: 'register' }): void {
    const { lookup, at, bytes, operation, operand, slot } = effect;
    const { map } = lookup;
    if (bytes * 8 > REGISTER_BITS) refuse(slot, 'unsupported-operation', 'so wide a register');
    const stage = this.#registerStage.get(map)!;
    const isByte = [...fieldsOf(operand)].some(isLength);
    const isOne = constantOf(operand) === 1n;
    const isStatistics = operation === 'add' && (isOne || isByte);
    const input = isByte ? { action: 0, match: 0 } : this.#need(operand, slot);
    const from = Math.max(this.#control[step.index]!, input.match);
    if (from > stage) throw new Later(map, from);
    const alu = `${map.offset} ${at}`;
    const need = isStatistics ? { statisticsAlus: 1 } : { statefulAlus: 1 };
    if (!this.#alus.has(alu)) {
      if (!this.#stages.fits(stage, need)) throw new Later(map, stage + 1);
      this.#stages.take(stage, need);
      this.#alus.add(alu);
    }
    if (!isStatistics) this.#stateful[stage] = true;
    const text = `${isStatistics ? 'statistics' : 'register'} ${map.spec.name}[+${at}] ${operation}`;
    this.#note(step, stage, slot, text, [input], 'match');
  }

  // --- values ---

  /** All of the bits: when they are there. What has to be computed is allocated now. */
  #need(bits: Bits, slot: number): Ready {
    let action = 0;
    let match = 0;
    for (const field of fieldsOf(bits)) {
      const ready = this.#field(field, bits, slot);
      action = Math.max(action, ready.action);
      match = Math.max(match, ready.match);
    }
    return { action, match };
  }

  #read(bits: Bits): void {
    for (const { source } of fieldsOf(bits)) {
      if (source.kind === 'packet') this.#headerBytes.add(source.at);
      else if (source.kind === 'joined') for (const way of source.ways) this.#read(way.bits);
    }
  }

  #field(field: Field, use: Bits, slot: number): Ready {
    const known = this.#ready.get(field);
    if (known) return known;
    const ready = this.#make(field, use, slot);
    this.#ready.set(field, ready);
    return ready;
  }

  #make(field: Field, use: Bits, slot: number): Ready {
    const { source } = field;
    switch (source.kind) {
      case 'packet':
        this.#headerBytes.add(source.at);
        return { action: 0, match: 0 };
      case 'metadata':
        if (isLength(field)) {
          refuse(slot, 'packet-length', 'the packet’s length used as data', 'it is known when the packet has left: only byte counters can add it');
        }
        this.#phvBits += field.bits.length;
        return { action: 0, match: 0 };
      case 'entry': {
        const { last } = this.#lookups.get(source.lookup)!;
        if (this.#registers.has(source.lookup.map)) return { action: last + 1, match: last + 1 };
        return { action: last, match: last + 1 };
      }
      case 'decided': {
        const { last } = this.#lookups.get(source.lookup)!;
        return { action: last, match: last + 1 };
      }
      case 'computed':
        return this.#compute(field, source, use);
      case 'joined':
        return this.#join(field, source);
    }
  } // prettier-ignore

  /** Sums wider than a container take a stage more, for the carry. */
  #compute(field: Field, source: Field['source'] & { kind: 'computed' }, use: Bits): Ready {
    const { operation, a, b, slot } = source;
    const used = use.filter((bit) => typeof bit !== 'number' && bit.field === field);
    const width = Math.max(...used.map((bit) => (typeof bit === 'number' ? 0 : bit.index + 1)));
    const isSum = operation === 'add' || operation === 'sub' || operation === 'neg';
    const inputs = [this.#need(a.slice(0, width), slot), this.#need(b.slice(0, width), slot)];
    const step = this.#stepOf(slot);
    const from = Math.max(0, ...inputs.map(({ action }) => action));
    const words = isSum ? Math.ceil(width / CONTAINER_BITS) : 1;
    let stage = this.#operation(step, from, inputs, slot, operation);
    for (let word = 1; word < words; word++) {
      const low = { action: stage + 1, match: stage + 1 };
      stage = this.#operation(step, stage + 1, [low], slot, `${operation}, carry`);
    }
    this.#phvBits += Math.ceil(width / 8) * 8;
    return { action: stage + 1, match: stage + 1 };
  }

  /** Each way sets the field, unless the parser does. */
  #join(field: Field, { ways }: Field['source'] & { kind: 'joined' }): Ready {
    this.#phvBits += field.bits.length;
    if (this.#isParsed(field)) {
      for (const { bits } of ways) this.#read(bits);
      return { action: 0, match: 0 };
    }
    let ready = 0;
    for (const { edge, bits } of ways) {
      const input = this.#need(bits, edge.slot);
      const from = Math.max(this.#edges.get(edge)!.stage, input.action);
      const stage = this.#operation(edge.from, from, [input], edge.slot, 'set');
      ready = Math.max(ready, stage + 1);
    }
    return { action: ready, match: ready };
  }

  #stepOf(slot: number): Step {
    return this.#graph.steps.find(({ slots }) => slots.includes(slot))!;
  }

  #note(
    step: Step,
    stage: number,
    slot: number,
    text: string,
    inputs: readonly Ready[],
    to: 'match' | 'action',
  ): void {
    const waits = inputs.map((input) => ({ stage: input[to] - 1, to })).filter(({ stage: s }) => s >= 0);
    this.#actions.push({ stage, slot, step: step.index, text, waits });
  } // prettier-ignore
}

const isLength = ({ source }: Field): boolean =>
  source.kind === 'metadata' && source.name.startsWith('length');

/** One way leads from the first to the second. */
function reaches(from: Step, to: Step): boolean {
  const seen = new Set([from]);
  for (const step of seen) for (const edge of step.outgoing) seen.add(edge.to);
  return seen.has(to);
}
