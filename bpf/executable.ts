/**
 * What the executables of the machine's engines have in common: a run reserves stack, makes itself
 * the runtime's running program, and turns what the host throws into a BpfOops.
 *
 * An engine extends it with `execute` (a run) and `enter` (a tail call or a 64-bit result).
 */
import type { RamOffset } from '../kernel/types/units.ts';
import type { Executable } from './engine.ts';
import { engineState, type BpfFunction, type EngineState } from './engine-state.ts';
import { asOops } from './oops.ts';
import type { VerifiedProgram } from './program.ts';
import type { BpfRuntime, RunningProgram } from './runtime.ts';

export abstract class BaseExecutable implements Executable {
  abstract readonly engine: string;
  abstract readonly imageBytes: number;
  protected readonly program: VerifiedProgram;
  protected readonly runtime: BpfRuntime;
  protected readonly state: EngineState;
  readonly #running: { ctx: RamOffset } & RunningProgram;
  readonly #callbacks: [subprog: number, func: BpfFunction][] = [];

  constructor(program: VerifiedProgram, runtime: BpfRuntime) {
    this.program = program;
    this.runtime = runtime;
    const state = engineState(runtime);
    this.state = state;
    this.#running = {
      ctx: 0 as RamOffset,
      callback: (func, r1, r2, r3, r4, r5) => state.callback(func, r1, r2, r3, r4, r5),
    };
  }

  run(ctx: RamOffset): number {
    const running = this.#running;
    const { runtime, state } = this;
    const top = state.enterRun();
    const outerProgram = runtime.running;
    const outerCtx = running.ctx;
    running.ctx = ctx;
    runtime.running = running;
    try {
      return this.execute(ctx, top);
    } catch (error) {
      throw asOops(error, state.programs);
    } finally {
      runtime.running = outerProgram;
      running.ctx = outerCtx;
      state.leaveRun(top);
    }
  }

  run64(ctx: RamOffset): bigint {
    const running = this.#running;
    const { runtime, state } = this;
    const top = state.enterRun();
    const outerProgram = runtime.running;
    const outerCtx = running.ctx;
    running.ctx = ctx;
    runtime.running = running;
    try {
      return this.enter(runtime.ram.kernelAddress(ctx), top, 0);
    } catch (error) {
      throw asOops(error, state.programs);
    } finally {
      runtime.running = outerProgram;
      running.ctx = outerCtx;
      state.leaveRun(top);
    }
  }

  call(r1: bigint, r2: bigint, r3: bigint, r4: bigint, r5: bigint, tailCalls: number): bigint {
    const running = this.#running;
    const { runtime, state } = this;
    const top = state.enterRun();
    const outerProgram = runtime.running;
    const outerCtx = running.ctx;
    running.ctx = outerProgram?.ctx ?? (0 as RamOffset);
    runtime.running = running;
    try {
      return this.enterWith([r1, r2, r3, r4, r5], top, tailCalls);
    } catch (error) {
      throw asOops(error, state.programs);
    } finally {
      runtime.running = outerProgram;
      running.ctx = outerCtx;
      state.leaveRun(top);
    }
  }

  /** For models of devices that run a program step by step (hw/device-cpu.ts). */
  get sharedState(): EngineState {
    return this.state;
  }

  abstract enter(ctx: bigint, stackTop: number, tailCalls: number): bigint;
  abstract text(): string;

  /** Engines with patches pass all of r1 to r5. */
  protected enterWith(args: readonly bigint[], stackTop: number, tailCalls: number): bigint {
    return this.enter(args[0]!, stackTop, tailCalls);
  }

  /** Low 32 bits of r0, unsigned. */
  protected abstract execute(ctx: RamOffset, stackTop: number): number;

  /** Make `func` what the callback's address calls. */
  protected bindCallback(subprog: number, func: BpfFunction): void {
    this.#callbacks.push([subprog, func]);
    this.state.bind(this.program, subprog, func);
  }

  free(): void {
    for (const [subprog, func] of this.#callbacks) this.state.unbind(this.program, subprog, func);
  }
}
