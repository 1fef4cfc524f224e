/**
 * hXDP's compiler passes before scheduling (OSDI'20, sections 3.1 and 3.2). Each changes the blocks in
 * place, leaves what the program does as it is, and can be left out.
 */
import { rowOf } from '../../../bpf/isa/table.ts';
import type { VerifiedProgram } from '../../../bpf/program.ts';
import { XDP_MD } from '../../xdp-context.ts';
import { callsPacketHelper, type MemoryUse, type Op, type OpBlock } from './ops.ts';
import { isPure, liveBefore, liveIn, removeDead } from './liveness.ts';

export const PASSES = ['zeroing', 'bounds', 'three-operand', 'exit', 'six-byte'] as const;
export type Pass = (typeof PASSES)[number];

export function runPass(pass: Pass, program: VerifiedProgram, blocks: OpBlock[]): void {
  switch (pass) {
    case 'zeroing':
      return removeZeroing(program, blocks);
    case 'bounds':
      return removeBoundsChecks(program, blocks);
    case 'three-operand':
      return fuseThreeOperand(program, blocks);
    case 'exit':
      return parametriseExits(program, blocks);
    case 'six-byte':
      return fuseSixBytes(program, blocks);
  }
}

const R0 = 1;
const R10 = 10;
const STACK_BYTES = 512;

/** What is known of the state where a block begins, joined over the ways that lead there. */
function forward<T>(
  blocks: readonly OpBlock[],
  entry: T,
  join: (a: T, b: T) => T,
  equal: (a: T, b: T) => boolean,
  transfer: (state: T, op: Op) => T,
): (T | undefined)[] {
  const at: (T | undefined)[] = blocks.map(() => undefined);
  at[0] = entry;
  for (let changed = true; changed;) {
    changed = false;
    blocks.forEach(({ ops, next }, index) => {
      let state = at[index];
      if (state === undefined) return;
      const flow = (to: number, value: T): void => {
        const before = at[to];
        const after = before === undefined ? value : join(before, value);
        if (before !== undefined && equal(before, after)) return;
        at[to] = after;
        changed = true;
      };
      for (const op of ops) {
        if (op.target !== undefined) flow(op.target, state);
        state = transfer(state, op);
      }
      if (next !== undefined) flow(next, state);
    });
  }
  return at;
}

/**
 * Registers and stack are zero when a packet's run starts: what sets them to zero and is the first
 * to touch them may go.
 */
interface Untouched {
  /** Registers that still hold the zero they began with. */
  readonly registers: number;
  /** Stack bytes, from r10 - 512 on. */
  readonly stack: bigint;
}

const ALL_STACK = (1n << BigInt(STACK_BYTES)) - 1n;
/** r1 holds the context, r10 the stack. */
const ZERO_AT_START = 0b011_1111_1101;

function removeZeroing(program: VerifiedProgram, blocks: OpBlock[]): void {
  const transfer = (state: Untouched, op: Op): Untouched => ({
    registers: state.registers & ~op.writes,
    stack: state.stack & ~stackWritten(program, op),
  });
  const at = forward<Untouched>(
    blocks,
    { registers: ZERO_AT_START, stack: ALL_STACK },
    (a, b) => ({ registers: a.registers & b.registers, stack: a.stack & b.stack }),
    (a, b) => a.registers === b.registers && a.stack === b.stack,
    (state, op) => (setsZero(program, op, state) ? state : transfer(state, op)),
  );
  blocks.forEach(({ ops }, index) => {
    let state = at[index];
    if (state === undefined) return;
    const kept = ops.filter((op) => {
      if (setsZero(program, op, state!)) return false;
      state = transfer(state!, op);
      return true;
    });
    ops.splice(0, ops.length, ...kept);
  });
  removeDead(blocks);
}

/** The operation writes zero to what is zero already. */
function setsZero(program: VerifiedProgram, op: Op, state: Untouched): boolean {
  if (op.kind !== 'compute' || op.slots.length !== 1) return false;
  const insn = program.insns[op.slots[0]!]!;
  const row = rowOf(insn)!;
  if (row.kind === 'alu' && row.operation === 'mov') {
    const isZero = row.source === 'imm' ? insn.imm === 0 : holds(state.registers, insn.src);
    return isZero && holds(state.registers, insn.dst);
  }
  if (row.kind !== 'store') return false;
  const isZero = row.source === 'imm' ? insn.imm === 0 : holds(state.registers, insn.src);
  const bytes = stackBytes(op.memory[0]!);
  return isZero && bytes !== undefined && (state.stack & bytes) === bytes;
}

