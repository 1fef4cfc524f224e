/**
 * `skep bench engine`: what compiling costs, what calls of helpers, callbacks and other programs
 * cost, and what inlining saves.
 */
import { assemble } from '../../bpf/asm/assemble.ts';
import { createInterpreter } from '../../bpf/interp/interp.ts';
import type { Engine, Executable } from '../../bpf/engine.ts';
import type { Insn } from '../../bpf/isa/insn.ts';
import { createWasmJit } from '../../bpf/jit/jit.ts';
import type { BpfMap } from '../../bpf/maps/map.ts';
import { createMap } from '../../bpf/maps/table.ts';
import type { InsnFact, VerifiedProgram } from '../../bpf/program.ts';
import { uapi, type MapType } from '../../bpf/uapi.ts';
import { KERNEL_BASE } from '../../kernel/ram/ram.ts';
import type { RamOffset } from '../../kernel/types/units.ts';
import type { Bench, BenchRow } from '../../ui/cli/bench.ts';
import { bareMachine, coreModule, type BareMachine } from '../support/assets.ts';
import { unverifiedProgram } from '../support/unverified.ts';
import { measureNs } from './measure.ts';
import { loadProgram, type ProgramName } from './program-rig.ts';

const NULL = 0 as RamOffset;
const { MAX_TAIL_CALL_CNT } = uapi;

interface Engines {
  readonly interp: Engine;
  readonly wasm: Engine;
  readonly wasmCalling: Engine;
}

const engines = (): Engines => ({
  interp: createInterpreter(),
  wasm: createWasmJit(),
  wasmCalling: createWasmJit({ inline: false }),
});

function runNs(executable: Executable): number {
  const ns = measureNs(() => executable.run(NULL));
  executable.free();
  return ns;
}

/** Instructions without the second halves of ld_imm64. */
const lengthOf = ({ insns }: VerifiedProgram): number =>
  insns.filter(({ code }) => code !== 0).length;

const [JUMP, EXIT] = assemble('goto pc+0\n exit') as [Insn, Insn];

/** Twenty parsers and sorters, one after the other; a run with no context passes them all over. */
function longProgram(programs: readonly VerifiedProgram[]): VerifiedProgram {
  const once = programs.flatMap(({ insns }) => {
    const last = insns.length - 1;
    // Each exit becomes a jump to the end of its copy.
    return insns.map((insn, slot) =>
      insn.code === EXIT.code ? { ...JUMP, off: last - slot } : insn,
    );
  });
  const copies = Array.from({ length: 20 }, () => once);
  const head = assemble('r0 = 0\n if r1 != 0 goto pc+1\n exit');
  return unverifiedProgram([...head, ...copies.flat(), EXIT]);
}

async function compileTime({ wasm }: Engines): Promise<BenchRow[]> {
  const assets = { core: await coreModule() };
  const loaded = (['percpu', 'hash', 'parse', 'sort'] as ProgramName[]).map((name) => {
    const { verified, runtime } = loadProgram(assets, name, createInterpreter());
    return { name, verified, runtime };
  });
  const [, , parse, sort] = loaded.map(({ verified }) => verified);
  const long = {
    name: 'long',
    verified: longProgram([parse!, sort!]),
    runtime: loaded[0]!.runtime,
  };
  return [...loaded, long].map(({ name, verified, runtime }) => {
    const count = lengthOf(verified);
    // V8 compiles when code is first run, which belongs to the price.
    const compile = (): void => {
      const executable = wasm.compile(verified, runtime);
      executable.run(NULL);
      executable.free();
    };
    return {
      name: `engine compile ${name} (${count} insns)`,
      value: (measureNs(compile) / 1e6 / count) * 100,
      unit: 'ms/100 insns',
      target: '<= 1',
    };
  });
}
const ROUNDS = 1000;

/** `body` in a loop of 1000 rounds; r6 counts, r7 is free. */
const looped = (body: string, after = ''): readonly Insn[] =>
  assemble(`
  r6 = ${ROUNDS}
  r7 = 0
  *(u32 *)(r10 -4) = 1
loop:
  ${body}
  r6 += -1
  if r6 != 0 goto loop
  r0 = r7
  exit
  ${after}`);

const CALLING = looped('r1 = r6\n r2 = r7\n call add\n r7 = r0', 'add: r0 = r1\n r0 += r2\n exit');

interface CallBench {
  readonly name: string;
  readonly insns: readonly Insn[];
  readonly map?: BpfMap;
  /** Ratio that inlining must reach. */
  readonly target?: string;
}

