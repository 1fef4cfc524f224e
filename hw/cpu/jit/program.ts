/** A program as machine code: its image, and the simulation that executes it. */
import type { BpfFunction } from '../../../bpf/engine-state.ts';
import { BaseExecutable } from '../../../bpf/executable.ts';
import { slotAt } from '../../../bpf/jit/code-map.ts';
import { moduleName, asOops } from '../../../bpf/oops.ts';
import { BpfOops, type VerifiedProgram } from '../../../bpf/program.ts';
import type { BpfRuntime } from '../../../bpf/runtime.ts';
import { Bug, type RamOffset } from '../../../kernel/types/units.ts';
import type { Random } from './lowered.ts';
import type { Architecture, MachineImage, Patcher } from './architecture.ts';
import type { PlacedInsn } from './control-flow.ts';
import type { Machine } from './engine.ts';
import type { Traps } from './linkage.ts';
import { simulate, type Simulation } from './simulation.ts';
import { programAt } from './text-space.ts';

/** Bytes below the lowest stack that code may still push to. */
const STACK_SLACK = 256;

export class MachineProgram<M extends MachineImage = MachineImage> extends BaseExecutable {
  readonly engine: string;
  readonly code: M;
  readonly #arch: Architecture<PlacedInsn, M>;
  readonly #machine: Machine;
  readonly #index: number;
  readonly #callbacks: readonly { readonly subprog: number; readonly offset: number }[];
  readonly #patcher: Patcher | undefined;
  #simulation: Simulation;

  constructor(
    arch: Architecture<PlacedInsn, M>,
    machine: Machine,
    program: VerifiedProgram,
    runtime: BpfRuntime,
  ) {
    super(program, runtime);
    const { inline = true, blindingSeed } = machine.options;
    const { symbols, text } = machine;
    this.engine = arch.name;
    this.#arch = arch;
    this.#machine = machine;
    const blind = blindingSeed === undefined ? undefined : xorshift(blindingSeed);
    this.code = arch.generate(
      { program, runtime, state: this.state, symbols, inline, blind },
      (sizeBytes) => text.allocate(sizeBytes),
    );
    this.#patcher = arch.patcher?.(this.code, runtime.ram);
    this.#index = this.state.programs.reserve();
    this.#callbacks = program.subprogs.flatMap(({ isCallback }, subprog) =>
      isCallback ? [{ subprog, offset: this.code.functions[subprog]!.start }] : [],
    );
    this.#simulation = this.#translate();
    for (const { subprog, offset } of this.#callbacks) {
      const func: BpfFunction = (...args) =>
        (this.#simulation.callback(offset) as BpfFunction)(...args);
      this.bindCallback(subprog, func);
    }
    machine.programs.add(this);
  }

  get imageBytes(): number {
    return this.code.functions.reduce((sum, { sizeBytes }) => sum + sizeBytes, 0);
  }

  /** Where code may have to be patched first, others must not enter by the table. */
  get tableIndex(): number | undefined {
    return this.#patcher === undefined ? this.#index : undefined;
  }

  /** The observer came or went. */
  retranslate(): void {
    this.#simulation = this.#translate();
  }