const holds = (mask: number, register: number): boolean => ((mask >> register) & 1) === 1;

/** Bits of the stack's bytes; undefined where they are not known. */
function stackBytes({ base, from, to }: MemoryUse): bigint | undefined {
  if (base !== R10 || from < -STACK_BYTES || to > 0) return undefined;
  return ((1n << BigInt(to - from)) - 1n) << BigInt(from + STACK_BYTES);
}

function stackWritten(_program: VerifiedProgram, op: Op): bigint {
  // A helper may fill a buffer on the stack.
  if (op.kind === 'call') return ALL_STACK;
  let written = 0n;
  for (const use of op.memory) {
    if (!use.isStore || use.space === 'packet' || use.space === 'map_value') continue;
    written |= stackBytes(use) ?? ALL_STACK;
  }
  return written;
}

/**
 * The packet buffer knows how long the packet is: comparing a pointer into it with its end becomes
 * a guard beside the row, which costs no lane.
 */
type Value = { readonly offset: number } | 'end' | 'other';

function removeBoundsChecks(program: VerifiedProgram, blocks: OpBlock[]): void {
  const transfer = (state: readonly Value[], op: Op): readonly Value[] => {
    if (op.kind === 'call' && callsPacketHelper(program, op)) return state.map(() => 'other');
    if (op.writes === 0) return state;
    return state.map((value, register) =>
      holds(op.writes, register) ? packetValue(program, state, op) : value,
    );
  };
  const at = forward<readonly Value[]>(
    blocks,
    Array.from({ length: R10 + 1 }, (): Value => 'other'),
    (a, b) => a.map((value, i) => (sameValue(value, b[i]!) ? value : 'other')),
    (a, b) => a.every((value, i) => sameValue(value, b[i]!)),
    transfer,
  );
  blocks.forEach((block, index) => {
    let state = at[index];
    if (state === undefined) return;
    block.ops.forEach((op, i) => {
      const guard = guardOf(program, state!, op, block);
      if (guard !== undefined) block.ops[i] = guard;
      state = transfer(state!, op);
    });
  });
  removeDead(blocks);
}

const sameValue = (a: Value, b: Value): boolean =>
  a === b || (typeof a === 'object' && typeof b === 'object' && a.offset === b.offset);

function packetValue(program: VerifiedProgram, state: readonly Value[], op: Op): Value {
  const insn = program.insns[op.slots.at(-1)!]!;
  const row = rowOf(insn)!;
  if (row.kind === 'load' && op.memory[0]!.space === 'ctx') {
    if (insn.off === XDP_MD.data) return { offset: 0 };
    return insn.off === XDP_MD.data_end ? 'end' : 'other';
  }
  if (row.kind !== 'alu' || row.width !== 64) return 'other';
  if (row.operation === 'mov') return row.source === 'reg' ? state[insn.src]! : 'other';
  const before = state[insn.dst]!;
  if (typeof before !== 'object' || row.source !== 'imm') return 'other';
  if (row.operation === 'add') return { offset: before.offset + insn.imm };
  return row.operation === 'sub' ? { offset: before.offset - insn.imm } : 'other';
}

/**
 * `if pointer > end` leaves for the target, and so does `if end < pointer`, where the packet is
 * shorter than the pointer's offset. The opposite comparisons would leave if it is long enough.
 */
