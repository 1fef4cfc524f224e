/**
 * A function of machine code as a WebAssembly function: () -> i32, the low half of the address that
 * it returned to, which its caller checks. WebAssembly has no way to return elsewhere.
 */
import { I32, I64 } from '../../bpf/jit/code-writer.ts';
import { structure } from '../../bpf/jit/structure.ts';
import type { Ending, MachineFunction } from '../cpu/jit/control-flow.ts';
import { callHost } from '../cpu/jit/host-call.ts';
import type { Linkage } from '../cpu/jit/linkage.ts';
import { FLAGS, type InsnDescriptor } from '../cpu/events.ts';
import type { ArmInsn } from './decode.ts';
import { pushCondition, type Flags } from './flags.ts';
import { CONVENTION, SP, X30 } from './registers.ts';
import { translateInsn } from './translate.ts';
import { ArmFunction } from './wasm-function.ts';

export function translateFunction(
  link: Linkage,
  func: MachineFunction<ArmInsn>,
  descriptors: readonly InsnDescriptor[],
  slotAt: (offset: number) => number | undefined,
): ArmFunction {
  return new FunctionTranslation(link, func, descriptors).write(slotAt);
}

class FunctionTranslation {
  readonly #link: Linkage;
  readonly #func: MachineFunction<ArmInsn>;
  readonly #descriptors: readonly InsnDescriptor[];
  readonly #f: ArmFunction;
  /** What each block leaves for the branch at its end. */
  readonly #flags: (Flags | undefined)[] = [];

  constructor(
    link: Linkage,
    func: MachineFunction<ArmInsn>,
    descriptors: readonly InsnDescriptor[],
  ) {
    this.#link = link;
    this.#func = func;
    this.#descriptors = descriptors;
    const used = new Set<number>();
    const written = new Set<number>();
    for (const { reads, writes } of descriptors) {
      for (const register of reads) if (register !== FLAGS) used.add(register);
      for (const register of writes) {
        if (register === FLAGS) continue;
        used.add(register);
        written.add(register);
      }
    }
    // Calls out take arguments from registers and leave a result.
    if (func.endings.some(({ kind }) => kind === 'call')) {
      const { arguments: registers, result } = CONVENTION;
      for (const register of [...registers, result, SP]) used.add(register);
      written.add(result);
      if (link.poison) {
        for (const register of CONVENTION.callerSaved)
          if (used.has(register)) written.add(register);
      }
    }
    this.#f = new ArmFunction(link, used, written);
  }

  write(slotAt: (offset: number) => number | undefined): ArmFunction {
    const f = this.#f;
    const { cfg, insns, endings } = this.#func;
    structure(f, cfg, {
      body: ({ index, slots }) => {
        if (this.#link.events !== undefined) {
          const { id, words } = this.#link.blockOf(this.#func.entry, index);
          f.enterBlock(id, words);
        }
        let flags: Flags | undefined;
        slots.forEach((slot, i) => {
          const insn = insns[slot]!;
          const bpfSlot = slotAt(insn.offset);
          if (bpfSlot !== undefined) f.mark(bpfSlot);
          const made = translateInsn(f, insn, {
            flagsUsed: this.#flagsUsed(slots, i),
            zeroes: this.#link.zeroedBy(insn.offset),
          });
          if (this.#descriptors[slot]!.writes.includes(FLAGS)) flags = made;
        });
        this.#flags[index] = flags;
        this.#ending(endings[index]!, insns[slots.at(-1)!]!);
      },
      condition: ({ index, slots }) => {
        pushCondition(f, insns[slots.at(-1)!]!, this.#flags[index]);
      },
    });
    f.end();
    return f;
  }

  /** A branch comes before the flags are set again. */
  #flagsUsed(slots: readonly number[], from: number): boolean {
    for (const slot of slots.slice(from + 1)) {
      const { reads, writes } = this.#descriptors[slot]!;
      if (reads.includes(FLAGS)) return true;
      if (writes.includes(FLAGS)) return false;
    }
    return false;
  }

  #ending(ending: Ending, insn: ArmInsn): void {
    const f = this.#f;
    switch (ending.kind) {
      case 'fall':
      case 'branch':
        return;
      case 'return':
        f.spill();
        f.value(32, insn.rn!);
        return f.return();
      case 'call':
        return this.#call(ending.target, insn);
      case 'go':
        f.spill();
        f.callOwn(this.#link.functionAt(ending.target)!);
        return f.return();
      case 'leave':
        f.spill();
        return this.#leave(ending.target, insn);
      case 'trap':
        return this.#trap(insn, this.#link.lost);
    }
  }

  #trap({ offset }: ArmInsn, trap: number): void {
    this.#f.i32(offset);
    this.#f.callImport(trap);
    this.#f.unreachable();
  }

  #leave(target: number | undefined, insn: ArmInsn): void {
    const f = this.#f;
    const { lost, leave } = this.#link;
    const address = f.temporary('target', 'i64');
    if (target !== undefined) f.i64(this.#addressOf(target));
    else f.value(64, insn.rn!);
    f.localTee(address);
    // Code is in the last 2 GiB; elsewhere a jump cannot lead.
    f.localGet(address);
    f.op(I32.wrap);
    f.op(I64.extend_s);
    f.op(I64.ne);
    f.if();
    this.#trap(insn, lost);
    f.end();
    f.localGet(address);
    f.op(I32.wrap);
    f.callImport(leave);
    f.return();
  }

  #addressOf(offset: number): bigint {
    return BigInt.asIntN(64, this.#link.address + BigInt(offset));
  }

  #call(target: number, insn: ArmInsn): void {
    const f = this.#f;
    const { lost, stackOverflow, stackLimit } = this.#link;
    const next = insn.offset + insn.length;
    // The target was read from the instructions before: nothing may have come between.
    if (insn.mnemonic === 'blr') {
      f.value(64, insn.rn!);
      f.i64(this.#addressOf(target));
      f.op(I64.ne);
      f.if();
      this.#trap(insn, lost);
      f.end();
    }
    f.i64(this.#addressOf(next));
    f.set(X30);
    const callee = this.#link.functionAt(target);
    if (callee === undefined) {
      const at = BigInt.asUintN(64, this.#link.address + BigInt(target));
      return callHost(f, this.#link, CONVENTION, this.#link.symbolAt(at));
    }
    f.get32(SP);
    f.i32(stackLimit);
    f.op(I32.lt_u);
    f.if();
    this.#trap(insn, stackOverflow);
    f.end();
    f.spill();
    f.callOwn(callee);
    f.i32(Number(BigInt.asIntN(32, this.#addressOf(next))));
    f.op(I32.ne);
    f.if();
    this.#trap(insn, lost);
    f.end();
    f.reload();
  }
}
