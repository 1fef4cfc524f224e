/**
 * The interpreter: the plain reference that every other engine is compared with.
 *
 *   createInterpreter()             the engine
 *   createInterpreter({onStep})     with a callback before each instruction (checked mode)
 *
 * `compile` turns each instruction into a closure (a Step) that executes it and returns the slot of
 * the next one, so running is `while (slot !== DONE) slot = steps[slot]()`.
 */
import { NULL_GUARD_BYTES } from '../../kernel/ram/ram.ts';
import { Bug, type RamOffset } from '../../kernel/types/units.ts';
import type { Engine, EngineRefusal, Executable } from '../engine.ts';
import { engineState, type BpfFunction, type EngineState } from '../engine-state.ts';
import type { IsaRow } from '../isa/row.ts';
import { rowOf } from '../isa/table.ts';
import { BpfOops, type VerifiedProgram } from '../program.ts';
import type { BpfRuntime, RunningProgram } from '../runtime.ts';
import type { Step } from './alu.ts';
import { ConstantPool, compileStep } from './compile.ts';
import { Cpu, DONE, R10 } from './cpu.ts';

/** What a checked run shows of its state, before the instruction at `slot` executes. */
export interface StepView {
  readonly program: VerifiedProgram;
  readonly slot: number;
  /** r0 to r10; valid during the callback only. */
  readonly registers: BigInt64Array;
  /** 1 in the entry function, 2 in what it calls. */
  readonly depth: number;
}

export interface InterpreterOptions {
  readonly onStep?: (view: StepView) => void;
}

export function createInterpreter(options: InterpreterOptions = {}): Engine {
  return {
    name: 'interp',
    handles,
    refusal,
    compile: (program, runtime) => {
      const refused = refusal(program);
      if (refused) throw new Bug(refused.message);
      return new Interpreted(program, runtime, options.onStep);
    },
  };
}

/** Calls of kernel functions need prototypes that the interpreter has not, as in Linux. */
function handles(row: IsaRow): boolean {
  return row.kind !== 'call' || row.target !== 'kfunc';
}

function refusal(program: VerifiedProgram): EngineRefusal | undefined {
  let slot = 0;
  while (slot < program.insns.length) {
    const row = rowOf(program.insns[slot]!);
    if (row === undefined) {
      const message = `no instruction has opcode 0x${program.insns[slot]!.code.toString(16)}`;
      return { reason: 'no-such-instruction', insn: slot, message };
    }
    if (!handles(row)) {
      const message = `the interpreter does not execute ${row.name}`;
      return { reason: 'instruction-not-supported', insn: slot, message };
    }
    slot += row.slots;
  }
  return undefined;
}

class Interpreted implements Executable {
  readonly engine = 'interp';
  readonly imageBytes = 0;
  readonly #program: VerifiedProgram;
  readonly #runtime: BpfRuntime;
  readonly #state: EngineState;
  readonly #cpu: Cpu;
  readonly #steps: readonly Step[];
  readonly #onStep: ((view: StepView) => void) | undefined;
  #ctx = 0 as RamOffset;
  readonly #running: RunningProgram;
  readonly #callbacks = new Map<number, BpfFunction>();

  constructor(
    program: VerifiedProgram,
    runtime: BpfRuntime,
    onStep: ((view: StepView) => void) | undefined,
  ) {
    this.#program = program;
    this.#runtime = runtime;
    this.#onStep = onStep;
    const state = engineState(runtime);
    this.#state = state;
    const constants = new ConstantPool(program);
    this.#cpu = new Cpu(runtime.ram, constants.values);
    this.#steps = program.insns.map((_, slot) =>
      compileStep({ program, runtime, state, cpu: this.#cpu, constants, slot }),
    );
    program.subprogs.forEach(({ isCallback, start }, subprog) => {
      if (!isCallback) return;
      const func: BpfFunction = (r1, r2, r3, r4, r5, top) =>
        this.#invoke(start, [r1, r2, r3, r4, r5], top, 0);
      this.#callbacks.set(subprog, func);
      state.bind(program, subprog, func);
    });
    const getCtx = (): RamOffset => this.#ctx;
    this.#running = {
      get ctx() {
        return getCtx();
      },
      callback: (func, r1, r2, r3, r4, r5) => state.callback(func, r1, r2, r3, r4, r5),
    };
  }

  run(ctx: RamOffset): number {
    return Number(BigInt.asUintN(32, this.run64(ctx)));
  }

  run64(ctx: RamOffset): bigint {
    const runtime = this.#runtime;
    const top = this.#state.enterRun();
    const outerProgram = runtime.running;
    const outerCtx = this.#ctx;
    this.#ctx = ctx;
    runtime.running = this.#running;
    try {
      return this.enter(runtime.ram.kernelAddress(ctx), top, 0);
    } finally {
      runtime.running = outerProgram;
      this.#ctx = outerCtx;
      this.#state.leaveRun(top);
    }
  }

  enter(ctx: bigint, stackTop: number, tailCalls: number): bigint {
    return this.#invoke(this.#program.subprogs[0]!.start, [ctx], stackTop, tailCalls);
  }

  text(): string {
    return '';
  }

  free(): void {
    for (const [subprog, func] of this.#callbacks) {
      this.#state.unbind(this.#program, subprog, func);
    }
  }

  #invoke(start: number, args: readonly bigint[], stackTop: number, tailCalls: number): bigint {
    const cpu = this.#cpu;
    const leave = cpu.nest();
    try {
      args.forEach((value, i) => (cpu.registers[1 + i] = value));
      cpu.setPointer(R10, stackTop);
      cpu.tailCalls = tailCalls;
      if (this.#onStep) this.#executeChecked(start, this.#onStep);
      else this.#execute(start);
      return cpu.registers[0]!;
    } catch (error) {
      throw asOops(error);
    } finally {
      leave();
    }
  }

  #execute(start: number): void {
    const steps = this.#steps;
    let slot = start;
    while (slot !== DONE) slot = steps[slot]!();
  }

  #executeChecked(start: number, onStep: (view: StepView) => void): void {
    const registers = this.#cpu.registers.subarray(0, R10 + 1);
    let slot = start;
    while (slot !== DONE) {
      onStep({ program: this.#program, slot, registers, depth: this.#cpu.depth });
      slot = this.#steps[slot]!();
    }
  }
}

/** Callbacks and nested programs may exhaust the host's stack: the guest's fault, not ours. */
function asOops(error: unknown): unknown {
  if (!(error instanceof RangeError)) return error;
  return new BpfOops('kernel stack overflow', NULL_GUARD_BYTES as RamOffset);
}
