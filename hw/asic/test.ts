/** What a branch asks: for the packet's length, for a hit, or for how two values compare. */
import type { Condition, RowOf } from '../../bpf/isa/row.ts';
import type { Test } from './graph.ts';
import { refuse } from './refusal.ts';
import type { State } from './state.ts';
import { bitsOf, constantOf, low32, sameBits, type Value } from './value.ts';

interface Asked {
  /** A boolean: known already. */
  readonly test: Test | boolean;
  /** The branch is taken where the test says this. */
  readonly holds: boolean;
}

const MIRRORED: Readonly<Partial<Record<Condition, Condition>>> = {
  gt: 'lt', ge: 'le', lt: 'gt', le: 'ge', eq: 'eq', ne: 'ne',
}; // prettier-ignore

export function testOf(
  state: State,
  { condition, width }: RowOf<'branch'>,
  left: Value | undefined,
  right: Value | undefined,
  slot: number,
): Asked {
  if (left?.kind === 'packet' && right?.kind === 'packet end') return length(condition, left.at, slot);
  if (left?.kind === 'packet end' && right?.kind === 'packet') {
    return length(MIRRORED[condition] ?? condition, right.at, slot);
  }
  if (left?.kind === 'entry' && right?.kind === 'bits' && constantOf(right.bits) === 0n) {
    return found(state, left, condition, slot);
  }
  const a = left === undefined ? bitsOf(0n) : left.kind === 'bits' ? left.bits : undefined;
  const b = right === undefined ? bitsOf(0n) : right.kind === 'bits' ? right.bits : undefined;
  if (!a || !b) {
    if (left?.kind === 'length' || right?.kind === 'length') {
      return refuse(slot, 'packet-length', 'a branch on the packet’s length', 'it is known when the packet has left; a check for the end of a header is a parser’s');
    }
    return refuse(slot, 'pointer-as-data', 'this comparison of pointers');
  }
  const [x, y] = width === 32 ? [low32(a), low32(b)] : [a, b];
  const [known, other] = [constantOf(x), constantOf(y)];
  if (known !== undefined && other !== undefined) {
    return { test: holds(condition, width, known, other), holds: true };
  }
  if (sameBits(x, y)) return { test: holds(condition, width, 0n, 0n), holds: true };
  return { test: { kind: 'compare', condition, width, a: x, b: y }, holds: true };
} // prettier-ignore

/** Packet pointer at `at` against the packet's end. */
function length(condition: Condition, at: number, slot: number): Asked {
  switch (condition) {
    case 'gt':
      return { test: { kind: 'length', least: at }, holds: false };
    case 'ge':
      return { test: { kind: 'length', least: at + 1 }, holds: false };
    case 'le':
      return { test: { kind: 'length', least: at }, holds: true };
    case 'lt':
      return { test: { kind: 'length', least: at + 1 }, holds: true };
    default:
      return refuse(slot, 'packet-length', 'a check for one exact length', 'check that it is at least so long');
  }
} // prettier-ignore

function found(
  state: State,
  { lookup }: Value & { kind: 'entry' },
  condition: Condition,
  slot: number,
): Asked {
  if (condition !== 'eq' && condition !== 'ne') {
    return refuse(slot, 'pointer-as-data', 'a pointer compared with a number');
  }
  if (state.hits.has(lookup)) return { test: condition === 'ne', holds: true };
  return { test: { kind: 'hit', lookup }, holds: condition === 'ne' };
}

/** Of known numbers. */
export function holds(condition: Condition, width: 32 | 64, x: bigint, y: bigint): boolean {
  const a = BigInt.asUintN(width, x);
  const b = BigInt.asUintN(width, y);
  const sa = BigInt.asIntN(width, x);
  const sb = BigInt.asIntN(width, y);
  switch (condition) {
    case 'eq': return a === b;
    case 'ne': return a !== b;
    case 'gt': return a > b;
    case 'ge': return a >= b;
    case 'lt': return a < b;
    case 'le': return a <= b;
    case 'sgt': return sa > sb;
    case 'sge': return sa >= sb;
    case 'slt': return sa < sb;
    case 'sle': return sa <= sb;
    case 'set': return (a & b) !== 0n;
  }
} // prettier-ignore
