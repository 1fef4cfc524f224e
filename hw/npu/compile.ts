/**
 * A program as the cores' instructions. Refused programs do not come here.
 *
 *   const { insns, start } = compile(program)
 */
import { helperOfCall } from '../../bpf/calls.ts';
import { imm64At } from '../../bpf/isa/codec.ts';
import type { Insn } from '../../bpf/isa/insn.ts';
import type { IsaRow, RowOf } from '../../bpf/isa/row.ts';
import { rowOf } from '../../bpf/isa/table.ts';
import { buildCfg, type Block } from '../../bpf/jit/cfg.ts';
import type { VerifiedProgram } from '../../bpf/program.ts';
import { Bug } from '../../kernel/types/units.ts';
import { Code } from './code.ts';
import { neededAfter } from './halves.ts';
import {
  ACTION, constant, hi, IMM_A, IMM_B, type NfpInsn, lo, NONE, PKT, PKT_MIN, PLEN, STACK,
} from './isa.ts'; // prettier-ignore
import { lowerAlu, negate, swap } from './lower-alu.ts';
import { lowerBranch } from './lower-branch.ts';
import * as memory from './lower-memory.ts';
import { type Copy, findCopies, findGroups, type Group } from './packet-reads.ts';
import { GUARANTEED_HEAD_BYTES } from './params.ts';
import { ANY, type State } from './values.ts';

export interface Compiled {
  readonly insns: readonly NfpInsn[];
  /** First instruction of each basic block, and of the end that all exits go to. */
  readonly blockAt: readonly number[];
  readonly endAt: number;
  readonly blocks: readonly Block[];
  readonly groups: ReadonlySet<Group>;
  readonly copies: ReadonlySet<Copy>;
  /** Upper halves that nobody reads, so that nothing clears them. */
  readonly elided: number;
}

export function compile(program: VerifiedProgram, at: readonly (State | undefined)[]): Compiled {
  const { blocks } = buildCfg(program, program.subprogs[0]!);
  const copies = findCopies(program, at);
  const groups = findGroups(program, at, copies);
  const lowering = new Lowering(program, at, groups, copies);
  const starts = new Map(blocks.map((block) => [block.slots[0]!, block]));
  const blockAt = new Array<number>(blocks.length).fill(-1);
  // In the program's order, so that falling through needs no branch.
  for (let slot = 0; slot < program.insns.length; slot++) {
    const block = starts.get(slot);
    if (block) blockAt[block.index] = lowering.code.length;
    if (block) lowering.begin(slot);
    if (at[slot] !== undefined && rowOf(program.insns[slot]!)) lowering.lower(slot);
  }
  const endAt = lowering.finish();
  return {
    insns: lowering.code.finish(),
    blockAt,
    endAt,
    blocks,
    groups: new Set(groups.values()),
    copies: new Set(copies.values()),
    elided: lowering.elided,
  };
}

/** 32-bit results leave the upper half as it was unless it is read. */
const CLEARS_UPPER: Partial<Record<IsaRow['kind'], true>> = {
  alu: true, neg: true, endian: true, load: true,
}; // prettier-ignore

class Lowering {
  readonly code = new Code();
  elided = 0;
  readonly #program: VerifiedProgram;
  readonly #at: readonly (State | undefined)[];
  readonly #groups: ReadonlyMap<number, Group>;
  readonly #copies: ReadonlyMap<number, Copy>;
  readonly #needed: Uint32Array;
  /** Labels of slots that are branched to. */
  readonly #labels = new Map<number, number>();
  readonly #end = this.code.label();

  constructor(
    program: VerifiedProgram,
    at: readonly (State | undefined)[],
    groups: ReadonlyMap<number, Group>,
    copies: ReadonlyMap<number, Copy>,
  ) {
    this.#program = program;
    this.#at = at;
    this.#groups = groups;
    this.#copies = copies;
    this.#needed = neededAfter(program);
  }

