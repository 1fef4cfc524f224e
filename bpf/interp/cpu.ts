/**
 * The state of an interpreted program: registers, call frames, and its way to RAM.
 *
 * Registers are one BigInt64Array (signed 64-bit values); `u32` and `i32` are its 32-bit halves, the
 * low half of register n at 2n. Behind r10 come a scratch slot and the program's constants, so that
 * an immediate is a register too and `add64_imm` and `add64_reg` are the same code.
 */
import { KERNEL_BASE_HIGH, NULL_GUARD_BYTES, type Ram } from '../../kernel/ram/ram.ts';
import type { RamOffset } from '../../kernel/types/units.ts';
import { BpfOops } from '../program.ts';

export const R10 = 10;
const SCRATCH = 11;
export const FIRST_CONSTANT = 12;
/** Calls deep, with the entry (MAX_CALL_FRAMES, include/linux/bpf_verifier.h). */
const MAX_FRAMES = 8;
/** What a step returns to end the run. */
export const DONE = -1;

/** A caller's state, given back when its callee exits. */
interface Frame {
  returnTo: number;
  tailCalls: number;
  /** r6 to r10. */
  readonly saved: BigInt64Array;
}

/** A run that another one, of the same program, interrupts: a callback or a nested event. */
interface OuterRun {
  readonly registers: BigInt64Array;
  readonly tailCalls: number;
  readonly depth: number;
  readonly base: number;
}

export class Cpu {
  readonly ram: Ram;
  readonly registers: BigInt64Array;
  readonly u32: Uint32Array;
  readonly i32: Int32Array;
  /** Tail calls made on the way to the current frame. */
  tailCalls = 0;
  readonly #frames: Frame[] = [];
  #depth = 0;
  /** Depth at which the innermost run started: an exit there ends it. */
  #base = 0;
  #isRunning = false;

  constructor(ram: Ram, constants: readonly bigint[]) {
    this.ram = ram;
    this.registers = new BigInt64Array(FIRST_CONSTANT + constants.length);
    this.registers.set(constants, FIRST_CONSTANT);
    this.u32 = new Uint32Array(this.registers.buffer);
    this.i32 = new Int32Array(this.registers.buffer);
  }

  /** Frames of the innermost run, 1 in its entry function. */
  get depth(): number {
    return this.#depth - this.#base + 1;
  }

  /** Make room for a run; give what it returns, the run around it, to `leave` when it is over. */
  enter(): OuterRun | undefined {
    const { registers } = this;
    let outer: OuterRun | undefined;
    if (this.#isRunning) {
      outer = {
        registers: registers.slice(0, R10 + 1),
        tailCalls: this.tailCalls,
        depth: this.#depth,
        base: this.#base,
      };
      this.#base = this.#depth;
    }
    this.#isRunning = true;
    registers.fill(0n, 0, R10 + 1);
    return outer;
  }

  leave(outer: OuterRun | undefined): void {
    this.#depth = outer?.depth ?? 0;
    this.#base = outer?.base ?? 0;
    if (outer === undefined) {
      this.#isRunning = false;
      return;
    }
    this.registers.set(outer.registers);
    this.tailCalls = outer.tailCalls;
  }

  /** Enter a subprogram: its frame is below the caller's `stackBytes`. */
  call(returnTo: number, stackBytes: number): void {
    const { registers } = this;
    if (this.depth >= MAX_FRAMES) throw new BpfOops('call stack too deep', registers[R10]!);
    const frame = (this.#frames[this.#depth++] ??= {
      returnTo,
      tailCalls: 0,
      saved: new BigInt64Array(5),
    });
    frame.returnTo = returnTo;
    frame.tailCalls = this.tailCalls;
    for (let i = 0; i < 5; i++) frame.saved[i] = registers[6 + i]!;
    registers[R10]! -= BigInt(stackBytes);
  }

  /** Leave a function; the slot to go on at, or DONE. */
  exit(): number {
    if (this.#depth === this.#base) return DONE;
    const { registers } = this;
    const frame = this.#frames[--this.#depth]!;
    for (let i = 0; i < 5; i++) registers[6 + i] = frame.saved[i]!;
    this.tailCalls = frame.tailCalls;
    return frame.returnTo;
  }

  /** RAM offset of the `bytes` at register `base` + `off`. Throws BpfOops outside RAM. */
  address(base: number, off: bigint, bytes: number): number {
    const at = this.probe(base, off, bytes);
    if (at === 0) throw this.fault(this.registers[SCRATCH]!, bytes);
    return at;
  }

  /** The same, but 0 outside RAM. */
  probe(base: number, off: bigint, bytes: number): number {
    this.registers[SCRATCH] = BigInt.asIntN(64, this.registers[base]! + off);
    const low = this.u32[2 * SCRATCH]!;
    if (this.u32[2 * SCRATCH + 1] !== KERNEL_BASE_HIGH) return 0;
    return low >= NULL_GUARD_BYTES && low <= this.ram.sizeBytes - bytes ? low : 0;
  }

  fault(address: bigint, bytes: number): BpfOops {
    const text = BigInt.asUintN(64, address).toString(16).padStart(16, '0');
    return new BpfOops(`unable to handle access of ${bytes} bytes at ${text}`, address);
  }

  setRegister32(register: number, value: number): void {
    this.u32[2 * register] = value;
    this.u32[2 * register + 1] = 0;
  }

  /** A kernel pointer, NULL for 0. */
  setPointer(register: number, offset: RamOffset | number): void {
    this.u32[2 * register] = offset;
    this.u32[2 * register + 1] = offset === 0 ? 0 : KERNEL_BASE_HIGH;
  }
}
