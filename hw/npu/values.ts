/**
 * What registers and stack hold before each instruction, as far as a compiler must know: where
 * pointers point, and the ranges of numbers. The driver takes this from the verifier's walk; here it
 * is a fixed point over the program, so a range may be wider than the verifier's on each of its ways.
 *
 *   const at = analyse(program)
 *   at[slot]       undefined where nothing comes
 */
import { helperOfCall } from '../../bpf/calls.ts';
import type { Insn } from '../../bpf/isa/insn.ts';
import { imm64At } from '../../bpf/isa/codec.ts';
import type { AluOperation, Condition, RowOf } from '../../bpf/isa/row.ts';
import { rowOf } from '../../bpf/isa/table.ts';
import { buildCfg } from '../../bpf/jit/cfg.ts';
import type { BpfMap } from '../../bpf/maps/map.ts';
import type { VerifiedProgram } from '../../bpf/program.ts';

export type Value =
  | { readonly kind: 'number'; readonly min: bigint; readonly max: bigint }
  /** Bytes from the frame pointer. */
  | { readonly kind: 'stack'; readonly at: number }
  /** Bytes from the packet's beginning (id 0), or from what instruction `id` made; -1: who knows. */
  | { readonly kind: 'packet'; readonly id: number; readonly at: number }
  | { readonly kind: 'map value'; readonly map: BpfMap; readonly at: number | undefined }
  | { readonly kind: 'context' | 'other' };

export const U32_MAX = 0xffff_ffffn;
const U64_MAX = 0xffff_ffff_ffff_ffffn;
const range = (min: bigint, max: bigint): Value => ({ kind: 'number', min, max });
export const ANY = range(0n, U64_MAX);
const ANY32 = range(0n, U32_MAX);
const OTHER: Value = { kind: 'other' };
const known = (value: bigint): Value => {
  const unsigned = BigInt.asUintN(64, value);
  return range(unsigned, unsigned);
};

export interface State {
  /** r0 to r10. */
  readonly registers: readonly Value[];
  /** What was stored whole, by its place from the frame pointer. */
  readonly stack: ReadonlyMap<number, Stored>;
}

export interface Stored {
  readonly bytes: number;
  readonly value: Value;
}

const FRAME = 10;
/** Visits of a block after which a range that still grows becomes all numbers. */
const PATIENCE = 6;

export function analyse(program: VerifiedProgram): readonly (State | undefined)[] {
  const before: (State | undefined)[] = new Array<undefined>(program.insns.length).fill(undefined);
  const { blocks } = buildCfg(program, program.subprogs[0]!);
  const entry: (State | undefined)[] = blocks.map(() => undefined);
  const visits = blocks.map(() => 0);
  entry[0] = initial();
  const work = new Set([0]);
  for (const index of work) {
    work.delete(index);
    const block = blocks[index]!;
    let state = entry[index]!;
    for (const slot of block.slots) {
      before[slot] = state;
      state = step(program, state, slot);
    }
    block.successors.forEach((to, way) => {
      const branching = block.successors.length === 2;
      const out = branching ? refined(program, state, block.slots.at(-1)!, way === 1) : state;
      const joined = entry[to] ? join(entry[to], out, ++visits[to]! > PATIENCE) : out;
      if (joined === entry[to]) return;
      entry[to] = joined;
      work.add(to);
    });
  }
  return before;
}

function initial(): State {
  const registers: Value[] = Array.from({ length: FRAME + 1 }, () => known(0n));
  registers[1] = { kind: 'context' };
  registers[FRAME] = { kind: 'stack', at: 0 };
  return { registers, stack: new Map() };
}

const same = (a: Value, b: Value): boolean => {
  if (a === b) return true;
  if (a.kind === 'number' && b.kind === 'number') return a.min === b.min && a.max === b.max;
  if (a.kind === 'stack' && b.kind === 'stack') return a.at === b.at;
  if (a.kind === 'packet' && b.kind === 'packet') return a.id === b.id && a.at === b.at;
  if (a.kind === 'map value' && b.kind === 'map value') return a.map === b.map && a.at === b.at;
  return a.kind === b.kind && (a.kind === 'context' || a.kind === 'other');
};

function joinValues(a: Value, b: Value, widen: boolean): Value {
  if (same(a, b)) return a;
  if (a.kind === 'number' && b.kind === 'number') {
    if (widen) return a.max <= U32_MAX && b.max <= U32_MAX ? ANY32 : ANY;
    return range(a.min < b.min ? a.min : b.min, a.max > b.max ? a.max : b.max);
  }
  if (a.kind === 'packet' && b.kind === 'packet') return { kind: 'packet', id: -1, at: 0 };
  if (a.kind === 'map value' && b.kind === 'map value' && a.map === b.map) {
    return { kind: 'map value', map: a.map, at: undefined };
  }
  // NULL where nothing was found.
  if (a.kind === 'map value' && b.kind === 'number' && b.max === 0n) return a;
  if (b.kind === 'map value' && a.kind === 'number' && a.max === 0n) return b;
  return OTHER;
}