  override run(ctx: RamOffset): number {
    const { state, runtime } = this;
    const { core } = this.#machine;
    // Inside another run, which a fault of this one need not end.
    const saved = runtime.running === undefined ? undefined : core.saveForCaller();
    this.#poke();
    try {
      if (this.#simulation.callsOut) return super.run(ctx);
      return state.programs.run(this.#index, ctx) >>> 0;
    } catch (error) {
      if (saved !== undefined) core.restoreForCaller(saved);
      throw asOops(error, state.programs);
    } finally {
      if (core.observer !== undefined) core.flush();
    }
  }

  override run64(ctx: RamOffset): bigint {
    const { core } = this.#machine;
    try {
      return super.run64(ctx);
    } finally {
      if (core.observer !== undefined) core.flush();
    }
  }

  protected override execute(ctx: RamOffset, stackTop: number): number {
    return this.state.programs.runBelow(this.#index, ctx, stackTop) >>> 0;
  }

  override enter(ctx: bigint, stackTop: number, tailCalls: number): bigint {
    this.#poke();
    return this.#simulation.enter(ctx, stackTop, tailCalls);
  }

  /** Enter by tail call from machine code, with everything in registers. */
  tail(): number {
    this.#poke();
    return this.#simulation.tail();
  }

  /** One function behind the other, without what fills the space between them. */
  image(): Uint8Array {
    this.#poke();
    const { bytes, functions } = this.code;
    const image = new Uint8Array(this.imageBytes);
    let at = 0;
    for (const { start, sizeBytes } of functions) {
      image.set(bytes.subarray(start, start + sizeBytes), at);
      at += sizeBytes;
    }
    return image;
  }

  functionBytes(): readonly number[] {
    return this.code.functions.map(({ sizeBytes }) => sizeBytes);
  }

  override text(): string {
    this.#poke();
    const { symbols } = this.#machine;
    return this.#arch.listing(this.program, this.code, (address) => symbols.at(address)?.name);
  }

  override free(): void {
    super.free();
    const { text, programs } = this.#machine;
    programs.delete(this);
    text.free(this.code.address, this.code.bytes.length);
    this.state.programs.remove(this.#index);
  }

  #translate(): Simulation {
    const { code, program, runtime, state } = this;
    const { core, symbols, options, nextBlock } = this.#machine;
    const simulation = simulate(
      this.#arch,
      {
        ram: runtime.ram,
        core,
        symbols,
        name: moduleName(this.#index),
        traps: this.#traps(),
        traced: core.observer !== undefined,
        poison: options.poison ?? false,
        stackLimit: state.bottom + STACK_SLACK,
        leave: (target) => this.#leave(target),
        nextBlock,
      },
      {
        address: code.address,
        bytes: code.bytes,
        zeroes: new Map(code.exceptions.map(({ at, register }) => [at, register])),
        callbacks: this.#callbacks.map(({ offset }) => offset),
        slotAt: (offset) => this.#slotAt(offset),
      },
    );
    state.programs.set(this.#index, simulation.enter, (offset) => {
      const slot = slotAt(simulation.functions, offset);
      return slot === undefined ? undefined : { program, slot };
    });
    core.observer?.blocks(simulation.blocks);
    return simulation;
  }

  #slotAt(offset: number): number | undefined {
    const func = this.code.functions.find(
      ({ start, sizeBytes }) => start <= offset && offset < start + sizeBytes,
    );
    const marks = func?.marks ?? [];
    let low = 0;
    let high = marks.length / 2;
    while (low < high) {
      const middle = (low + high) >> 1;
      if (marks[2 * middle]! <= offset) low = middle + 1;
      else high = middle;
    }
    return low === 0 ? undefined : marks[2 * low - 1];
  }

  #traps(): Traps {
    const oops = (message: string, address: bigint | RamOffset, offset: number): BpfOops => {
      const slot = this.#slotAt(offset);
      const at = slot === undefined ? undefined : { program: this.program, slot };
      return new BpfOops(message, address, at);
    };
    return {
      fault: (address, offset, bytes) => {
        const text = BigInt.asUintN(64, address).toString(16).padStart(16, '0');
        throw oops(`unable to handle access of ${bytes} bytes at ${text}`, address, offset);
      },
      divideError: (offset) => {
        throw oops('divide error', 0n, offset);
      },
      stackOverflow: (offset) => {
        const { core } = this.#machine;
        throw oops('kernel stack overflow', core.register(this.#arch.convention.stack), offset);
      },
      lost: (offset) => {
        throw new Bug(`machine code went astray at offset ${offset.toString(16)}`);
      },
    };
  }

  /** The jump at the end of a tail call. */
  #leave(low: number): number {
    const id = programAt(low);
    const target = id === undefined ? undefined : this.runtime.executableOf(id);
    if (target === undefined) throw new Bug(`a jump to ${(low >>> 0).toString(16)}`);
    if (target instanceof MachineProgram && target.#machine === this.#machine) return target.tail();
    return this.#arch.entries.leave(target, this.#machine.core, this.runtime.ram);
  }

  #poke(): void {
    if (this.#patcher?.update()) this.retranslate();
  }
}

/** xorshift32 (Marsaglia 2003); never 0. */
function xorshift(seed: number): Random {
  let state = seed | 0 || 1;
  return () => {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    return state;
  };
}
