/**
 * A subprogram on its way to machine code: BPF instructions as Linux's verifier hands them to its
 * JIT, with everything expanded that the JIT does not know.
 *
 *   const list = new LoweredList(blind); list.emit(slot, 'add64_imm', {dst: 1, imm: 8})
 *   const end = new Label(); list.branch(slot, 'jeq64_imm', {dst: 1}, end); …; list.place(end)
 *
 * With blinding no constant of the program gets into the code as it is (bpf_jit_blind_insn,
 * kernel/bpf/core.c): it is xor-ed with a random one and restored in register AX.
 */
import { insn as make, type Operands } from '../../../bpf/asm/build.ts';
import type { Insn } from '../../../bpf/isa/insn.ts';
import type { IsaRow } from '../../../bpf/isa/row.ts';
import { isaRow, type OpName } from '../../../bpf/isa/table.ts';
import { Bug } from '../../../kernel/types/units.ts';
import type { KernelSymbol } from './symbols.ts';

/** BPF's register that only lowering uses (BPF_REG_AX, include/linux/filter.h). */
export const BPF_AX = 11;

export interface TailCallSite {
  /** RAM offset of the program array's slot, where map and index are known: a direct jump. */
  readonly slotAt?: number;
}

export interface Lowered {
  readonly row: IsaRow;
  readonly insn: Insn;
  /** Slot of the instruction that it comes from. */
  readonly slot: number;
  /** Jumps. */
  readonly target?: Label;
  readonly imm64?: bigint;
  /** Calls: one of these three. */
  readonly symbol?: KernelSymbol;
  readonly callee?: number;
  readonly tailCall?: TailCallSite;
}

/** A place in the list; `index` is that of the instruction behind it. */
export class Label {
  index = -1;
}

type Extra = Partial<Pick<Lowered, 'target' | 'imm64' | 'symbol' | 'callee' | 'tailCall'>>;

/** Random 32 bits, signed, for blinding. */
export type Random = () => number;

export class LoweredList {
  readonly items: Lowered[] = [];
  readonly #blind: Random | undefined;

  constructor(blind: Random | undefined) {
    this.#blind = blind;
  }

  place(label: Label): void {
    label.index = this.items.length;
  }

  emit(slot: number, name: OpName, operands: Operands = {}, extra: Extra = {}): void {
    this.push({ row: isaRow(name), insn: make(name, operands), slot, ...extra });
  }

  branch(slot: number, name: OpName, operands: Operands, target: Label): void {
    this.emit(slot, name, operands, { target });
  }

  push(item: Lowered): void {
    const random = this.#blind;
    if (random === undefined || !this.#blinded(item, random)) this.items.push(item);
  }

  /** False for an instruction without a constant. */
  #blinded(item: Lowered, random: Random): boolean {
    const { row, insn, slot } = item;
    const { dst, imm } = insn;
    if (row.kind === 'ld_imm64') {
      const value = item.imm64!;
      this.#constant(slot, 64, Number(BigInt.asIntN(32, value >> 32n)), random());
      this.#plain(slot, 'lsh64_imm', { dst: BPF_AX, imm: 32 });
      this.#plain(slot, 'mov64_reg', { dst, src: BPF_AX });
      this.#constant(slot, 32, Number(BigInt.asIntN(32, value)), random());
      this.#plain(slot, 'or64_reg', { dst, src: BPF_AX });
      return true;
    }
    if (!('source' in row) || row.source !== 'imm') return false;
    const width = row.kind === 'store' ? 64 : row.width;
    this.#constant(slot, width, imm, random());
    const byRegister = isaRow(registerForm(row));
    const { target } = item;
    const operands = { ...insn, code: byRegister.code, src: BPF_AX, imm: 0 };
    this.items.push({ row: byRegister, insn: operands, slot, ...(target && { target }) });
    return true;
  }

  /** AX = value */
  #constant(slot: number, width: 32 | 64, value: number, mask: number): void {
    this.#plain(slot, `mov${width}_imm`, { dst: BPF_AX, imm: value ^ mask });
    this.#plain(slot, `xor${width}_imm`, { dst: BPF_AX, imm: mask });
  }

  #plain(slot: number, name: OpName, operands: Operands): void {
    this.items.push({ row: isaRow(name), insn: make(name, operands), slot });
  }
}

/** `stx8` for `st8`, `add64_reg` for `add64_imm`. */
function registerForm({ name, kind }: IsaRow): OpName {
  if (kind === 'store') return name.replace('st', 'stx') as OpName;
  const form = name.replace('_imm', '_reg');
  if (form === name) throw new Bug(`${name} has no register form`);
  return form as OpName;
}
