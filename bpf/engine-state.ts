/**
 * What all engines of one machine share, so that a program may change engine, tail-call into
 * another engine's program or be called back, and nobody can tell from addresses or results.
 *
 *   engineState(runtime)       the one of that runtime
 *   state.enterRun() / leaveRun(top)   reserve stack for a run, from the one BPF stack in RAM
 *   state.funcAddress(program, subprog)  what a ld_imm64 of a callback loads
 *   state.callback(...)        call such an address
 *
 * Runs nest strictly (a helper may fire a tracepoint that runs another program), so one downward
 * stack serves all CPUs.
 */
import type { RamOffset } from '../kernel/types/units.ts';
import { Bug } from '../kernel/types/units.ts';
import { asOops } from './oops.ts';
import { BpfOops, type VerifiedProgram } from './program.ts';
import { ProgramTable } from './jit/program-table.ts';
import type { BpfRuntime, RunningProgram } from './runtime.ts';

/**
 * Bytes a run may use: the verifier allows 512 in a chain of calls, and a caller's 256 or less stay
 * in use below each of 33 tail calls from subprograms (check_max_stack_depth, kernel/bpf/verifier.c).
 * Programs that no verifier saw may take 8 frames of 512.
 */
const RUN_BYTES = 16384;
/** Runs inside runs. Linux's whole kernel stack is 16 KiB on x86-64, so it fails sooner. */
const MAX_NESTED_RUNS = 16;
/** Where Linux puts generated code on x86-64 (Documentation/x86/x86_64/mm.rst, module space). */
const CODE_BASE = 0xffff_ffff_a000_0000n;
const FUNC_ALIGN = 64n;

/** A subprogram, callable by whoever holds its address; `stackTop` becomes its r10. */
export type BpfFunction = (
  r1: bigint,
  r2: bigint,
  r3: bigint,
  r4: bigint,
  r5: bigint,
  stackTop: number,
) => bigint;

export class EngineState {
  readonly runBytes = RUN_BYTES;
  /** Lowest byte that a run may use. */
  readonly bottom: number;
  /** Where in RAM, as u32, r10 of the next run's first frame is kept: generated code reads it. */
  readonly topAt: RamOffset;
  /** Where tail calls find programs that are WASM. */
  readonly programs: ProgramTable;
  readonly #u32: Uint32Array;
  readonly #runtime: BpfRuntime;
  /** What runs when the kernel calls back outside any run: a timer expires. */
  readonly #outside: RunningProgram;
  readonly #firstFunc = new WeakMap<VerifiedProgram, number>();
  readonly #functions: (BpfFunction | undefined)[] = [];
  readonly #programs: (VerifiedProgram | undefined)[] = [];

  constructor(runtime: BpfRuntime) {
    const sizeBytes = RUN_BYTES * MAX_NESTED_RUNS;
    this.bottom = runtime.ram.kzalloc(sizeBytes);
    this.topAt = runtime.ram.kzalloc(8);
    this.programs = new ProgramTable(runtime.ram, {
      topAt: this.topAt,
      lowestTop: this.bottom + RUN_BYTES,
      overflow: () => this.#overflow(),
    });
    this.#u32 = runtime.ram.u32;
    this.#runtime = runtime;
    this.#outside = {
      ctx: 0 as RamOffset,
      callback: (func, r1, r2, r3, r4, r5) => this.callback(func, r1, r2, r3, r4, r5),
    };
    this.leaveRun(this.bottom + sizeBytes);
  }

  /** r10 for a new run. Give the result to `leaveRun`, also after a fault. */
  enterRun(): number {
    const top = this.#u32[this.topAt >>> 2]!;
    if (top - RUN_BYTES < this.bottom) this.#overflow();
    this.#u32[this.topAt >>> 2] = top - RUN_BYTES;
    return top;
  }

  #overflow(): never {
    const top = this.#u32[this.topAt >>> 2]!;
    throw new BpfOops('BPF programs nested too deeply', top as RamOffset);
  }

  leaveRun(top: number): void {
    this.#u32[this.topAt >>> 2] = top;
  }

  /** The same address whichever engine runs the program. */
  funcAddress(program: VerifiedProgram, subprog: number): bigint {
    let first = this.#firstFunc.get(program);
    if (first === undefined) {
      first = this.#functions.length;
      this.#functions.length += program.subprogs.length;
      this.#firstFunc.set(program, first);
    }
    return BigInt.asIntN(64, CODE_BASE + BigInt(first + subprog) * FUNC_ALIGN);
  }

  /** From now on `func` is what the subprogram's address calls. */
  bind(program: VerifiedProgram, subprog: number, func: BpfFunction): void {
    const index = this.#indexOf(this.funcAddress(program, subprog));
    this.#functions[index] = func;
    this.#programs[index] = program;
  }

  /** Take `func` away again, unless another engine has bound its own since. */
  unbind(program: VerifiedProgram, subprog: number, func: BpfFunction): void {
    const index = this.#indexOf(this.funcAddress(program, subprog));
    if (this.#functions[index] !== func) return;
    this.#functions[index] = undefined;
    this.#programs[index] = undefined;
  }

  /** Whose subprogram is at that address. */
  programOf(func: bigint): VerifiedProgram | undefined {
    return this.#programs[this.#indexOf(func)];
  }

  callback(func: bigint, r1: bigint, r2: bigint, r3: bigint, r4: bigint, r5: bigint): bigint {
    const target = this.#functions[this.#indexOf(func)];
    if (target === undefined) throw new Bug(`no BPF function at ${func.toString(16)}`);
    const runtime = this.#runtime;
    const outer = runtime.running;
    const top = this.enterRun();
    runtime.running ??= this.#outside;
    try {
      return target(r1, r2, r3, r4, r5, top);
    } catch (error) {
      throw asOops(error, this.programs);
    } finally {
      runtime.running = outer;
      this.leaveRun(top);
    }
  }

  #indexOf(func: bigint): number {
    return Number((BigInt.asUintN(64, func) - CODE_BASE) / FUNC_ALIGN);
  }
}

export function engineState(runtime: BpfRuntime): EngineState {
  return (runtime.engineState ??= new EngineState(runtime));
}
