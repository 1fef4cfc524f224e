/**
 * A function of machine code as a WebAssembly function: () -> i32, the low half of the address that
 * it returned to, which its caller checks. WebAssembly has no way to return elsewhere.
 */
import { I32, I64 } from '../../bpf/jit/code-writer.ts';
import { structure } from '../../bpf/jit/structure.ts';
import { FLAGS, type InsnDescriptor } from '../cpu/events.ts';
import { callHost } from '../cpu/jit/host-call.ts';
import type { Linkage } from '../cpu/jit/linkage.ts';
import type { Ending, MachineFunction } from '../cpu/jit/control-flow.ts';
import type { X86Insn } from './decode.ts';
import { pushCondition, type Flags } from './flags.ts';
import { CONVENTION, RSP } from './registers.ts';
import { stackOperand, translateInsn } from './translate.ts';
import { divideErrorImport, divideImport } from './translate-divide.ts';
import { X86Function } from './wasm-function.ts';

export function translateFunction(
  link: Linkage,
  func: MachineFunction<X86Insn>,
  descriptors: readonly InsnDescriptor[],
  slotAt: (offset: number) => number | undefined,
): X86Function {
  return new FunctionTranslation(link, func, descriptors).write(slotAt);
}

class FunctionTranslation {
  readonly #link: Linkage;
  readonly #func: MachineFunction<X86Insn>;
  readonly #descriptors: readonly InsnDescriptor[];
  readonly #f: X86Function;
  /** What each block leaves for the jump at its end. */
  readonly #flags: (Flags | undefined)[] = [];

  constructor(
    link: Linkage,
    func: MachineFunction<X86Insn>,
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
      for (const register of [...registers, result]) used.add(register);
      written.add(result);
      if (link.poison) for (const register of registers) written.add(register);
    }
    this.#f = new X86Function(link, used, written);
  }

  write(slotAt: (offset: number) => number | undefined): X86Function {
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
            divide: (operation) => divideImport(this.#link, operation),
            divideError: () => divideErrorImport(this.#link),
          });
          if (this.#descriptors[slot]!.writes.includes(FLAGS)) flags = made;
        });
        this.#flags[index] = flags;
        this.#ending(endings[index]!, slots.at(-1)!);
      },
      condition: ({ index, slots }) => {
        pushCondition(f, insns[slots.at(-1)!]!, this.#flags[index]);
      },
    });
    f.end();
    return f;
  }

  /** A jump comes before the flags are set again. */
  #flagsUsed(slots: readonly number[], from: number): boolean {
    for (const slot of slots.slice(from + 1)) {
      const { reads, writes } = this.#descriptors[slot]!;
      if (reads.includes(FLAGS)) return true;
      if (writes.includes(FLAGS)) return false;
    }
    return false;
  }

  #ending(ending: Ending, last: number): void {
    const f = this.#f;
    const { lost } = this.#link;
    const insn = this.#func.insns[last]!;
    switch (ending.kind) {
      case 'fall':
      case 'branch':
        return;
      case 'return':
        f.address(stackOperand(0), 8, insn.offset);
        f.memory(I32.load, 0);
        this.#moveStack(8n);
        f.spill();
        return f.return();
      case 'call':
        return this.#call(ending.target, insn.offset, insn.offset + insn.length);
      case 'go':
        f.spill();
        f.callOwn(this.#link.functionAt(ending.target)!);
        return f.return();
      case 'leave':
        f.spill();
        return this.#leave(ending.target, insn);
      case 'trap':
        f.i32(insn.offset);
        f.callImport(lost);
        return;
    }
  }

  #leave(target: number | undefined, insn: X86Insn): void {
    const f = this.#f;
    const { lost, leave } = this.#link;
    const address = f.temporary('target', 'i64');
    if (target !== undefined) f.i64(this.#addressOf(target));
    else f.get((insn.operands[0] as { register: number }).register);
    f.localTee(address);
    // Kernel text is the last 2 GiB; elsewhere a jump cannot lead.
    f.localGet(address);
    f.op(I32.wrap);
    f.op(I64.extend_s);
    f.op(I64.ne);
    f.if();
    f.i32(insn.offset);
    f.callImport(lost);
    f.end();
    f.localGet(address);
    f.op(I32.wrap);
    f.callImport(leave);
    f.return();
  }

  #addressOf(offset: number): bigint {
    return BigInt.asIntN(64, this.#link.address + BigInt(offset));
  }

  #moveStack(by: bigint): void {
    const f = this.#f;
    f.get(RSP);
    f.i64(by);
    f.op(I64.add);
    f.set(RSP);
  }

  #call(target: number, at: number, next: number): void {
    const f = this.#f;
    const { lost, stackOverflow, stackLimit } = this.#link;
    f.address(stackOperand(-8), 8, at);
    f.i64(this.#addressOf(next));
    f.memory(I64.store, 0);
    const callee = this.#link.functionAt(target);
    if (callee === undefined) return this.#callHost(target);
    f.get32(RSP);
    f.i32(stackLimit);
    f.op(I32.lt_u);
    f.if();
    f.i32(at);
    f.callImport(stackOverflow);
    f.unreachable();
    f.end();
    this.#moveStack(-8n);
    f.spill();
    f.callOwn(callee);
    f.i32(Number(BigInt.asIntN(32, this.#addressOf(next))));
    f.op(I32.ne);
    f.if();
    f.i32(at);
    f.callImport(lost);
    f.unreachable();
    f.end();
    f.reload();
  }

  /** The kernel function takes its return address off the stack itself. */
  #callHost(target: number): void {
    const at = BigInt.asUintN(64, this.#link.address + BigInt(target));
    callHost(this.#f, this.#link, CONVENTION, this.#link.symbolAt(at));
  }
}
