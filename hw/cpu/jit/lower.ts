/**
 * From the verified program to what the JIT takes: the part of Linux's do_misc_fixups
 * (kernel/bpf/verifier.c, 6.1) that machine code needs. Divisions get their checks, lookups of known
 * maps are inlined, calls become calls of kernel functions, packet loads become such calls too.
 *
 *   lowerSubprog(context, subprog)   its instructions, and which labels they jump to
 *
 * differs: bpf_loop and bpf_for_each_map_elem are called, where Linux inlines bpf_loop; indexes of
 * arrays are not masked (no unprivileged programs run in machine code).
 */
import { callbackOfImm64, HELPER_TAIL_CALL, helperOfCall } from '../../../bpf/calls.ts';
import type { EngineState } from '../../../bpf/engine-state.ts';
import { imm64At } from '../../../bpf/isa/codec.ts';
import type { Insn } from '../../../bpf/isa/insn.ts';
import type { IsaRow, RowOf } from '../../../bpf/isa/row.ts';
import { rowOf, type OpName } from '../../../bpf/isa/table.ts';
import type { VerifiedProgram } from '../../../bpf/program.ts';
import { BPF_ARRAY_VALUE } from '../../../kernel/types/bpf-map.ts';
import { Bug } from '../../../kernel/types/units.ts';
import { packetLoadSymbol, symbolOfHelper, type SymbolContext } from './helper-symbols.ts';
import { inlinedLookup } from './inline-lookup.ts';
import { upperHalfOfR0IsRead } from './upper-half.ts';
import { Label, LoweredList, type Lowered, type Random, type TailCallSite } from './lowered.ts';

export interface LowerContext extends SymbolContext {
  readonly program: VerifiedProgram;
  readonly state: EngineState;
  readonly inline: boolean;
  readonly blind: Random | undefined;
  /** Where kernel memory is mapped elsewhere, as where the host's own processor runs the code. */
  readonly host?: HostMapping;
}

export interface HostMapping {
  /** What a ld_imm64 of that value loads instead. */
  relocate(value: bigint): bigint;
  /** Loads through BTF pointers are made from here on up. */
  readonly lowestKernelAddress: bigint;
}

export function lowerSubprog(c: LowerContext, subprog: number): readonly Lowered[] {
  const { start, end } = c.program.subprogs[subprog]!;
  const list = new LoweredList(c.blind);
  const labels = Array.from({ length: end - start + 1 }, () => new Label());
  const lowering = new Lowering(c, list, (slot) => labels[slot - start]!, start);
  for (let slot = start; slot < end;) {
    const row = rowOf(c.program.insns[slot]!);
    if (row === undefined) throw new Bug(`no instruction at slot ${slot} of a verified program`);
    list.place(labels[slot - start]!);
    lowering.insn(slot, row);
    slot += row.slots;
  }
  return list.items;
}

class Lowering {
  readonly #c: LowerContext;
  readonly #list: LoweredList;
  readonly #labelOf: (slot: number) => Label;
  readonly #start: number;

  constructor(c: LowerContext, list: LoweredList, labelOf: (slot: number) => Label, start: number) {
    this.#c = c;
    this.#list = list;
    this.#labelOf = labelOf;
    this.#start = start;
  }

