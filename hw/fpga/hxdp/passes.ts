/**
 * hXDP's compiler passes before scheduling (OSDI'20, sections 3.1 and 3.2). Each changes the blocks in
 * place, leaves what the program does as it is, and can be left out.
 */
import { imm64At } from '../../../bpf/isa/codec.ts';
import { rowOf } from '../../../bpf/isa/table.ts';
import type { Condition } from '../../../bpf/isa/row.ts';
import type { VerifiedProgram } from '../../../bpf/program.ts';
import { XDP_MD } from '../../xdp-context.ts';
import { callsPacketHelper, type MemoryUse, type Op, type OpBlock, type PacketEnd } from './ops.ts';
import { liveBefore, liveIn, removeDead } from './liveness.ts';

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

const R10 = 10;
const STACK_BYTES = 512;

/** What is known of the state where a block begins, joined over the ways that lead there. */
function forward<T>(
  blocks: readonly OpBlock[],
  entry: T,
  join: (a: T, b: T, to: number) => T,
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
        const after = before === undefined ? value : join(before, value, to);
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
 * Registers and stack are zero when a packet's run starts, and helpers leave their arguments alone:
 * what sets something to the value that it has may go.
 */
interface Known {
  /** Of each register, where it is the same on all ways. */
  readonly registers: readonly (bigint | undefined)[];
  /** Stack bytes that nothing has touched, from r10 - 512 on. */
  readonly untouched: bigint;
}

const ALL_STACK = (1n << BigInt(STACK_BYTES)) - 1n;
const R1 = 1;

function removeZeroing(program: VerifiedProgram, blocks: OpBlock[]): void {
  const at = knownAt(program, blocks);
  blocks.forEach(({ ops }, index) => {
    let state = at[index];
    if (state === undefined) return;
    const kept = ops.filter((op) => {
      const redundant = setsKnown(program, op, state!);
      state = knownAfter(program, state!, op);
      return !redundant;
    });
    ops.splice(0, ops.length, ...kept);
  });
  removeDead(blocks);
}

/** What is known where each block begins. */
function knownAt(program: VerifiedProgram, blocks: readonly OpBlock[]): (Known | undefined)[] {
  const entry = Array.from({ length: R10 + 1 }, (_, i) => (i === R1 || i === R10 ? undefined : 0n));
  return forward<Known>(
    blocks,
    { registers: entry, untouched: ALL_STACK },
    (a, b) => ({
      registers: a.registers.map((value, i) => (value === b.registers[i] ? value : undefined)),
      untouched: a.untouched & b.untouched,
    }),
    (a, b) =>
      a.untouched === b.untouched && a.registers.every((value, i) => value === b.registers[i]),
    (state, op) => knownAfter(program, state, op),
  );
}

function knownAfter(program: VerifiedProgram, state: Known, op: Op): Known {
  if (setsKnown(program, op, state)) return state;
  const untouched = state.untouched & ~stackWritten(op);
  if (op.writes === 0) return { ...state, untouched };
  const value = constantOf(program, op, state);
  const registers = state.registers.map((known, i) => (holds(op.writes, i) ? value : known));
  return { registers, untouched };
}

/** The constant that an operation puts into its register, if that is all it does. */
function constantOf(program: VerifiedProgram, op: Op, state: Known): bigint | undefined {
  if (op.kind !== 'compute' || op.slots.length !== 1) return undefined;
  const slot = op.slots[0]!;
  const insn = program.insns[slot]!;
  const row = rowOf(insn)!;
  if (row.kind === 'ld_imm64') return BigInt.asIntN(64, imm64At(program.insns, slot));
  if (row.kind !== 'alu' || row.operation !== 'mov') return undefined;
  const value = row.source === 'imm' ? BigInt(insn.imm) : state.registers[insn.src];
  return row.width === 32 && value !== undefined ? BigInt.asUintN(32, value) : value;
}

/** The operation sets a register or untouched stack to what is there already. */
function setsKnown(program: VerifiedProgram, op: Op, state: Known): boolean {
  if (op.kind !== 'compute' || op.slots.length !== 1) return false;
  const insn = program.insns[op.slots[0]!]!;
  const row = rowOf(insn)!;
  const constant = constantOf(program, op, state);
  if (constant !== undefined) return state.registers[insn.dst] === constant;
  if (row.kind !== 'store') return false;
  const isZero = row.source === 'imm' ? insn.imm === 0 : state.registers[insn.src] === 0n;
  const bytes = stackBytes(op.memory[0]!);
  return isZero && bytes !== undefined && (state.untouched & bytes) === bytes;
}

const holds = (mask: number, register: number): boolean => ((mask >> register) & 1) === 1;

/** Bits of the stack's bytes; undefined where they are not known. */
function stackBytes({ base, from, to }: MemoryUse): bigint | undefined {
  if (base !== R10 || from < -STACK_BYTES || to > 0) return undefined;
  return ((1n << BigInt(to - from)) - 1n) << BigInt(from + STACK_BYTES);
}

function stackWritten(op: Op): bigint {
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
type Value =
  /** Bytes from `root`: the packet's start, or what a register was where ways met. */
  { readonly offset: number; readonly root: string } | 'end' | 'other';

const START = 'start';

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
    (a, b, to) => a.map((value, i) => joined(value, b[i]!, `${to}:${i}`)),
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

/** Pointers into the packet that differ by way become a root of their own. */
function joined(a: Value, b: Value, root: string): Value {
  if (sameValue(a, b)) return a;
  return typeof a === 'object' && typeof b === 'object' ? { offset: 0, root } : 'other';
}

const sameValue = (a: Value, b: Value): boolean =>
  a === b ||
  (typeof a === 'object' && typeof b === 'object' && a.offset === b.offset && a.root === b.root);

function packetValue(program: VerifiedProgram, state: readonly Value[], op: Op): Value {
  const insn = program.insns[op.slots.at(-1)!]!;
  const row = rowOf(insn)!;
  if (row.kind === 'load' && op.memory[0]!.space === 'ctx') {
    if (insn.off === XDP_MD.data) return { offset: 0, root: START };
    return insn.off === XDP_MD.data_end ? 'end' : 'other';
  }
  if (row.kind !== 'alu' || row.width !== 64) return 'other';
  if (row.operation === 'mov') return row.source === 'reg' ? state[insn.src]! : 'other';
  const before = state[insn.dst]!;
  if (typeof before !== 'object' || row.source !== 'imm') return 'other';
  if (row.operation === 'add') return { ...before, offset: before.offset + insn.imm };
  return row.operation === 'sub' ? { ...before, offset: before.offset - insn.imm } : 'other';
}

/** A comparison of a pointer into the packet with its end, as a guard. */
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
  const isInto = typeof left === 'object' ? right === 'end' : left === 'end';
  const pointer = typeof left === 'object' ? left : right;
  if (!isInto || typeof pointer !== 'object') return undefined;
  const shown = SHORT_IF[row.condition]?.[typeof left === 'object' ? 0 : 1];
  if (shown === undefined) return undefined;
  const needs = packetEnd(state, pointer, shown.plus);
  if (needs === undefined) return undefined;
  const reads = needs.register === undefined ? 0 : 1 << needs.register;
  const guard = { kind: 'guard', slots: op.slots, reads, writes: 0, memory: [], needs } as const;
  if (shown.leaves) return { ...guard, target: op.target! };
  // It leaves if the packet is long enough: the other way round, then.
  if (block.ops.at(-1) !== op || block.next === undefined) return undefined;
  const short = block.next;
  block.next = op.target;
  return { ...guard, target: short };
}

/**
 * By condition, and whether the pointer stands on the left or the right of it: the branch leaves if
 * the packet is short (or if it is not), compared with so many bytes more than the offset.
 */
interface Shown {
  readonly leaves: boolean;
  readonly plus: 0 | 1;
}
const shows = (leaves: boolean, plus: 0 | 1): Shown => ({ leaves, plus });
const SHORT_IF: Partial<Record<Condition, readonly [Shown, Shown]>> = {
  gt: [shows(true, 0), shows(false, 1)],
  ge: [shows(true, 1), shows(false, 0)],
  lt: [shows(false, 1), shows(true, 0)],
  le: [shows(false, 0), shows(true, 1)],
};

/** The same end, from the packet's start or from a register that has the pointer's root. */
function packetEnd(
  state: readonly Value[],
  { offset, root }: { readonly offset: number; readonly root: string },
  plus: number,
): PacketEnd | undefined {
  if (root === START) return { bytes: offset + plus };
  const isOf = (value: Value): boolean => typeof value === 'object' && value.root === root;
  // The one at the root itself is used for accesses anyway.
  const atRoot = state.findIndex(
    (value) => isOf(value) && (value as { offset: number }).offset === 0,
  );
  const register = atRoot >= 0 ? atRoot : state.findIndex(isOf);
  const base = state[register];
  if (typeof base !== 'object') return undefined;
  return { register, bytes: offset - base.offset + plus };
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
 * An exit whose verdict is a constant carries it. A block of nothing but an exit, or of one that r0 is
 * set for, is copied to where control comes from: each may have a verdict of its own, and a place
 * left in a row.
 */
function parametriseExits(program: VerifiedProgram, blocks: OpBlock[]): void {
  setVerdicts(program, blocks);
  for (const block of blocks) {
    const { ops, next } = block;
    const last = ops.at(-1);
    const goal = last?.kind === 'jump' ? last.target! : next;
    const tail = goal === undefined ? undefined : blocks[goal]!.ops;
    if (tail === undefined || tail.at(-1)?.kind !== 'exit' || tail.length > MAX_TAIL) continue;
    if (last?.kind === 'jump') ops.pop();
    ops.push(...tail.map((op) => ({ ...op })));
    block.next = undefined;
  }
  setVerdicts(program, blocks);
}

/** r0's move and the exit. */
const MAX_TAIL = 2;

function setVerdicts(program: VerifiedProgram, blocks: OpBlock[]): void {
  const at = knownAt(program, blocks);
  blocks.forEach(({ ops }, index) => {
    const exit = ops.at(-1);
    let state = at[index];
    if (exit?.kind !== 'exit' || exit.verdict !== undefined || state === undefined) return;
    for (const op of ops) state = knownAfter(program, state, op);
    const verdict = state.registers[0];
    if (verdict === undefined) return;
    const low = Number(BigInt.asUintN(32, verdict));
    ops[ops.length - 1] = { ...exit, reads: 0, verdict: low, form: 'exit' };
  });
  removeDead(blocks);
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