/** `a` itself where `b` brings nothing new. */
function join(a: State, b: State, widen: boolean): State {
  let changed = false;
  const registers = a.registers.map((value, register) => {
    const joined = joinValues(value, b.registers[register]!, widen);
    changed ||= !same(joined, value);
    return joined;
  });
  const stack = new Map<number, Stored>();
  for (const [at, { bytes, value }] of a.stack) {
    const other = b.stack.get(at);
    if (other?.bytes !== bytes) {
      changed = true;
      continue;
    }
    const joined = joinValues(value, other.value, widen);
    changed ||= !same(joined, value);
    stack.set(at, { bytes, value: joined });
  }
  return changed ? { registers, stack } : a;
}

function step(program: VerifiedProgram, state: State, slot: number): State {
  const insn = program.insns[slot]!;
  const row = rowOf(insn)!;
  const { dst, src, off, imm } = insn;
  const { registers } = state;
  const fact = program.facts[slot]!;
  const set = (register: number, value: Value): State => ({
    registers: registers.with(register, value),
    stack: state.stack,
  });
  switch (row.kind) {
    case 'alu':
      return setAlu(state, insn, row, slot);
    case 'neg':
      return set(dst, row.width === 32 ? ANY32 : ANY);
    case 'movsx':
      return set(dst, row.width === 32 ? ANY32 : ANY);
    case 'endian':
      return set(dst, range(0n, (1n << BigInt(row.bits)) - 1n));
    case 'ld_imm64':
      return set(dst, fact.imm64 ? OTHER : known(imm64At(program.insns, slot)));
    case 'load': {
      const base = registers[src]!;
      if (fact.pointer === 'ctx' && off === 0) return set(dst, { kind: 'packet', id: 0, at: 0 });
      if (fact.pointer === 'ctx' && off < 12) return set(dst, OTHER);
      const stored = base.kind === 'stack' ? state.stack.get(base.at + off) : undefined;
      if (stored?.bytes === row.bytes) return set(dst, stored.value);
      if (row.bytes === 8 || row.signed) return set(dst, fact.pointer === 'stack' ? OTHER : ANY);
      return set(dst, range(0n, (1n << BigInt(8 * row.bytes)) - 1n));
    }
    case 'store': {
      const base = registers[dst]!;
      if (base.kind !== 'stack') {
        return fact.pointer === 'stack' ? { registers, stack: new Map() } : state;
      }
      const value = row.source === 'imm' ? known(BigInt(imm)) : registers[src]!;
      return { registers, stack: stored(state.stack, base.at + off, row.bytes, value) };
    }
    case 'atomic':
      if (!row.fetch) return state;
      return set(row.operation === 'cmpxchg' ? 0 : src, row.bytes === 4 ? ANY32 : ANY);
    case 'call': {
      const name = helperOfCall(program, slot)?.name;
      const result: Value =
        name === 'map_lookup_elem' && fact.map
          ? { kind: 'map value', map: fact.map, at: 0 }
          : name === 'map_lookup_elem'
            ? OTHER
            : ANY;
      const after = [result, ...[1, 2, 3, 4, 5].map(() => ANY), ...registers.slice(6)];
      // What a helper writes to the stack is not followed.
      return { registers: after, stack: state.stack };
    }
    case 'ld_packet':
      return set(0, ANY32);
    default:
      return state;
  }
}

function stored(
  stack: ReadonlyMap<number, Stored>,
  at: number,
  bytes: number,
  value: Value,
): ReadonlyMap<number, Stored> {
  const after = new Map(stack);
  for (const [other, { bytes: length }] of stack) {
    if (other < at + bytes && at < other + length) after.delete(other);
  }
  const limit = (1n << BigInt(8 * bytes)) - 1n;
  const fits = bytes === 8 || (value.kind === 'number' && value.max <= limit);
  if (fits) after.set(at, { bytes, value });
  return after;
}

function setAlu(state: State, insn: Insn, row: RowOf<'alu'>, slot: number): State {
  const { dst, src, imm } = insn;
  const left = state.registers[dst]!;
  const right = row.source === 'imm' ? known(BigInt(imm)) : state.registers[src]!;
  const value = aluValue(row, left, right, slot);
  const registers = state.registers.with(dst, value);
  const made = value.kind === 'packet' && value.id === slot + 1;
  if (!made) return { registers, stack: state.stack };
  // In a loop the same instruction made another pointer before: that one is of unknown place now.
  const forget = (other: Value): Value =>
    other.kind === 'packet' && other.id === slot + 1 ? { ...other, id: -1 } : other;
  return {
    registers: registers.map((other, register) => (register === dst ? other : forget(other))),
    stack: new Map(
      [...state.stack].map(([at, { bytes, value: other }]) => [
        at,
        { bytes, value: forget(other) },
      ]),
    ),
  };
}