  insn(slot: number, row: IsaRow): void {
    const list = this.#list;
    const insn = this.#c.program.insns[slot]!;
    switch (row.kind) {
      case 'alu':
        if (/^s?(div|mod)$/.test(row.operation)) return this.#division(slot, row, insn);
        return list.push({ row, insn, slot });
      case 'ld_imm64':
        return list.push({ row, insn, slot, imm64: imm64Value(this.#c, slot) });
      case 'ld_packet':
        return this.#packetLoad(slot, row, insn);
      case 'goto': {
        const target = this.#labelOf(slot + 1 + (row.long ? insn.imm : insn.off));
        return list.push({ row, insn, slot, target });
      }
      case 'branch':
        return list.push({ row, insn, slot, target: this.#labelOf(slot + 1 + insn.off) });
      case 'call':
        return this.#call(slot, row, insn);
      case 'atomic':
        list.push({ row, insn, slot });
        // cmpxchg loads eax only where the comparison fails; BPF zero-extends r0 always.
        if (row.name === 'atomic32_cmpxchg' && upperHalfOfR0IsRead(this.#c.program, slot + 1)) {
          list.emit(slot, 'mov32_reg', { dst: 0, src: 0 });
        }
        return;
      default:
        return list.push({ row, insn, slot });
    }
  }

  /** x / 0 is 0, x % 0 is x; the signed ones overflow for the smallest number by -1. */
  #division(slot: number, row: RowOf<'alu'>, insn: Insn): void {
    const list = this.#list;
    const { dst, src, imm } = insn;
    const { width } = row;
    const signed = row.operation.startsWith('s');
    const divides = row.operation.endsWith('div');
    const becomesZero = (): void => list.emit(slot, 'xor32_reg', { dst, src: dst });
    const negates = (): void => list.emit(slot, `neg${width}`, { dst });
    const keeps = (): void => {
      if (width === 32) list.emit(slot, 'mov32_reg', { dst, src: dst });
    };
    if (row.source === 'imm') {
      if (imm === 0) return divides ? becomesZero() : keeps();
      if (signed && imm === -1) return divides ? negates() : becomesZero();
      return list.push({ row, insn, slot });
    }
    const end = new Label();
    const unless = (name: 'jne' | 'jeq', value: number, special: () => void): void => {
      const normal = new Label();
      list.branch(slot, `${name}${width}_imm` as OpName, { dst: src, imm: value }, normal);
      special();
      list.branch(slot, 'goto', {}, end);
      list.place(normal);
    };
    if (signed) unless('jne', -1, () => (divides ? negates() : becomesZero()));
    if (divides) {
      unless('jne', 0, becomesZero);
      list.push({ row, insn, slot });
    } else {
      const zero = new Label();
      list.branch(slot, `jeq${width}_imm`, { dst: src }, width === 64 ? end : zero);
      list.push({ row, insn, slot });
      if (width === 32) {
        list.branch(slot, 'goto', {}, end);
        list.place(zero);
        keeps();
      }
    }
    list.place(end);
  }

  /** r0 = the word, or the function returns 0 (bpf_gen_ld_abs, net/core/filter.c). */
  #packetLoad(slot: number, row: RowOf<'ld_packet'>, { src, imm }: Insn): void {
    const list = this.#list;
    const found = new Label();
    if (row.mode === 'ind') {
      list.emit(slot, 'mov64_reg', { dst: 2, src });
      if (imm !== 0) list.emit(slot, 'add64_imm', { dst: 2, imm });
    } else {
      list.emit(slot, 'mov64_imm', { dst: 2, imm });
    }
    list.emit(slot, 'mov64_reg', { dst: 1, src: 6 });
    list.emit(slot, 'call_helper', {}, { symbol: packetLoadSymbol(this.#c, row.bytes) });
    list.branch(slot, 'jsge64_imm', { dst: 0 }, found);
    list.emit(slot, 'xor32_reg', { dst: 0, src: 0 });
    list.emit(slot, 'exit');
    list.place(found);
  }

  #call(slot: number, row: RowOf<'call'>, insn: Insn): void {
    const c = this.#c;
    const list = this.#list;
    if (row.target === 'kfunc') throw new Bug('refused before compiling');
    if (row.target === 'subprog') {
      const start = slot + 1 + insn.imm;
      const callee = c.program.subprogs.findIndex((each) => each.start === start);
      return list.push({ row, insn, slot, callee });
    }
    if (insn.imm === HELPER_TAIL_CALL) {
      return list.push({ row, insn, slot, tailCall: this.#tailCallSite(slot) });
    }
    const helper = helperOfCall(c.program, slot);
    const { map, returnsInt } = c.program.facts[slot]!;
    if (c.inline && helper?.name === 'map_lookup_elem' && map !== undefined) {
      if (inlinedLookup(c, list, slot, map)) return;
    }
    const symbol = symbolOfHelper(c, helper, map, returnsInt ?? false);
    list.push({ row, insn, slot, symbol });
  }

  /** A direct jump where the map is known and the straight code before sets the index. */
  #tailCallSite(slot: number): TailCallSite {
    const { program, inline } = this.#c;
    const { map } = program.facts[slot]!;
    const index = inline ? this.#constantIn(3, slot) : undefined;
    if (map === undefined || index === undefined || index >>> 0 >= map.spec.maxEntries) return {};
    return { slotAt: map.offset + BPF_ARRAY_VALUE + 8 * index };
  }

  #constantIn(register: number, before: number): number | undefined {
    const { insns } = this.#c.program;
    const isTarget = this.#targets();
    for (let slot = before; slot > this.#start;) {
      if (isTarget.has(slot)) return undefined;
      slot--;
      const insn = insns[slot]!;
      const row = rowOf(insn);
      if (row?.kind !== 'alu' && row?.kind !== 'ld_imm64' && row?.kind !== 'store') {
        if (insn.code === 0 && slot > this.#start) continue;
        return undefined;
      }
      if (row.kind === 'store' || insn.dst !== register) continue;
      const isConstant = row.name === 'mov64_imm' || row.name === 'mov32_imm';
      return isConstant ? insn.imm : undefined;
    }
    return undefined;
  }

  #targets(): ReadonlySet<number> {
    const targets = new Set<number>();
    this.#c.program.insns.forEach((insn, slot) => {
      const row = rowOf(insn);
      if (row?.kind === 'branch') targets.add(slot + 1 + insn.off);
      if (row?.kind === 'goto') targets.add(slot + 1 + (row.long ? insn.imm : insn.off));
    });
    return targets;
  }
}

function imm64Value({ program, state, host }: LowerContext, slot: number): bigint {
  const callback = callbackOfImm64(program, slot);
  if (callback !== undefined) return BigInt.asUintN(64, state.funcAddress(program, callback));
  const value = imm64At(program.insns, slot);
  return host?.relocate(value) ?? value;
}
