import fc from 'fast-check';
import { beforeAll, describe, expect, it } from 'vitest';
import type { Engine } from '../../bpf/engine.ts';
import { createInterpreter } from '../../bpf/interp/interp.ts';
import { isaRow, rowOf } from '../../bpf/isa/table.ts';
import { createWasmJit } from '../../bpf/jit/jit.ts';
import type { VerifiedProgram } from '../../bpf/program.ts';
import { differentialBench, MAPS, type Contestant, type DifferentialBench } from './engines.ts';
import { createArmEngine } from '../../hw/arm/engine.ts';
import type { MachineEngine } from '../../hw/cpu/jit/engine.ts';
import { createX86Engine } from '../../hw/x86/engine.ts';
import { programs, type GeneratorOptions } from './generator.ts';

/** More of them, from another seed: SKEP_FUZZ_RUNS=20000 SKEP_FUZZ_SEED=7 npx vitest run … */
const numRuns = Number(process.env.SKEP_FUZZ_RUNS ?? 500);
const seed = Number(process.env.SKEP_FUZZ_SEED ?? 1);
const timeout = 60_000 + 500 * numRuns;

/** UAPI BPF_FUNC_*. */
const KTIME_GET_NS = 5;
const GET_PRANDOM_U32 = 7;
const GET_SMP_PROCESSOR_ID = 8;

const interpreter: Contestant = {
  engine: createInterpreter(),
  traced: (onStep) =>
    createInterpreter({
      onStep: ({ slot, registers }) => onStep({ slot, registers: [...registers] }),
    }),
};
const wasm: Contestant = {
  engine: createWasmJit(),
  traced: (onStep) => createWasmJit({ onStep: (slot, registers) => onStep({ slot, registers }) }),
};

/** Whoever finds them apart steps through the interpreter only. */
const simulated = (engine: MachineEngine): Contestant => ({
  engine,
  traced: () => engine,
  ownMemory: (runtime) => engine.ownMemory(runtime),
});

describe.each([
  ['x86 machine code', simulated(createX86Engine({ poison: true }))],
  [
    'x86 machine code, blinded and without inlining',
    simulated(createX86Engine({ inline: false, blindingSeed: 3 })),
  ],
  ['arm machine code', simulated(createArmEngine({ poison: true }))],
  [
    'arm machine code for a core without LSE, blinded and without inlining',
    simulated(createArmEngine({ inline: false, blindingSeed: 3, lse: false })),
  ],
])('interpreter and %s agree', { timeout }, (_, contestant) => {
  let bench: DifferentialBench;
  beforeAll(async () => {
    bench = await differentialBench(interpreter, contestant);
  });
  const agreeOn = (options: GeneratorOptions): void => {
    const property = fc.property(programs(options), (tree) => {
      expect(bench.compare(tree)).toBeUndefined();
    });
    fc.assert(property, { seed, numRuns: Number(process.env.SKEP_FUZZ_RUNS ?? 50) });
  };

  it('on arithmetic, stack and branches', () => agreeOn({}));
  it('on packets and subprograms', () => agreeOn({ packets: true, subprogs: 4 }));
  it('on loops with two entries', () => agreeOn({ irreducible: true, subprogs: 2 }));
  it('on map operations and helpers', () => {
    agreeOn({ maps: MAPS.length, helpers: [KTIME_GET_NS, GET_SMP_PROCESSOR_ID, GET_PRANDOM_U32] });
  });
  it('on tail calls', () => agreeOn({ tails: 2, subprogs: 2, packets: true }));
});

describe('interpreter and WASM JIT agree', { timeout }, () => {
  let bench: DifferentialBench;
  beforeAll(async () => {
    bench = await differentialBench(interpreter, wasm);
  });

  const agreeOn = (options: GeneratorOptions): void => {
    const property = fc.property(programs(options), (tree) => {
      expect(bench.compare(tree)).toBeUndefined();
    });
    fc.assert(property, { seed, numRuns });
  };

  it('on arithmetic, stack and branches', () => agreeOn({}));
  it('on packets and subprograms', () => agreeOn({ packets: true, subprogs: 4 }));
  it('on loops with two entries', () => agreeOn({ irreducible: true, subprogs: 2 }));
  it('on map operations and helpers', () => {
    agreeOn({ maps: MAPS.length, helpers: [KTIME_GET_NS, GET_SMP_PROCESSOR_ID, GET_PRANDOM_U32] });
  });
  it('on tail calls', () => agreeOn({ tails: 2, subprogs: 2, packets: true }));

  it('and a wrong engine is found out, with the instruction that it gets wrong', async () => {
    const wrongly = (program: VerifiedProgram): VerifiedProgram => ({
      ...program,
      insns: program.insns.map((insn) =>
        rowOf(insn)?.name === 'arsh32_reg' ? { ...insn, code: isaRow('rsh32_reg').code } : insn,
      ),
    });
    const wrong = (engine: Engine): Engine => ({
      ...engine,
      compile: (program, runtime) => engine.compile(wrongly(program), runtime),
    });
    const contestant: Contestant = {
      engine: wrong(interpreter.engine),
      traced: (onStep) => wrong(interpreter.traced(onStep)),
    };
    const bench = await differentialBench(interpreter, contestant);
    const reports: string[] = [];
    const property = fc.property(programs(), (tree) => {
      const report = bench.compare(tree);
      if (report !== undefined) reports.push(report);
      return report === undefined;
    });
    expect(fc.check(property, { seed, numRuns: 2000 }).failed).toBe(true);
    expect(reports.at(-1)).toMatch(/first divergent instruction: \d+: \(cc\) w\d s>>= w\d/);
  });
});