  begin(slot: number): void {
    this.code.place(this.#labelOf(slot));
  }

  #labelOf(slot: number): number {
    let label = this.#labels.get(slot);
    if (label === undefined) this.#labels.set(slot, (label = this.code.label()));
    return label;
  }

  #upperNeeded(slot: number, register: number): boolean {
    return ((this.#needed[slot]! >>> hi(register)) & 1) === 1;
  }

  lower(slot: number): void {
    const insn = this.#program.insns[slot]!;
    const row = rowOf(insn)!;
    const { code } = this;
    const upperNeeded = this.#upperNeeded(slot, insn.dst);
    if (CLEARS_UPPER[row.kind] && narrow(row) && !upperNeeded) this.elided++;
    const state = this.#at[slot]!;
    const right = 'source' in row && row.source === 'reg' ? state.registers[insn.src]! : ANY;
    const context = { code, upperNeeded, left: state.registers[insn.dst] ?? ANY, right };
    switch (row.kind) {
      case 'alu':
        return lowerAlu(context, insn, row);
      case 'neg':
        return negate(context, insn.dst, row.width === 64);
      case 'endian':
        return swap(context, insn.dst, row.bits);
      case 'ld_imm64': {
        const value = imm64At(this.#program.insns, slot);
        code.immed(lo(insn.dst), Number(BigInt.asIntN(32, value)));
        return code.immed(hi(insn.dst), Number(BigInt.asIntN(32, value >> 32n)));
      }
      case 'load':
      case 'store':
        return this.#memory(slot, insn, row, upperNeeded);
      case 'atomic':
        return memory.atomicAdd(code, insn, row.bytes);
      case 'goto':
        return code.br('unc', this.#labelOf(slot + 1 + insn.off));
      case 'branch':
        return lowerBranch(code, insn, row, this.#labelOf(slot + 1 + insn.off));
      case 'call':
        return this.#call(slot);
      case 'exit':
        return code.br('unc', this.#end);
      case 'nospec':
        return;
      default:
        throw new Bug(`${row.name} is refused`);
    }
  }

  #memory(slot: number, insn: Insn, row: RowOf<'load' | 'store'>, upperNeeded: boolean): void {
    const { code } = this;
    const copy = this.#copies.get(slot);
    if (copy) {
      if (slot === copy.first) this.#copy(copy);
      return;
    }
    const { pointer } = this.#program.facts[slot]!;
    const state = this.#at[slot]!;
    if (pointer === 'stack') {
      const base = state.registers[row.kind === 'load' ? insn.src : insn.dst]!;
      if (base.kind !== 'stack') throw new Bug('a variable stack pointer is refused');
      const at = stackBytesOf(this.#program) + base.at + insn.off;
      if (row.kind === 'load') memory.loadFromStack(code, insn.dst, at, row.bytes, upperNeeded);
      else memory.storeToStack(code, insn.src, at, row.bytes);
      return;
    }
    if (row.kind === 'store') return memory.storeToPacket(code, insn, row);
    if (pointer === 'ctx') return memory.loadContext(code, insn);
    const group = this.#groups.get(slot);
    if (group) {
      const base = state.registers[insn.src]!;
      if (base.kind !== 'packet') throw new Bug('a group of something else than the packet');
      return memory.loadFromCache(code, insn, row, group, slot, base.at, upperNeeded);
    }
    const from = pointer === 'packet' ? 'ctm_read' : 'emem_read';
    memory.loadByCommand(code, insn, row, from, upperNeeded);
  }

  #copy(copy: Copy): void {
    const { insns, facts } = this.#program;
    const [load, store] = [insns[copy.first]!, insns[copy.slots[1]!]!];
    const from = facts[copy.first]!.pointer === 'packet' ? 'ctm_read' : 'emem_read';
    const size = (rowOf(load) as RowOf<'load'>).bytes;
    const upperNeeded = this.#upperNeeded(copy.slots.at(-1)!, load.dst);
    memory.copy(this.code, copy, from, load, store, size, upperNeeded);
  }

  #call(slot: number): void {
    const name = helperOfCall(this.#program, slot)!.name;
    if (name === 'xdp_adjust_head') return this.#adjustHead(slot);
    // Routines get the key's place in local memory, and return through a register.
    if (name.startsWith('map_')) this.code.alu('-', IMM_A, lo(2), STACK);
    if (name === 'map_update_elem') this.code.alu('-', IMM_B, lo(3), STACK);
    this.code.call(slot);
  }

  /** Inline: the packet's place and length are registers. */
  #adjustHead(slot: number): void {
    const { code } = this;
    const by = lo(2);
    const known = this.#at[slot]!.registers[2]!;
    const delta =
      known.kind === 'number' && known.min === known.max ? Number(BigInt.asIntN(32, known.min)) : 0;
    const once = this.#program.insns.every((insn, other) => {
      const row = rowOf(insn);
      const isCall = row?.kind === 'call' && other !== slot;
      return !isCall || helperOfCall(this.#program, other)?.name !== 'xdp_adjust_head';
    });
    if (once && delta <= -LEAST_BYTES && delta >= -GUARANTEED_HEAD_BYTES) {
      code.alu('+', PKT, PKT, by);
      code.alu('-', PLEN, PLEN, by);
      code.immed(lo(0), 0);
      code.immed(hi(0), 0);
      return;
    }
    const wrong = code.label();
    const end = code.label();
    code.alu('+', IMM_A, PKT, by);
    code.alu('-', NONE, IMM_A, PKT_MIN);
    code.br('lo', wrong);
    code.alu('-', IMM_B, PLEN, by);
    code.alu('-', NONE, IMM_B, constant(LEAST_BYTES));
    // The driver looks at the sign alone, which is wrong for a delta near 2 GiB.
    code.br('lt', wrong);
    code.immed(lo(0), 0);
    code.immed(hi(0), 0);
    code.mov(PKT, IMM_A);
    code.mov(PLEN, IMM_B);
    code.br('unc', end);
    code.place(wrong);
    code.immed(lo(0), -EINVAL);
    code.immed(hi(0), -1);
    code.place(end);
  }

  /** What the firmware is told: a code for each verdict, that of XDP_ABORTED for what is beyond. */
  finish(): number {
    const { code } = this;
    code.place(this.#end);
    const at = code.length;
    const beyond = code.label();
    code.immed(ACTION, ACTIONS.aborted);
    code.immed(IMM_B, ACTIONS.table);
    code.alu('-', NONE, constant(3), lo(0));
    code.br('lo', beyond);
    code.shf('<<', IMM_A, NONE, lo(0), 3);
    code.shiftBy(IMM_A);
    code.shf('>>ind', IMM_A, NONE, IMM_B);
    code.field('clear', ACTION, 0b0001, IMM_A);
    code.place(beyond);
    code.rtn();
    return at;
  }
}

/** The stack grows down to a multiple of 8; what a program uses of it begins there. */
export const stackBytesOf = ({ subprogs }: VerifiedProgram): number =>
  (subprogs[0]!.stackBytes + 7) & ~7;

/** Of an Ethernet frame: its header. */
const LEAST_BYTES = 14;
const EINVAL = 22;
/**
 * DRV: what the firmware does, a byte a verdict: counters of the verdict, and drop (0x22), pass
 * (0x11) or send back (0x44).
 */
export const ACTIONS = { aborted: 0x82, table: 0x44112282 } as const;

function narrow(row: IsaRow): boolean {
  if (row.kind === 'alu' || row.kind === 'neg') return row.width === 32;
  if (row.kind === 'endian') return row.bits < 64;
  return row.kind === 'load' && row.bytes < 8;
}
