/**
 * One subprogram while its machine code is written: frame layout, prologue, epilogue, jumps.
 *
 * The frame, as in Linux 6.1 (emit_prologue, arch/x86/net/bpf_jit_comp.c):
 *
 *   rbp + 8    return address
 *   rbp        the caller's rbp; BPF's r10 points here
 *   below      the BPF stack, rounded up to 8 bytes
 *              8 bytes whose upper half counts tail calls, where the program can make any
 *              rbx, r13, r14, r15, as far as BPF's r6 to r9 are used
 */
import type { SubprogInfo } from '../../bpf/program.ts';
import { Assembler, type ConditionCode } from './assembler.ts';
import type { ExceptionEntry } from '../cpu/jit/architecture.ts';
import type { Lowered } from '../cpu/jit/lowered.ts';
import { CALLEE_SAVED_BPF, RAX, RBP, RSP, X86_OF_BPF } from './registers.ts';

/** Where a tail call enters: behind nop5, xor or nop2, push, mov (X86_TAIL_CALL_OFFSET). */
export const TAIL_CALL_OFFSET = 5 + 2 + 1 + 3;

/** Linux leaves 4 bytes of what 8 bits hold unused, so that its passes come to an end. */
const SHORT_FORWARD_MAX = 123;

/** A direct tail call, patched as its slot of the program array changes. */
export interface PokeSite {
  /** 5 bytes: a jump past the call while the slot is empty, else a nop. */
  readonly bypassAt: number;
  /** 5 bytes: the jump to the target, or a nop. */
  readonly jumpAt: number;
  readonly slotAt: number;
}

export interface FunctionShape {
  readonly info: SubprogInfo;
  readonly items: readonly Lowered[];
  readonly isEntry: boolean;
  /** A tail call may be made here or in what is called from here. */
  readonly reachesTailCall: boolean;
  /** Loads that may fault are made from here on up. */
  readonly lowestKernelAddress: bigint;
}

/** Where the items stood in the pass before; offsets in the function. */
export interface Layout {
  /** One more than items: the last is the end. */
  readonly starts: readonly number[];
}

export class FunctionCode extends Assembler {
  readonly shape: FunctionShape;
  readonly stackBytes: number;
  readonly exceptions: ExceptionEntry[] = [];
  readonly pokes: PokeSite[] = [];
  readonly starts: number[] = [];
  #cleanupAt = -1;
  readonly #layout: Layout;
  readonly #saved: readonly number[];

  constructor(shape: FunctionShape, layout: Layout) {
    super();
    this.shape = shape;
    this.stackBytes = 8 * Math.ceil(shape.info.stackBytes / 8);
    this.#layout = layout;
    const uses = (register: number): boolean =>
      shape.items.some(({ insn }) => insn.dst === register || insn.src === register);
    this.#saved = CALLEE_SAVED_BPF.filter(uses).map((register) => X86_OF_BPF[register]!);
  }

  prologue(): void {
    const { isEntry, reachesTailCall } = this.shape;
    this.nop5();
    if (reachesTailCall && isEntry) this.alu('xor', 32, RAX, RAX);
    else this.nop2();
    this.push(RBP);
    this.mov(64, RBP, RSP);
    if (this.stackBytes > 0) this.aluImm32('sub', 64, RSP, this.stackBytes);
    if (reachesTailCall) this.push(RAX);
    for (const register of this.#saved) this.push(register);
  }

  /** Give the frame back up to what a tail call's target expects. */
  dropFrame(): void {
    this.popSaved();
    this.pop(RAX);
    if (this.stackBytes > 0) this.aluImm32('add', 64, RSP, this.stackBytes);
  }

  popSaved(): void {
    for (const register of this.#saved.toReversed()) this.pop(register);
  }

  /** The function's end at its first exit; a jump there from the others. */
  exit(): void {
    if (this.#cleanupAt >= 0) return this.jumpTo(this.#cleanupAt);
    this.#cleanupAt = this.length;
    this.popSaved();
    this.leave();
    this.ret();
  }

  /** Displacement from rbp of the count of tail calls: the upper half of its 8 bytes. */
  get tailCallCountAt(): number {
    return -4 - this.stackBytes;
  }

  /** rax = the count, for a callee. */
  loadTailCallCount(): void {
    if (this.shape.reachesTailCall) this.loadFar(64, RAX, RBP, -8 - this.stackBytes);
  }

  /** To the item with that index. */
  jumpToItem(index: number, condition?: ConditionCode): void {
    const target = this.#layout.starts[index]!;
    if (condition === undefined && this.#distance(target) === 0) return;
    this.jumpTo(target, condition);
  }

  jumpTo(target: number, condition?: ConditionCode): void {
    const distance = this.#distance(target);
    const isShort = distance >= -128 && distance <= SHORT_FORWARD_MAX;
    if (condition === undefined) this.jmp(distance, isShort);
    else this.jcc(condition, distance, isShort);
  }

  /** From the end of the item that is written. */
  #distance(target: number): number {
    return target - this.#layout.starts[this.starts.length]!;
  }
}