function guardOf(
  program: VerifiedProgram,
  state: readonly Value[],
  op: Op,
  block: OpBlock,
): Op | undefined {
  if (op.kind !== 'branch') return undefined;
  const insn = program.insns[op.slots[0]!]!;
  const row = rowOf(insn)!;
  if (row.kind !== 'branch' || row.source !== 'reg' || row.width !== 64) return undefined;
  const [left, right] = [state[insn.dst]!, state[insn.src]!];
  const guard = (minBytes: number): Op => {
    const { target, slots } = op;
    return { kind: 'guard', slots, reads: 0, writes: 0, memory: [], target: target!, minBytes };
  };
  const isLast = block.ops.at(-1) === op;
  const inverted = (minBytes: number): Op | undefined => {
    if (!isLast || block.next === undefined) return undefined;
    const short = block.next;
    block.next = op.target;
    return { ...guard(minBytes), target: short };
  };
  if (typeof left === 'object' && right === 'end') {
    if (row.condition === 'gt') return guard(left.offset);
    if (row.condition === 'ge') return guard(left.offset + 1);
    if (row.condition === 'le') return inverted(left.offset);
    if (row.condition === 'lt') return inverted(left.offset + 1);
  }
  if (left === 'end' && typeof right === 'object') {
    if (row.condition === 'lt') return guard(right.offset);
    if (row.condition === 'le') return guard(right.offset + 1);
    if (row.condition === 'ge') return inverted(right.offset);
    if (row.condition === 'gt') return inverted(right.offset + 1);
  }
  return undefined;
}

/** `a = b; a op= c` becomes `a = b op c`. */
function fuseThreeOperand(program: VerifiedProgram, blocks: OpBlock[]): void {
  for (const { ops } of blocks) {
    for (let i = 0; i < ops.length; i++) {
      const mov = ops[i]!;
      const moved = movRegister(program, mov);
      if (moved === undefined) continue;
      const at = ops.findIndex((op, j) => j > i && ((op.reads | op.writes) >> moved.dst) & 1);
      const op = ops[at];
      if (op === undefined || !isTwoOperand(program, op, moved.dst)) continue;
      const between = ops.slice(i + 1, at);
      if (between.some(({ writes }) => holds(writes, moved.src))) continue;
      if (between.some(({ target }) => target !== undefined)) continue;
      const reads = (op.reads & ~(1 << moved.dst)) | (1 << moved.src);
      ops[at] = { ...op, slots: [...mov.slots, ...op.slots], reads, form: 'three-operand' };
      ops.splice(i, 1);
      i--;
    }
  }
}

function movRegister(
  program: VerifiedProgram,
  op: Op,
): { readonly dst: number; readonly src: number } | undefined {
  if (op.kind !== 'compute' || op.slots.length !== 1) return undefined;
  const insn = program.insns[op.slots[0]!]!;
  const row = rowOf(insn)!;
  const isMov = row.kind === 'alu' && row.operation === 'mov' && row.width === 64;
  return isMov && row.source === 'reg' ? insn : undefined;
}

function isTwoOperand(program: VerifiedProgram, op: Op, dst: number): boolean {
  if (op.kind !== 'compute' || op.slots.length !== 1) return false;
  const insn = program.insns[op.slots[0]!]!;
  const row = rowOf(insn)!;
  return row.kind === 'alu' && row.operation !== 'mov' && insn.dst === dst;
}

/**
 * An exit whose verdict is a constant carries it. A block of nothing but an exit is copied to where
 * control comes from, as each may have a verdict of its own.
 */
function parametriseExits(program: VerifiedProgram, blocks: OpBlock[]): void {
  const bare = new Set(
    blocks.flatMap(({ ops }, i) => (ops.length === 1 && ops[0]!.kind === 'exit' ? [i] : [])),
  );
  for (const block of blocks) {
    const { ops, next } = block;
    const last = ops.at(-1);
    const goal = last?.kind === 'jump' ? last.target! : next;
    if (goal === undefined || !bare.has(goal)) continue;
    if (constantVerdict(program, ops) === undefined) continue;
    if (last?.kind === 'jump') ops.pop();
    ops.push({ ...blocks[goal]!.ops[0]! });
    block.next = undefined;
  }
  for (const { ops } of blocks) {
    const exit = ops.at(-1);
    if (exit?.kind !== 'exit') continue;
    const verdict = constantVerdict(program, ops.slice(0, -1));
    if (verdict === undefined) continue;
    ops[ops.length - 1] = { ...exit, reads: 0, verdict, form: 'exit' };
  }
  removeDead(blocks);
}

