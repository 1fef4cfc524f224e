/**
 * The interface of everything that executes verified programs in the machine: the interpreter (the
 * reference), the WASM JIT, later the x86 and AArch64 code models. Devices implement hw/target.ts.
 */
import type { RamOffset } from '../kernel/types/units.ts';
import type { IsaRow } from './isa/row.ts';
import type { Patches } from './patch.ts';
import type { VerifiedProgram } from './program.ts';
import type { BpfRuntime } from './runtime.ts';

export interface Engine {
  /** 'interp', 'wasm', … */
  readonly name: string;
  /** Whether it executes that instruction; what it does not, `refusal` names. */
  handles(row: IsaRow): boolean;
  /** Why it cannot compile the program, or undefined. Ask before `compile`. */
  refusal(program: VerifiedProgram): EngineRefusal | undefined;
  /** Other programs can be attached to those that it compiles, and be put in their place. */
  readonly patches?: true;
  /** Throws Bug for a program with a refusal. */
  compile(program: VerifiedProgram, runtime: BpfRuntime, patches?: Patches): Executable;
}

export interface EngineRefusal {
  /** Stable code. */
  readonly reason: 'instruction-not-supported' | 'no-such-instruction' | 'program-too-large';
  /** Slot in the rewritten program. */
  readonly insn: number;
  readonly message: string;
}

export interface Executable {
  readonly engine: string;
  /**
   * Run with r1 = kernel address of `ctx` (0 for NULL). Returns the low 32 bits of r0, unsigned.
   * Throws BpfOops on a fault; the runtime turns that into a kernel oops and ends the program only.
   */
  run(ctx: RamOffset): number;
  /** The same with all 64 bits of r0 (signed). */
  run64(ctx: RamOffset): bigint;
  /**
   * Continue here by tail call: r1 = `ctx`, r10 = `stackTop`, with `tailCalls` of the 33 allowed
   * used up. Only for engines, inside a run.
   */
  enter(ctx: bigint, stackTop: number, tailCalls: number): bigint;
  /** Called by another program, whose function this one replaces; with a stack of its own. */
  call(r1: bigint, r2: bigint, r3: bigint, r4: bigint, r5: bigint, tailCalls: number): bigint;
  /**
   * Call `then` once, at the end of the run or callback in which `insns` more instructions have been
   * executed. Engines that a program is to leave when it is hot have it.
   */
  whenHot?(insns: number, then: () => void): void;
  /** Slot in the WASM function table, where the code has one. */
  readonly tableIndex?: number;
  /** Size of the generated code in bytes; 0 for the interpreter. */
  readonly imageBytes: number;
  /** The generated code: a WASM module, machine code. */
  image?(): Uint8Array;
  /** Bytes of code of each subprogram, for bpf_prog_info.jited_func_lens. */
  functionBytes?(): readonly number[];
  /** The generated code as text, for `bpftool prog dump jited`; empty for the interpreter. */
  text(): string;
  /** Give back what the code holds (table slots, stack). */
  free(): void;
}
