/**
 * hXDP's view of a program: basic blocks of operations, each for one lane of one row.
 *
 *   const blocks = buildBlocks(program.device)
 *
 * An operation is one or several BPF instructions that the device does at once (`slots`, executed in
 * order on the operation's own copy of the registers), so that what it computes is never in doubt.
 */
import { helperOfCall } from '../../../bpf/calls.ts';
import type { Insn } from '../../../bpf/isa/insn.ts';
import type { IsaRow } from '../../../bpf/isa/row.ts';
import { rowOf } from '../../../bpf/isa/table.ts';
import { buildCfg } from '../../../bpf/jit/cfg.ts';
import { readMask, writeMask } from '../../../bpf/jit/registers.ts';
import type { PointerKind, VerifiedProgram } from '../../../bpf/program.ts';
import { Bug } from '../../../kernel/types/units.ts';

/** Where an access goes, as far as it is known before the program runs. */
export interface MemoryUse {
  readonly space: PointerKind;
  readonly isStore: boolean;
  /** Base register and bytes from it; the base is r10 for the stack. */
  readonly base: number;
  readonly from: number;
  readonly to: number;
}

export interface Op {
  readonly kind: 'compute' | 'call' | 'branch' | 'jump' | 'exit' | 'guard';
  /** In program order; the slot of its last instruction in the device form. */
  readonly slots: readonly number[];
  /** Bit n: register n. */
  readonly reads: number;
  readonly writes: number;
  readonly memory: readonly MemoryUse[];
  /** Branches, jumps and guards: the block that they may go to. */
  readonly target?: number;
  /** A guard leaves for its target if that does not lie in the packet. It needs no lane. */
  readonly needs?: PacketEnd;
  /** An exit that carries its verdict; other exits read r0. */
  readonly verdict?: number;
  /** How the listing shows it where the instructions alone do not say. */
  readonly form?: 'three-operand' | 'six-byte' | 'exit';
}

/** The packet must reach `bytes` beyond its start, or beyond where a register points. */
export interface PacketEnd {
  readonly bytes: number;
  readonly register?: number;
}

export interface OpBlock {
  readonly ops: Op[];
  /** Blocks that may follow; the last is where it goes if no branch, jump or exit leaves before. */
  readonly successors: readonly number[];
  /** Where control falls; undefined behind an exit or a jump. */
  next: number | undefined;
}

/** Only a program without subprograms becomes blocks; others are refused before. */
export function buildBlocks(program: VerifiedProgram): OpBlock[] {
  const { blocks } = buildCfg(program, program.subprogs[0]!);
  return blocks.map(({ slots, successors }): OpBlock => {
    const ops = slots.map((slot) => opAt(program, slot, successors));
    const last = rowOf(program.insns[slots.at(-1)!]!)!;
    const falls = last.kind !== 'exit' && last.kind !== 'goto';
    return { ops, successors, next: falls ? successors[0] : undefined };
  });
}

function opAt(program: VerifiedProgram, slot: number, successors: readonly number[]): Op {
  const insn = program.insns[slot]!;
  const row = rowOf(insn);
  if (row === undefined) throw new Bug(`no instruction at slot ${slot} of a verified program`);
  const common = {
    slots: [slot],
    reads: readMask(program, slot, row, () => 0),
    writes: row.kind === 'call' ? CALL_RESULT : writeMask(program, slot, row),
    memory: memoryUse(program, slot, row, insn),
  };
  switch (row.kind) {
    case 'branch':
      // A branch whose two ways lead to one place is none.
      if (successors[1] === undefined) return { ...common, kind: 'compute', reads: 0, slots: [] };
      return { ...common, kind: 'branch', target: successors[1] };
    case 'goto':
      return { ...common, kind: 'jump', target: successors[0]! };
    case 'exit':
      return { ...common, kind: 'exit' };
    case 'call':
      return { ...common, kind: 'call' };
    default:
      return { ...common, kind: 'compute' };
  }
}

/** The helpers' hardware leaves r1 to r5 as they are; programs cannot tell. */
const CALL_RESULT = 1;

function memoryUse(
  program: VerifiedProgram,
  slot: number,
  row: IsaRow,
  insn: Insn,
): readonly MemoryUse[] {
  if (row.kind !== 'load' && row.kind !== 'store' && row.kind !== 'atomic') return [];
  const space = program.facts[slot]!.pointer ?? 'mixed';
  const base = row.kind === 'load' ? insn.src : insn.dst;
  const use = { space, base, from: insn.off, to: insn.off + row.bytes };
  if (row.kind === 'atomic') return [{ ...use, isStore: true }];
  return [{ ...use, isStore: row.kind === 'store' }];
}

/** Helpers that change the packet or where it begins. */
export const MOVES_PACKET = ['xdp_adjust_head', 'xdp_adjust_tail', 'xdp_adjust_meta'] as const;

export function callsPacketHelper(program: VerifiedProgram, op: Op): boolean {
  const name = helperOfCall(program, op.slots.at(-1)!)?.name ?? '';
  return (MOVES_PACKET as readonly string[]).includes(name);
}
