/**
 * An engine that compiles to machine code of an architecture and executes it by the simulator.
 *
 *   createMachineEngine(arch, options)           one for any number of machines
 *   engine.observe(runtime, observer)            show a machine's runs to a timing model
 *
 * Differences from the other engines that a program can see: the address of its stack (r10), which
 * return addresses and saved registers share.
 */
import type { Engine, EngineRefusal } from '../../../bpf/engine.ts';
import { engineState } from '../../../bpf/engine-state.ts';
import { firstUnhandled } from '../../../bpf/refusal.ts';
import type { VerifiedProgram } from '../../../bpf/program.ts';
import type { BpfRuntime } from '../../../bpf/runtime.ts';
import { Bug } from '../../../kernel/types/units.ts';
import type { ExecutionObserver } from '../events.ts';
import type { Architecture, MachineImage } from './architecture.ts';
import type { PlacedInsn } from './control-flow.ts';
import { CoreState } from './core-state.ts';
import { MachineProgram } from './program.ts';
import { SymbolTable } from './symbols.ts';
import { TextSpace } from './text-space.ts';

export interface JitOptions {
  /** Inline lookups and direct tail calls where the verifier's facts allow it; true by default. */
  readonly inline?: boolean;
  /** Blind constants, with random numbers from this seed. */
  readonly blindingSeed?: number;
  /** Calls leave rubbish in the registers that callees may change: finds code that relies on them. */
  readonly poison?: boolean;
}

/** All that one machine's programs share. */
export interface Machine {
  readonly core: CoreState;
  readonly symbols: SymbolTable;
  readonly text: TextSpace;
  readonly programs: Set<MachineProgram>;
  readonly options: JitOptions;
  nextBlock(): number;
}

export interface MachineEngine extends Engine {
  /** From now on, for programs loaded and to be loaded; undefined ends it. */
  observe(runtime: BpfRuntime, observer: ExecutionObserver | undefined): void;
  /** RAM in which it leaves other bytes than other engines: the BPF stack, the core's registers. */
  ownMemory(runtime: BpfRuntime): readonly { offset: number; sizeBytes: number }[];
}

/** Far below what calls reach; Linux's limit is a million instructions processed. */
const MAX_SLOTS = 200_000;

export function createMachineEngine<M extends MachineImage>(
  arch: Architecture<PlacedInsn, M>,
  options: JitOptions,
): MachineEngine {
  const machines = new WeakMap<BpfRuntime, Machine>();
  const machineOf = (runtime: BpfRuntime): Machine => {
    let machine = machines.get(runtime);
    if (machine === undefined) {
      machine = createMachine(arch, runtime, options);
      machines.set(runtime, machine);
    }
    return machine;
  };
  const refusal = (program: VerifiedProgram): EngineRefusal | undefined => {
    if (program.insns.length > MAX_SLOTS) {
      const message = `machine code of ${program.insns.length} instructions is too large`;
      return { reason: 'program-too-large', insn: MAX_SLOTS, message };
    }
    const unhandled = firstUnhandled(`the ${arch.name} JIT`, arch.handles, program);
    return unhandled ?? arch.refusal?.(program);
  };
  return {
    name: arch.name,
    handles: (row) => arch.handles(row),
    refusal,
    compile: (program, runtime) => {
      const refused = refusal(program);
      if (refused) throw new Bug(refused.message);
      return new MachineProgram(arch, machineOf(runtime), program, runtime);
    },
    observe: (runtime, observer) => {
      const { core, programs } = machineOf(runtime);
      core.observe(observer);
      for (const program of programs) program.retranslate();
    },
    ownMemory: (runtime) => {
      const { core } = machineOf(runtime);
      const { bottom, topAt } = engineState(runtime);
      return [
        { offset: bottom, sizeBytes: runtime.ram.u32[topAt >>> 2]! - bottom },
        { offset: core.registersAt, sizeBytes: core.registersBytes },
      ];
    },
  };
}

function createMachine(
  { convention }: Architecture,
  runtime: BpfRuntime,
  options: JitOptions,
): Machine {
  let blocks = 0;
  // Its allocations come first, whichever engine compiles first.
  engineState(runtime);
  return {
    core: new CoreState(runtime.ram, convention),
    symbols: new SymbolTable(runtime.kernel),
    text: new TextSpace(),
    programs: new Set(),
    options,
    nextBlock: () => blocks++,
  };
}
