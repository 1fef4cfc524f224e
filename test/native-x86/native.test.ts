/**
 * Machine code on the host's own processor gives what the interpreter gives: every instruction, and
 * random programs with packets, subprograms, maps and helpers. Skipped where the host is no x86-64
 * Linux or has no C compiler. More: SKEP_FUZZ_RUNS=5000 SKEP_FUZZ_SEED=7 npx vitest run …
 */
import fc from 'fast-check';
import { beforeAll, describe, expect, it } from 'vitest';
import { assemble } from '../../bpf/asm/assemble.ts';
import type { Engine } from '../../bpf/engine.ts';
import { createInterpreter } from '../../bpf/interp/interp.ts';
import { BpfOops } from '../../bpf/program.ts';
import { KERNEL_BASE } from '../../kernel/ram/ram.ts';
import type { RamOffset } from '../../kernel/types/units.ts';
import { createX86Engine } from '../../hw/x86/engine.ts';
import { differentialBench, MAPS, type DifferentialBench } from '../differential/engines.ts';
import { programs, type GeneratorOptions } from '../differential/generator.ts';
import { WORKLOADS } from '../../scenarios/workloads/workloads.ts';
import { bareRuntime } from '../support/bare-runtime.ts';
import { INSTRUCTION_CASES } from '../support/instruction-cases.ts';
import { unverifiedProgram } from '../support/unverified.ts';
import { outcomesOf } from './workload.ts';
import { nativeEngine, XDP_POINTERS } from './native-engine.ts';

const NULL = 0 as RamOffset;
const engine = nativeEngine();
if (engine === undefined) {
  console.warn('skipped: machine code on this processor needs x86-64 Linux and gcc');
}
const numRuns = Number(process.env.SKEP_FUZZ_RUNS ?? 40);
const seed = Number(process.env.SKEP_FUZZ_SEED ?? 1);
const timeout = 60_000 + 500 * numRuns;

describe.skipIf(engine === undefined)('on the host’s processor', { timeout }, () => {
  const native = engine!;

  it('every instruction case', () => {
    const runtime = bareRuntime();
    const wrong = INSTRUCTION_CASES.flatMap(({ name, insns, r0 }) => {
      const result = native.compile(unverifiedProgram(insns), runtime).run64(NULL);
      const seen = BigInt.asUintN(64, result);
      return seen === r0 ? [] : [`${name}: ${seen.toString(16)} for ${r0.toString(16)}`];
    });
    expect(wrong).toEqual([]);
  });

  it('a fault is an oops, and nothing worse', () => {
    const runtime = bareRuntime();
    const load = (address: bigint): string => `r1 = ${address} ll\n r0 = *(u64 *)(r1 +0)\n exit`;
    for (const address of [0n, 8n, KERNEL_BASE + 2n ** 40n, 2n ** 62n]) {
      const program = native.compile(unverifiedProgram(assemble(load(address))), runtime);
      expect(() => program.run(NULL)).toThrow(BpfOops);
    }
    const fine = native.compile(unverifiedProgram(assemble('r0 = 7\n exit')), runtime);
    expect(fine.run(NULL)).toBe(7);
  });

  it.each(WORKLOADS)('workload $name: verdicts, packets and maps', async (workload) => {
    const expected = await outcomesOf(workload, createInterpreter());
    expect(await outcomesOf(workload, nativeEngine(XDP_POINTERS)!)).toEqual(expected);
  });

  describe('random programs', () => {
    let bench: DifferentialBench;
    beforeAll(async () => {
      const interpreter = createInterpreter();
      const x86 = createX86Engine();
      const contestant = (of: Engine) => ({ engine: of, traced: () => of });
      bench = await differentialBench(contestant(interpreter), {
        ...contestant(native),
        ownMemory: (runtime) => x86.ownMemory(runtime),
      });
    });
    const agreeOn = (options: GeneratorOptions): void => {
      const property = fc.property(programs(options), (tree) => {
        expect(bench.compare(tree)).toBeUndefined();
      });
      fc.assert(property, { seed, numRuns });
    };

    it('of arithmetic, stack and branches', () => agreeOn({}));
    it('with packets and subprograms', () => agreeOn({ packets: true, subprogs: 4 }));
    it('with map operations and helpers', () => {
      agreeOn({ maps: MAPS.length, helpers: [5, 7, 8] });
    });
  });
});