function callBenches({ runtime }: BareMachine): CallBench[] {
  const lookup = (type: MapType, target?: string): CallBench => {
    const spec = { type, keyBytes: 4, valueBytes: 8, maxEntries: 64, flags: 0, name: type };
    const map = createMap(runtime, spec);
    if (typeof map === 'number') throw new Error(`making a ${type}: ${map}`);
    const insns = looped(`
      r1 = ${KERNEL_BASE + BigInt(map.offset)} ll
      r2 = r10
      r2 += -4
      call 1
      if r0 == 0 goto missing
      r1 = *(u64 *)(r0 +0)
      r7 += r1
    missing:`);
    return target === undefined
      ? { name: `${type} lookup`, insns, map }
      : { name: `${type} lookup`, insns, map, target };
  };
  return [
    lookup('array', '>= 3'),
    lookup('percpu_array'),
    lookup('hash'),
    lookup('lru_hash'),
    { name: 'call of a subprogram', insns: CALLING },
    { name: 'get_smp_processor_id', insns: looped('call 8\n r7 += r0') },
    { name: 'ktime_get_ns', insns: looped('call 5\n r7 += r0') },
    {
      name: 'bpf_loop round',
      insns: assemble(`
        r1 = ${ROUNDS}
        r2 = func(body)
        r3 = 0
        r4 = 0
        call 181
        exit
      body:
        r0 = 0
        exit`),
    },
  ];
}

function calls({ wasm, wasmCalling }: Engines, machine: BareMachine): BenchRow[] {
  return callBenches(machine).flatMap(({ name, insns, map, target }): BenchRow[] => {
    const facts: Record<number, Omit<InsnFact, 'original'>> = {};
    const call = insns.findIndex(({ code, imm }) => code === 0x85 && imm === 1);
    if (map !== undefined) facts[call] = { map };
    const program = unverifiedProgram(insns, { facts });
    const [called, inlined] = [wasmCalling, wasm].map(
      (engine) => runNs(engine.compile(program, machine.runtime)) / ROUNDS,
    ) as [number, number];
    const ratio = {
      name: `engine inlined/called ${name}`,
      value: called / inlined,
      unit: 'times faster',
      against: 'called',
    };
    return [
      { name: `engine called ${name}`, value: called, unit: 'ns' },
      { name: `engine inlined ${name}`, value: inlined, unit: 'ns' },
      target === undefined ? ratio : { ...ratio, target },
    ];
  });
}

function runs({ interp, wasm }: Engines, { runtime }: BareMachine): BenchRow[] {
  const program = unverifiedProgram(assemble('r0 = 2\n exit'));
  return [interp, wasm].map((engine) => ({
    name: `engine ${engine.name} run of XDP_PASS`,
    value: runNs(engine.compile(program, runtime)),
    unit: 'ns',
  }));
}

/** A program that tail-calls itself until the limit of 33. */
function tailCalls({ interp, wasm }: Engines, { runtime }: BareMachine): BenchRow[] {
  const spec = { keyBytes: 4, valueBytes: 4, maxEntries: 1, flags: 0, name: 'programs' };
  const programs = createMap(runtime, { type: 'prog_array', ...spec });
  if (typeof programs === 'number') throw new Error(`making a prog_array: ${programs}`);
  const pair = runtime.ram.kzalloc(8);
  runtime.ram.view.setUint32(pair + 4, 1, true);
  programs.updateFromUser(pair, (pair + 4) as RamOffset, 0);
  const insns = assemble(`
    r2 = ${KERNEL_BASE + BigInt(programs.offset)} ll
    r3 = 0
    call 12
    r0 = 0
    exit`);
  const lookup = runtime.executableOf;
  const rows = [interp, wasm].map((engine) => {
    const executable = engine.compile(unverifiedProgram(insns), runtime);
    runtime.executableOf = () => executable;
    return {
      name: `engine ${engine.name} tail call`,
      value: runNs(executable) / MAX_TAIL_CALL_CNT,
      unit: 'ns',
    };
  });
  runtime.executableOf = lookup;
  return rows;
}

export const engineBench: Bench = {
  names: ['engine interp', 'engine wasm', 'engine compile', 'engine called', 'engine inlined'],
  async run() {
    const all = engines();
    const machine = await bareMachine({ ramMiB: 16 });
    return [
      ...(await compileTime(all)),
      ...runs(all, machine),
      ...calls(all, machine),
      ...tailCalls(all, machine),
    ];
  },
};
