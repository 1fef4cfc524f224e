/**
 * A program as a graph of steps, each a basic block under one set of pointers: where two ways bring
 * different pointers to a block, it becomes two steps, as a header is parsed by two states. What a
 * step does to data is left as values of wired bits (value.ts) and as effects, in order.
 *
 *   const graph = buildGraph(program)      Diagnostic[] where something has no counterpart at all
 */
import type { BpfMap } from '../../bpf/maps/map.ts';
import type { Condition } from '../../bpf/isa/row.ts';
import type { Bits, Value } from './value.ts';

/** A key looked up in a map, or a register of an array. */
export interface Lookup {
  readonly map: BpfMap;
  readonly slot: number;
  readonly step: Step;
  /** Of the whole key. */
  readonly key: Bits;
  /** Leads to an entry, or decides a verdict (redirect_map). */
  readonly decides: boolean;
}

/** What a step changes, beside values. */
export type Effect =
  | { readonly kind: 'lookup'; readonly lookup: Lookup }
  /** Bytes of the packet from `at` on. */
  | { readonly kind: 'packet'; readonly slot: number; readonly at: number; readonly bits: Bits }
  | {
      readonly kind: 'register';
      readonly slot: number;
      readonly lookup: Lookup;
      readonly at: number;
      readonly bytes: number;
      readonly operation: RegisterOperation;
      readonly operand: Bits;
    }
  /** Where it goes out. */
  | { readonly kind: 'port'; readonly slot: number; readonly bits: Bits }
  /** The packet grows at its front. */
  | { readonly kind: 'header'; readonly slot: number; readonly delta: number }
  | { readonly kind: 'verdict'; readonly slot: number; readonly bits: Bits };

export type RegisterOperation = 'add' | 'or' | 'and' | 'xor' | 'write';

export type Test =
  | {
      readonly kind: 'compare';
      readonly condition: Condition;
      readonly width: 32 | 64;
      readonly a: Bits;
      readonly b: Bits;
    }
  /** The packet has so many bytes, counted from where it began when it came in. */
  | { readonly kind: 'length'; readonly least: number }
  | { readonly kind: 'hit'; readonly lookup: Lookup };

/** One way out of a step. */
export interface Edge {
  readonly from: Step;
  readonly to: Step;
  /** Undefined where there is only one way. */
  readonly test: Test | undefined;
  /** The test's answer that leads this way. */
  readonly holds: boolean;
  readonly slot: number;
}

export interface Step {
  readonly index: number;
  /** Slots that it executes. */
  readonly slots: readonly number[];
  readonly incoming: Edge[];
  readonly outgoing: Edge[];
  readonly effects: Effect[];
  /** What registers hold when it begins, as far as that is known: for checking. */
  readonly registers: readonly (Value | undefined)[];
  /** Where the packet began then, against where it began when it came in. */
  readonly start: number;
}

export interface Graph {
  /** In an order in which every edge leads forward. */
  readonly steps: readonly Step[];
  readonly lookups: readonly Lookup[];
}