/** What r0 is at the end of these operations, if one of them sets it to a constant. */
function constantVerdict(program: VerifiedProgram, ops: readonly Op[]): number | undefined {
  const setter = ops.findLast(({ writes }) => (writes & R0) !== 0);
  if (setter?.kind !== 'compute' || setter.slots.length !== 1) return undefined;
  const insn = program.insns[setter.slots[0]!]!;
  const row = rowOf(insn)!;
  const isConstant = row.kind === 'alu' && row.operation === 'mov' && row.source === 'imm';
  return isConstant ? insn.imm >>> 0 : undefined;
}

/** Loads of six neighbouring bytes that go to six neighbouring bytes: one load and one store. */
function fuseSixBytes(program: VerifiedProgram, blocks: OpBlock[]): void {
  const live = liveIn(blocks);
  blocks.forEach(({ ops }, block) => {
    for (let i = 0; i < ops.length; i++) {
      const loads = group(ops, i, false);
      if (loads === undefined) continue;
      const stores = storesOf(program, ops, loads);
      if (stores === undefined) continue;
      const registers = loads.reduce((mask, op) => mask | op.writes, 0);
      const lastStore = Math.max(...stores.map((op) => ops.indexOf(op)));
      if ((liveBefore(blocks, live, block, lastStore + 1) & registers) !== 0) continue;
      merge(ops, loads, 0);
      merge(ops, stores, -1);
    }
  });
}

/** Accesses from operation `i` on that cover six bytes from one base without a gap, ascending. */
function group(ops: readonly Op[], i: number, isStore: boolean): readonly Op[] | undefined {
  const [first] = ops[i]!.memory;
  if (!first || first.isStore !== isStore || ops[i]!.slots.length !== 1) return undefined;
  if (ops[i]!.kind !== 'compute') return undefined;
  const found: Op[] = [ops[i]!];
  let end = first.to;
  for (let j = i + 1; j < ops.length && end < first.from + 6; j++) {
    const op = ops[j]!;
    const [use] = op.memory;
    if (op.kind !== 'compute') break;
    const fits = use && use.isStore === isStore && use.base === first.base && use.from === end;
    if (fits && op.slots.length === 1) {
      found.push(op);
      end = use.to;
    } else if (
      holds(op.writes, first.base) ||
      (use?.isStore !== undefined && use.isStore !== isStore)
    ) {
      break;
    }
  }
  return found.length > 1 && end === first.from + 6 ? found : undefined;
}

/** The stores that put what the loads loaded side by side again, and are its only readers. */
function storesOf(
  program: VerifiedProgram,
  ops: readonly Op[],
  loads: readonly Op[],
): readonly Op[] | undefined {
  const stores: Op[] = [];
  let base: number | undefined;
  let end: number | undefined;
  for (const load of loads) {
    const register = program.insns[load.slots[0]!]!.dst;
    const from = ops.indexOf(load);
    const readers: Op[] = [];
    for (const op of ops.slice(from + 1)) {
      if (holds(op.reads, register)) readers.push(op);
      if (holds(op.writes, register)) break;
    }
    const [store] = readers;
    if (readers.length !== 1 || store!.slots.length !== 1) return undefined;
    const [use] = store!.memory;
    const insn = program.insns[store!.slots[0]!]!;
    if (!use?.isStore || insn.src !== register || insn.dst === register) return undefined;
    if (rowOf(insn)!.kind !== 'store') return undefined;
    if (use.to - use.from !== load.memory[0]!.to - load.memory[0]!.from) return undefined;
    if (base !== undefined && (use.base !== base || use.from !== end)) return undefined;
    base = use.base;
    end = use.to;
    stores.push(store!);
  }
  return stores;
}

/** Make one operation of several, where the first (0) or the last (-1) of them stands. */
function merge(ops: Op[], parts: readonly Op[], where: 0 | -1): void {
  const places = parts.map((op) => ops.indexOf(op)).sort((a, b) => a - b);
  const place = places.at(where)!;
  const uses = parts.map((op) => op.memory[0]!);
  const merged: Op = {
    kind: 'compute',
    slots: parts.flatMap(({ slots }) => slots),
    reads: parts.reduce((mask, op) => mask | op.reads, 0),
    writes: parts.reduce((mask, op) => mask | op.writes, 0),
    memory: [{ ...uses[0]!, to: uses.at(-1)!.to }],
    form: 'six-byte',
  };
  ops[place] = merged;
  for (const at of places.toReversed()) if (at !== place) ops.splice(at, 1);
}

void isPure;
