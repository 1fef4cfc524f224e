/**
 * Random programs as trees, so that fast-check can shrink them: a Statement is a line of BPF or a
 * structure of lines. render.ts makes instructions of them.
 *
 * Rules that keep a program acceptable to a verifier: r6 holds the context; the other registers
 * hold scalars between statements; the first DATA_BYTES of stack are initialised; loops count down
 * in stack slots of their own; whatever a call destroys is set again.
 */
import type { IsaRow } from '../../bpf/isa/row.ts';
import type { OpName } from '../../bpf/isa/table.ts';
import { ISA } from '../../bpf/isa/table.ts';

/** Registers that statements may use. */
export const SCALARS = [0, 1, 2, 3, 4, 5, 7, 8, 9] as const;
/** Stack that loads, stores and atomics may touch, at r10 - DATA_BYTES. */
export const DATA_BYTES = 48;
export const MAX_LOOP_NESTING = 2;
/** Below the data: loop counters, then a map key, then a map value. */
export const KEY_AT = DATA_BYTES + 8 * MAX_LOOP_NESTING + 8;
export const VALUE_AT = KEY_AT + 8;
export const FRAME_BYTES = VALUE_AT;
/** Sizes of the maps that programs use. */
export const VALUE_BYTES = 8;
export const MAP_ENTRIES = 4;

export interface Operands {
  readonly dst: number;
  readonly src: number;
  readonly imm: number;
  /** Where in the data area of the stack, before alignment. */
  readonly at: number;
}

/** A branch's two operands. */
export interface Test extends Operands {
  readonly op: OpName;
}

export type MapAction = 'read' | 'write' | 'add' | 'update' | 'delete';

export type Statement =
  /** One instruction without control flow. */
  | ({ readonly kind: 'insn'; readonly op: OpName } & Operands)
  | { readonly kind: 'constant'; readonly dst: number; readonly value: bigint }
  | { readonly kind: 'if'; readonly test: Test; readonly then: Body; readonly otherwise: Body }
  /** Jump over the next `count` statements of the same body. */
  | { readonly kind: 'skip'; readonly test: Test; readonly count: number }
  | { readonly kind: 'loop'; readonly rounds: number; readonly body: Body }
  /** A loop that is entered in the middle if the test holds. */
  | {
      readonly kind: 'two-entry-loop';
      readonly test: Test;
      readonly rounds: number;
      readonly first: Body;
      readonly second: Body;
    }
  | { readonly kind: 'call'; readonly subprog: number }
  | {
      readonly kind: 'packet';
      readonly offset: number;
      readonly bytes: 1 | 2 | 4 | 8;
      readonly write: boolean;
      readonly register: number;
    }
  | {
      readonly kind: 'map';
      readonly map: number;
      readonly key: number;
      readonly action: MapAction;
      readonly register: number;
    }
  | { readonly kind: 'helper'; readonly id: number }
  | { readonly kind: 'tail-call'; readonly index: number }
  /** Unless the test holds: code behind it must stay reachable. */
  | { readonly kind: 'exit'; readonly test: Test };

export type Body = readonly Statement[];

/** One program: [0] is the entry; a subprogram calls only later ones. */
export interface ProgramTree {
  readonly functions: readonly Body[];
  /** What the registers start with. */
  readonly initial: readonly bigint[];
}

export interface CaseTree {
  readonly program: ProgramTree;
  /** What tail calls reach, by index. */
  readonly tails: readonly ProgramTree[];
  readonly packet: Uint8Array;
  /** CPU that it runs on. */
  readonly cpu: number;
}

/** Rows of one instruction without control flow that any program may contain. */
export function straightRows(level: '6.1' | 'latest'): readonly IsaRow[] {
  return ISA.filter((row) => {
    if (row.version === 'internal' || (row.version === 'v4' && level === '6.1')) return false;
    switch (row.kind) {
      case 'alu':
      case 'neg':
      case 'movsx':
      case 'endian':
      case 'load':
      case 'store':
      case 'atomic':
        return true;
      default:
        return false;
    }
  });
}

export function branchRows(): readonly IsaRow[] {
  return ISA.filter((row) => row.kind === 'branch');
}