function aluValue({ operation, width }: RowOf<'alu'>, a: Value, b: Value, slot: number): Value {
  if (operation === 'mov' && width === 64) return b;
  if (width === 64 && (operation === 'add' || operation === 'sub')) {
    const moved = movedPointer(operation, a, b, slot);
    if (moved) return moved;
  }
  if (a.kind !== 'number' && operation !== 'mov') return width === 32 ? ANY32 : ANY;
  if (b.kind !== 'number') return width === 32 ? ANY32 : ANY;
  const x = a.kind === 'number' ? a : (ANY as Value & { kind: 'number' });
  if (width === 64) return numbers(operation, x, b, U64_MAX) ?? ANY;
  const low = (value: typeof b) => (value.max <= U32_MAX ? value : lowHalf(value));
  return numbers(operation, low(x), low(b), U32_MAX) ?? ANY32;
}

type Range = Value & { kind: 'number' };

function lowHalf({ min, max }: Range): Range {
  if (min === max) return range(min & U32_MAX, min & U32_MAX) as Range;
  return ANY32 as Range;
}

/** A pointer and a number; undefined where both are numbers. */
function movedPointer(
  operation: 'add' | 'sub',
  a: Value,
  b: Value,
  slot: number,
): Value | undefined {
  if (a.kind === 'number' && b.kind === 'number') return undefined;
  const [pointer, number] = a.kind === 'number' ? [b, a] : [a, b];
  if (number.kind !== 'number' || (operation === 'sub' && pointer === b)) return ANY;
  const by = number.min === number.max ? Number(BigInt.asIntN(64, number.min)) : undefined;
  const delta = by === undefined ? undefined : operation === 'add' ? by : -by;
  switch (pointer.kind) {
    case 'stack':
      return delta === undefined ? OTHER : { kind: 'stack', at: pointer.at + delta };
    case 'packet':
      if (delta !== undefined) return { ...pointer, at: pointer.at + delta };
      return { kind: 'packet', id: slot + 1, at: 0 };
    case 'map value': {
      const at = delta === undefined || pointer.at === undefined ? undefined : pointer.at + delta;
      return { ...pointer, at };
    }
    default:
      return OTHER;
  }
}

/** Undefined where the result may be anything. */
function numbers(operation: AluOperation, a: Range, b: Range, limit: bigint): Value | undefined {
  const constant = b.min === b.max ? b.min : undefined;
  const bits = limit === U32_MAX ? 32n : 64n;
  const within = (min: bigint, max: bigint) =>
    min >= 0n && max <= limit ? range(min, max) : undefined;
  switch (operation) {
    case 'mov':
      return b;
    case 'add':
      return within(a.min + b.min, a.max + b.max);
    case 'sub':
      return within(a.min - b.max, a.max - b.min);
    case 'mul':
      return within(a.min * b.min, a.max * b.max);
    case 'div':
      return constant === undefined || constant === 0n
        ? range(0n, a.max)
        : range(a.min / constant, a.max / constant);
    case 'and':
      return range(0n, a.max < b.max ? a.max : b.max);
    case 'or':
    case 'xor': {
      const most = a.max > b.max ? a.max : b.max;
      if (a.min === a.max && constant !== undefined) {
        const value = operation === 'or' ? a.min | constant : a.min ^ constant;
        return range(value, value);
      }
      return range(0n, (1n << BigInt(most.toString(2).length)) - 1n);
    }
    case 'lsh':
      if (constant === undefined) return undefined;
      return within(a.min << (constant & (bits - 1n)), a.max << (constant & (bits - 1n)));
    case 'rsh':
      if (constant === undefined) return range(0n, a.max);
      return range(a.min >> (constant & (bits - 1n)), a.max >> (constant & (bits - 1n)));
    default:
      return undefined;
  }
}

const NEGATED: Readonly<Partial<Record<Condition, Condition>>> = {
  eq: 'ne', ne: 'eq', gt: 'le', le: 'gt', ge: 'lt', lt: 'ge',
}; // prettier-ignore

/** What a branch on a number and a constant tells on each of its ways. */
function refined(program: VerifiedProgram, state: State, slot: number, taken: boolean): State {
  const insn = program.insns[slot]!;
  const row = rowOf(insn)!;
  if (row.kind !== 'branch') return state;
  const value = state.registers[insn.dst]!;
  const right = row.source === 'imm' ? known(BigInt(insn.imm)) : state.registers[insn.src]!;
  if (value.kind !== 'number' || right.kind !== 'number' || right.min !== right.max) return state;
  if (row.width === 32 && value.max > U32_MAX) return state;
  const to = row.width === 32 ? right.min & U32_MAX : right.min;
  const condition = taken ? row.condition : NEGATED[row.condition];
  let { min, max } = value;
  const atMost = (bound: bigint) => (max = bound < max ? bound : max);
  const atLeast = (bound: bigint) => (min = bound > min ? bound : min);
  if (condition === 'eq') {
    atMost(to);
    atLeast(to);
  } else if (condition === 'gt') atLeast(to + 1n);
  else if (condition === 'ge') atLeast(to);
  else if (condition === 'lt') atMost(to - 1n);
  else if (condition === 'le') atMost(to);
  else if (condition === 'ne' && to === min) atLeast(to + 1n);
  if (min > max) return state;
  return { ...state, registers: state.registers.with(insn.dst, range(min, max)) };
}
