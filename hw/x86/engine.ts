/**
 * The engine 'x86': verified programs as x86-64 machine code, executed by the simulator.
 *
 *   createX86Engine()                            one for any number of machines
 *   engine.observe(runtime, observer)            show a machine's runs to a timing model
 *   createX86Engine({ blindingSeed: 1 })         with constants blinded, as bpf_jit_harden does
 *
 * Differences from the other engines that a program can see: the address of its stack (r10), which
 * return addresses and saved registers share.
 */
import type { Engine } from '../../bpf/engine.ts';
import { engineState } from '../../bpf/engine-state.ts';
import { firstUnhandled } from '../../bpf/refusal.ts';
import type { IsaRow } from '../../bpf/isa/row.ts';
import type { VerifiedProgram } from '../../bpf/program.ts';
import type { BpfRuntime } from '../../bpf/runtime.ts';
import { Bug } from '../../kernel/types/units.ts';
import type { ExecutionObserver } from '../cpu/events.ts';
import { CoreState } from './core-state.ts';
import { X86Program } from './program.ts';
import { REGISTER_COUNT } from './registers.ts';
import { SymbolTable } from './symbols.ts';
import { TextSpace } from './text-space.ts';

export interface X86Options {
  /** Inline lookups and direct tail calls where the verifier's facts allow it; true by default. */
  readonly inline?: boolean;
  /** Blind constants, with random numbers from this seed. */
  readonly blindingSeed?: number;
  /** Calls leave rubbish in the registers that callees may change: finds code that relies on them. */
  readonly poison?: boolean;
}

/** All that one machine's programs share. */
export interface X86Machine {
  readonly core: CoreState;
  readonly symbols: SymbolTable;
  readonly text: TextSpace;
  readonly programs: Set<X86Program>;
  readonly options: X86Options;
  nextBlock(): number;
}

export interface X86Engine extends Engine {
  /** From now on, for programs loaded and to be loaded; undefined ends it. */
  observe(runtime: BpfRuntime, observer: ExecutionObserver | undefined): void;
  /** RAM in which it leaves other bytes than other engines: the BPF stack, the core's registers. */
  ownMemory(runtime: BpfRuntime): readonly { offset: number; sizeBytes: number }[];
}

/** Far below what rel32 reaches; Linux's limit is a million instructions processed. */
const MAX_SLOTS = 200_000;

export function createX86Engine(options: X86Options = {}): X86Engine {
  const machines = new WeakMap<BpfRuntime, X86Machine>();
  const machineOf = (runtime: BpfRuntime): X86Machine => {
    let machine = machines.get(runtime);
    if (machine === undefined) {
      machine = createMachine(runtime, options);
      machines.set(runtime, machine);
    }
    return machine;
  };
  return {
    name: 'x86',
    handles,
    refusal,
    compile: (program, runtime) => {
      const refused = refusal(program);
      if (refused) throw new Bug(refused.message);
      return new X86Program(machineOf(runtime), program, runtime);
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
        { offset: core.registersAt, sizeBytes: 8 * REGISTER_COUNT },
      ];
    },
  };
}

function createMachine(runtime: BpfRuntime, options: X86Options): X86Machine {
  let blocks = 0;
  // Its allocations come first, whichever engine compiles first.
  engineState(runtime);
  return {
    core: new CoreState(runtime.ram),
    symbols: new SymbolTable(runtime.kernel),
    text: new TextSpace(),
    programs: new Set(),
    options,
    nextBlock: () => blocks++,
  };
}

/** Calls of kernel functions need prototypes that engines have not. */
function handles(row: IsaRow): boolean {
  return row.kind !== 'call' || row.target !== 'kfunc';
}

function refusal(program: VerifiedProgram): ReturnType<Engine['refusal']> {
  if (program.insns.length > MAX_SLOTS) {
    const message = `machine code of ${program.insns.length} instructions is too large`;
    return { reason: 'program-too-large', insn: MAX_SLOTS, message };
  }
  return firstUnhandled('the x86 JIT', handles, program);
}
