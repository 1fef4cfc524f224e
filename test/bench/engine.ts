/**
 * `skep bench engine`: interpreter against WASM JIT on computation, what compiling costs, what calls
 * cost, and what inlining saves.
 */
import { assemble } from '../../bpf/asm/assemble.ts';
import { createInterpreter } from '../../bpf/interp/interp.ts';
import type { Engine, Executable } from '../../bpf/engine.ts';
import type { Insn } from '../../bpf/isa/insn.ts';
import { createWasmJit } from '../../bpf/jit/jit.ts';
import type { BpfMap } from '../../bpf/maps/map.ts';
import { createMap } from '../../bpf/maps/table.ts';
import type { InsnFact } from '../../bpf/program.ts';
import { uapi, type MapType } from '../../bpf/uapi.ts';
import { KERNEL_BASE } from '../../kernel/ram/ram.ts';
import type { RamOffset } from '../../kernel/types/units.ts';
import type { Bench, BenchRow } from '../../ui/cli/bench.ts';
import { bareMachine, type BareMachine } from '../support/assets.ts';
import { unverifiedProgram } from '../support/unverified.ts';
import { COMPUTE_PROGRAMS } from './engine-programs.ts';
import { geometricMean, measureNs } from './measure.ts';

const NULL = 0 as RamOffset;
const { MAX_TAIL_CALL_CNT } = uapi;

interface Engines {
  readonly interp: Engine;
  readonly wasm: Engine;
  readonly wasmCalling: Engine;
}

async function engines(): Promise<Engines> {
  return {
    interp: createInterpreter(),
    wasm: createWasmJit(),
    wasmCalling: createWasmJit({ inline: false }),
  };
}

function runNs(executable: Executable): number {
  const ns = measureNs(() => executable.run(NULL));
  executable.free();
  return ns;
}

function computation({ interp, wasm }: Engines, { runtime }: BareMachine): BenchRow[] {
  const ratios: number[] = [];
  const rows = COMPUTE_PROGRAMS.flatMap(({ name, insns }): BenchRow[] => {
    const program = unverifiedProgram(insns);
    const interpNs = runNs(interp.compile(program, runtime));
    const wasmNs = runNs(wasm.compile(program, runtime));
    ratios.push(interpNs / wasmNs);
    return [
      { name: `engine interp ${name}`, value: interpNs, unit: 'ns/run' },
      { name: `engine wasm ${name}`, value: wasmNs, unit: 'ns/run' },
      {
        name: `engine wasm/interp ${name}`,
        value: interpNs / wasmNs,
        unit: 'times faster',
        against: 'interp',
      },
    ];
  });
  const [alu] = COMPUTE_PROGRAMS;
  const aluNs = rows[0]!.value;
  return [
    ...rows,
    { name: 'engine interp speed', value: (alu!.steps / aluNs) * 1e3, unit: 'M insns/s' },
    { name: 'engine wasm speed', value: (alu!.steps / rows[1]!.value) * 1e3, unit: 'M insns/s' },
    {
      name: 'engine wasm/interp mean',
      value: geometricMean(ratios),
      unit: 'times faster',
      against: 'interp',
      target: '>= 20',
    },
  ];
}

/** A long program of many blocks: twelve copies of each compute kernel, one after the other. */
function longProgram(): readonly Insn[] {
  const once = COMPUTE_PROGRAMS.filter(({ name }) => name !== 'calls').map(({ insns }) =>
    insns.slice(0, -1),
  );
  const copies = Array.from({ length: 12 }, () => once.flat());
  return [...copies.flat(), ...assemble('exit')];
}

function compileTime({ wasm }: Engines, { runtime }: BareMachine): BenchRow[] {
  return [
    {
      name: 'short',
      insns: COMPUTE_PROGRAMS.slice(0, 5).flatMap(({ insns }) => insns.slice(0, -1)),
    },
    { name: 'long', insns: longProgram() },
  ].map(({ name, insns }) => {
    const program = unverifiedProgram([...insns, ...assemble('exit')]);
    const compile = (): void => wasm.compile(program, runtime).free();
    for (let i = 0; i < 50; i++) compile();
    const ms = measureNs(compile, 50, 5) / 1e6;
    return {
      name: `engine compile ${name} (${program.insns.length} insns)`,
      value: (ms / program.insns.length) * 100,
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
    const all = await engines();
    const machine = await bareMachine({ ramMiB: 16 });
    return [
      ...computation(all, machine),
      ...compileTime(all, machine),
      ...runs(all, machine),
      ...calls(all, machine),
      ...tailCalls(all, machine),
    ];
  },
};
