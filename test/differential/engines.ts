/**
 * Run one program tree on two engines and compare all that can be seen: r0, and every byte of RAM
 * above the C core's own (packet, stack frames, maps).
 *
 *   const bench = await differentialBench(engineA, engineB)
 *   bench.compare(tree)    undefined, or what differs, with the first divergent instruction
 */
import type { Engine, Executable } from '../../bpf/engine.ts';
import { engineState } from '../../bpf/engine-state.ts';
import { encodeInsns } from '../../bpf/isa/codec.ts';
import { disasmInsn } from '../../bpf/isa/disasm.ts';
import type { Insn } from '../../bpf/isa/insn.ts';
import type { BpfMap, MapSpec } from '../../bpf/maps/map.ts';
import { createMap } from '../../bpf/maps/table.ts';
import { CORE_RESERVED_BYTES } from '../../bpf/native/core.ts';
import { BpfOops, type InsnFact, type VerifiedProgram } from '../../bpf/program.ts';
import type { BpfRuntime } from '../../bpf/runtime.ts';
import type { MapType } from '../../bpf/uapi.ts';
import { KERNEL_BASE, NULL_GUARD_BYTES } from '../../kernel/ram/ram.ts';
import type { RamOffset } from '../../kernel/types/units.ts';
import { bareMachine, type BareMachine } from '../support/assets.ts';
import { unverifiedProgram } from '../support/unverified.ts';
import { FRAME_BYTES, MAP_ENTRIES, VALUE_BYTES, type CaseTree, type ProgramTree } from './ast.ts';
import { render, type Rendered } from './render.ts';

/** The maps that a tree's map numbers mean. */
export const MAPS = ['array', 'percpu_array', 'hash', 'lru_hash', 'percpu_hash'] as const;

export interface Step {
  readonly slot: number;
  readonly registers: readonly bigint[];
}

/** An engine, and one that shows its steps. */
export interface Contestant {
  readonly engine: Engine;
  traced(onStep: (step: Step) => void): Engine;
  /**
   * RAM that is the engine's own and need not be as another's: its stack, a simulated core's
   * registers. Asking for it makes the engine allocate what it needs of the machine.
   */
  ownMemory?(runtime: BpfRuntime): readonly OwnMemory[];
}

export interface OwnMemory {
  readonly offset: number;
  readonly sizeBytes: number;
}

interface Outcome {
  /** Or what was thrown instead. */
  readonly r0: bigint | string;
  readonly insns: readonly Insn[];
  /** Free what the case allocated; until then packet and maps can be seen in RAM. */
  release(): void;
}

const mapSpec = (type: MapType, maxEntries: number, valueBytes: number): MapSpec => ({
  type,
  keyBytes: 4,
  valueBytes,
  maxEntries,
  flags: 0,
  name: type,
});

/** What lies below the first page that may be used: an access there is not seen by the JIT. */
const NO_BYTES = new Uint8Array(NULL_GUARD_BYTES);

/** Programs that are tail-called have the ids from 1 on. */
const ENTRY_ID = 0;

/** Enough for the C core, the BPF stack and a few maps. */
const RAM_MIB = 4;

export class DifferentialBench {
  readonly #contestants: readonly [Contestant, Contestant];
  readonly #machines: readonly [BareMachine, BareMachine];

  constructor(
    contestants: readonly [Contestant, Contestant],
    machines: readonly [BareMachine, BareMachine],
  ) {
    this.#contestants = contestants;
    this.#machines = machines;
    // Both machines allocate for both engines, so that addresses agree.
    this.#clearOwnMemory();
  }

  /** Text for a person: what differs and where it began; undefined if nothing does. */
  compare(tree: CaseTree): string | undefined {
    const outcomes = this.#contestants.map(({ engine }, i) =>
      runCase(tree, engine, this.#machines[i]!),
    ) as [Outcome, Outcome];
    const difference = this.#difference(outcomes);
    for (const outcome of outcomes) outcome.release();
    if (difference === undefined) return undefined;
    this.#makeRamEqual();
    const hex = Buffer.from(encodeInsns(outcomes[0].insns)).toString('hex');
    const packet = Buffer.from(tree.packet).toString('hex');
    return `${difference}\n${this.#divergence(tree, outcomes[0].insns)}
insns ${hex}\npacket ${packet}`;
  }

