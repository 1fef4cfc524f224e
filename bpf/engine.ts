/**
 * The interface of everything that executes verified programs in the machine: the interpreter (the
 * reference), the WASM JIT, later the x86 and AArch64 code models. Devices implement hw/target.ts.
 */
import type { RamOffset } from '../kernel/types/units.ts';
import type { VerifiedProgram } from './program.ts';
import type { BpfRuntime } from './runtime.ts';

export interface Engine {
  /** 'interp', 'wasm', … */
  readonly name: string;
  compile(program: VerifiedProgram, runtime: BpfRuntime): Executable;
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
  /** Size of the generated code in bytes; 0 for the interpreter. */
  readonly imageBytes: number;
  /** The generated code as text, for `bpftool prog dump jited`; empty for the interpreter. */
  text(): string;
  /** Give back what the code holds (table slots, stack). */
  free(): void;
}
