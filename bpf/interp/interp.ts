/**
 * The interpreter: the plain reference that every other engine is compared with.
 *
 *   createInterpreter()             the engine
 *   createInterpreter({onStep})     with a callback before each instruction (checked mode)
 *
 * `compile` turns each instruction into a closure (a Step) that executes it and returns the slot of
 * the next one, so running is `while (slot !== DONE) slot = steps[slot]()`.
 */
import { Bug, type RamOffset } from '../../kernel/types/units.ts';
import type { Engine, EngineRefusal } from '../engine.ts';
import { BaseExecutable } from '../executable.ts';
import { asOops } from '../oops.ts';
import { firstUnhandled } from '../refusal.ts';
import { NO_PATCHES, type Patches, type PatchedFunction } from '../patch.ts';
import { BpfOops, type VerifiedProgram } from '../program.ts';
import type { BpfRuntime } from '../runtime.ts';
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
    patches: true,
    compile: (program, runtime, patches = NO_PATCHES) => {
      const refused = refusal(program);
      if (refused) throw new Bug(refused.message);
      return new Interpreted(program, runtime, patches, options.onStep);
    },
  };
}

function handles(): boolean {
  return true;
}

function refusal(program: VerifiedProgram): EngineRefusal | undefined {
  return firstUnhandled('the interpreter', handles, program);
}

class Interpreted extends BaseExecutable {
  readonly engine = 'interp';
  readonly imageBytes = 0;
  readonly #cpu: Cpu;
  readonly #steps: readonly Step[];
  readonly #onStep: ((view: StepView) => void) | undefined;
  /** Instructions until the program counts as hot, and what happens then. */
  #coldInsns = Infinity;
  #whenHot: (() => void) | undefined;

  constructor(
    program: VerifiedProgram,
    runtime: BpfRuntime,
    patches: Patches,
    onStep: ((view: StepView) => void) | undefined,
  ) {
    super(program, runtime);
    const { state } = this;
    this.#onStep = onStep;
    const constants = new ConstantPool(program);
    this.#cpu = new Cpu(runtime.ram, constants.values);
    const patched = (subprog: number): PatchedFunction | undefined => {
      const patch = patches.get(subprog);
      return patch && ((...call) => patch(this.#functionOf(subprog), ...call));
    };
    this.#steps = program.insns.map((_, slot) =>
      compileStep({ program, runtime, state, cpu: this.#cpu, constants, slot, patched }),
    );
    program.subprogs.forEach(({ isCallback }, subprog) => {
      if (!isCallback) return;
      const call = patched(subprog) ?? this.#functionOf(subprog);
      this.bindCallback(subprog, (r1, r2, r3, r4, r5, top) => call(r1, r2, r3, r4, r5, top, 0));
    });
  }

  protected override execute(ctx: RamOffset, stackTop: number): number {
    const r0 = this.enter(this.runtime.ram.kernelAddress(ctx), stackTop, 0);
    return Number(BigInt.asUintN(32, r0));
  }

  override enter(ctx: bigint, stackTop: number, tailCalls: number): bigint {
    return this.#invoke(this.program.subprogs[0]!.start, [ctx], stackTop, tailCalls);
  }

  protected override enterWith(args: readonly bigint[], stackTop: number, tailCalls: number) {
    return this.#invoke(this.program.subprogs[0]!.start, args, stackTop, tailCalls);
  }

  #functionOf(subprog: number): PatchedFunction {
    const { start } = this.program.subprogs[subprog]!;
    return (r1, r2, r3, r4, r5, stackTop, tailCalls) =>
      this.#invoke(start, [r1, r2, r3, r4, r5], stackTop, tailCalls);
  }

  whenHot(insns: number, then: () => void): void {
    this.#coldInsns = insns;
    this.#whenHot = then;
  }

  override text(): string {
    return '';
  }

  #invoke(start: number, args: readonly bigint[], stackTop: number, tailCalls: number): bigint {
    const cpu = this.#cpu;
    const outer = cpu.enter();
    try {
      for (let i = 0; i < args.length; i++) cpu.registers[1 + i] = args[i]!;
      cpu.setPointer(R10, stackTop);
      cpu.tailCalls = tailCalls;
      if (this.#onStep) this.#executeChecked(start, this.#onStep);
      else this.#coldInsns -= this.#execute(start);
      const r0 = cpu.registers[0]!;
      if (this.#coldInsns <= 0) this.#becomeHot();
      return r0;
    } finally {
      cpu.leave(outer);
    }
  }

  #becomeHot(): void {
    this.#coldInsns = Infinity;
    this.#whenHot?.();
  }

  /** How many instructions that took. */
  #execute(start: number): number {
    const steps = this.#steps;
    let slot = start;
    let executed = 0;
    try {
      for (; slot !== DONE; executed++) slot = steps[slot]!();
    } catch (error) {
      throw this.#withPlace(error, slot);
    }
    return executed;
  }

  #executeChecked(start: number, onStep: (view: StepView) => void): void {
    const registers = this.#cpu.registers.subarray(0, R10 + 1);
    let slot = start;
    try {
      while (slot !== DONE) {
        onStep({ program: this.program, slot, registers, depth: this.#cpu.depth });
        slot = this.#steps[slot]!();
      }
    } catch (error) {
      throw this.#withPlace(error, slot);
    }
  }

  /** A fault further in, of a callback or another program, has its place already. */
  #withPlace(error: unknown, slot: number): unknown {
    const oops = asOops(error, this.state.programs);
    if (!(oops instanceof BpfOops) || oops.at !== undefined) return oops;
    return new BpfOops(oops.message, oops.address, { program: this.program, slot });
  }
}