  #difference([a, b]: [Outcome, Outcome]): string | undefined {
    const [first, second] = this.#contestants.map(({ engine }) => engine.name);
    if (a.r0 !== b.r0) return `r0: ${first} ${show(a.r0)}, ${second} ${show(b.r0)}`;
    const guard = this.#machines.findIndex(
      ({ ram }) => Buffer.compare(ram.u8.subarray(0, NULL_GUARD_BYTES), NO_BYTES) !== 0,
    );
    if (guard >= 0) return `${guard === 0 ? first : second} wrote through NULL`;
    this.#clearOwnMemory();
    const [ramA, ramB] = this.#machines.map(({ ram }) => Buffer.from(ram.u8.buffer));
    if (ramA!.compare(ramB!, CORE_RESERVED_BYTES, undefined, CORE_RESERVED_BYTES) === 0) {
      return undefined;
    }
    let at = CORE_RESERVED_BYTES;
    while (ramA![at] === ramB![at]) at++;
    return `RAM at 0x${at.toString(16)}: ${first} ${ramA![at]}, ${second} ${ramB![at]}`;
  }

  #clearOwnMemory(): void {
    for (const { ownMemory } of this.#contestants) {
      for (const { ram, runtime } of this.#machines) {
        for (const { offset, sizeBytes } of ownMemory?.(runtime) ?? []) {
          ram.u8.fill(0, offset, offset + sizeBytes);
        }
      }
    }
  }

  /** What one case left different must not fail the next, smaller one. */
  #makeRamEqual(): void {
    const [from, to] = this.#machines.map(({ ram }) => ram.u8.subarray(CORE_RESERVED_BYTES));
    to!.set(from!);
  }

  #divergence(tree: CaseTree, insns: readonly Insn[]): string {
    const traces = this.#contestants.map(({ traced }, i) => {
      const steps: Step[] = [];
      const engine = traced((step) => {
        if (steps.length < 100_000) steps.push(step);
      });
      runCase(tree, engine, this.#machines[i]!).release();
      return steps;
    }) as [Step[], Step[]];
    const [a, b] = traces;
    const parted = a.findIndex((step, i) => !sameStep(step, b[i]));
    if (parted < 0) return 'no divergence while single-stepping';
    const before = a[Math.max(0, parted - 1)]!;
    return [
      `first divergent instruction: ${before.slot}: ${disasmInsn(insns, before.slot)}`,
      `before: ${before.registers.map(show).join(' ')}`,
      ...[a, b].map((trace, i) => {
        const step = trace[parted];
        const name = this.#contestants[i]!.engine.name;
        return `${name}: ${step ? `${step.slot}: ${step.registers.map(show).join(' ')}` : 'ended'}`;
      }),
    ].join('\n');
  }
}

export async function differentialBench(a: Contestant, b: Contestant): Promise<DifferentialBench> {
  const machine = (): Promise<BareMachine> => bareMachine({ ramMiB: RAM_MIB });
  return new DifferentialBench([a, b], [await machine(), await machine()]);
}

const show = (value: bigint | string): string =>
  typeof value === 'string' ? value : BigInt.asUintN(64, value).toString(16);

/** r1 to r5 are undefined after a call, r0 before the first write: compared at their last use. */
function sameStep(a: Step, b: Step | undefined): boolean {
  return b !== undefined && a.slot === b.slot && a.registers.every((r, i) => r === b.registers[i]);
}

function runCase(tree: CaseTree, engine: Engine, { ram, kernel, runtime }: BareMachine): Outcome {
  const maps = MAPS.map((type) => makeMap(runtime, mapSpec(type, MAP_ENTRIES, VALUE_BYTES)));
  const programs = makeMap(runtime, mapSpec('prog_array', tree.tails.length + 1, 4));
  const executables = new Map<number, Executable>();
  const compile = (program: ProgramTree, id: number): void => {
    const rendered = render(program, { context: 'pointers' });
    executables.set(id, engine.compile(verifiedOf(rendered, maps, programs), runtime));
  };
  const packet = ram.kzalloc(Math.max(8, tree.packet.length));
  ram.u8.set(tree.packet, packet);
  const ctx = ram.kzalloc(16);
  ram.writePointer(ctx, packet);
  ram.writePointer((ctx + 8) as RamOffset, (packet + tree.packet.length) as RamOffset);
  const lookup = runtime.executableOf;
  runtime.executableOf = (id) => executables.get(id);
  kernel.setCpu(tree.cpu);
  kernel.clockNs += 1000;
  let r0: bigint | string;
  try {
    tree.tails.forEach((tail, index) => {
      compile(tail, index + 1);
      setProgram(runtime, programs, index, index + 1);
    });
    compile(tree.program, ENTRY_ID);
    r0 = executables.get(ENTRY_ID)!.run64(ctx);
  } catch (error) {
    r0 = error instanceof BpfOops ? 'oops' : String(error);
  }
  runtime.executableOf = lookup;
  // Where the JIT found targets of tail calls is not a result.
  engineState(runtime).programs.forget();
  const release = (): void => {
    ram.kfree(ctx);
    ram.kfree(packet);
    for (const executable of executables.values()) executable.free();
    for (const map of [programs, ...maps]) map.free();
  };
  return { r0, insns: render(tree.program, { context: 'pointers' }).insns, release };
}

function makeMap(runtime: BpfRuntime, spec: MapSpec): BpfMap {
  const map = createMap(runtime, spec);
  if (typeof map === 'number') throw new Error(`making a ${spec.type}: ${map}`);
  return map;
}

function setProgram({ ram }: BpfRuntime, programs: BpfMap, index: number, id: number): void {
  const pair = ram.kzalloc(8);
  ram.view.setUint32(pair, index, true);
  ram.view.setUint32(pair + 4, id, true);
  programs.updateFromUser(pair, (pair + 4) as RamOffset, 0);
  ram.kfree(pair);
}

/** With the map addresses filled in and the facts that a verifier would give. */
function verifiedOf(
  { insns, fixups }: Rendered,
  maps: readonly BpfMap[],
  programs: BpfMap,
): VerifiedProgram {
  const resolved = [...insns];
  const facts: Record<number, Omit<InsnFact, 'original'>> = {};
  for (const fixup of fixups) {
    const map = fixup.map === 'programs' ? programs : maps[fixup.map]!;
    const address = KERNEL_BASE + BigInt(map.offset);
    const low = Number(BigInt.asIntN(32, address));
    resolved[fixup.insn] = { ...resolved[fixup.insn]!, imm: low };
    resolved[fixup.insn + 1] = {
      ...resolved[fixup.insn + 1]!,
      imm: Number(BigInt.asIntN(32, address >> 32n)),
    };
    // The next call in the line takes this map.
    const call = resolved.findIndex(({ code }, slot) => slot > fixup.insn && code === 0x85);
    facts[call] = { map };
  }
  return unverifiedProgram(resolved, { facts, stackBytes: FRAME_BYTES });
}
