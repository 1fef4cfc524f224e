/**
 * Random programs all the way: loaded through bpf(2), accepted and rewritten by the verifier, test-run
 * in the interpreter, in the JIT and as machine code, which use what the verifier proved. Same answers, bit for bit.
 */
import fc from 'fast-check';
import { beforeAll, describe, expect, it } from 'vitest';
import type { Engine } from '../../bpf/engine.ts';
import { createWasmJit } from '../../bpf/jit/jit.ts';
import { BatchMachine, type BatchAnswer } from '../../ui/cli/batch/answer.ts';
import { parseRequest } from '../../ui/cli/batch/request.ts';
import { createArmEngine } from '../../hw/arm/engine.ts';
import { createX86Engine } from '../../hw/x86/engine.ts';
import { coreModule } from '../support/assets.ts';
import { programs, type GeneratorOptions } from './generator.ts';
import { requestOf } from './request.ts';
import { MAPS } from './engines.ts';

const numRuns = Number(process.env.SKEP_FUZZ_RUNS ?? 150);
const seed = Number(process.env.SKEP_FUZZ_SEED ?? 1);
const timeout = 60_000 + 500 * numRuns;

/** Machine code takes longer to make, and what it does not share with the JIT has tests of its own. */
const ENGINES: readonly (readonly [string, () => Engine, number])[] = [
  ['the JIT', createWasmJit, numRuns],
  ['x86 machine code', createX86Engine, process.env.SKEP_FUZZ_RUNS ? numRuns : 25],
  ['arm machine code', createArmEngine, process.env.SKEP_FUZZ_RUNS ? numRuns : 25],
];

describe.each(ENGINES)(
  'verified programs give the same answers in the interpreter and as %s',
  { timeout },
  (_, createEngine, runs) => {
    let machines: readonly BatchMachine[];
    beforeAll(async () => {
      const assets = { core: await coreModule() };
      machines = [new BatchMachine(assets), new BatchMachine(assets, { engine: createEngine() })];
    });

    /** Most must be accepted, or nothing is compared. */
    const agreeOn = (options: GeneratorOptions, minAccepted: number): void => {
      let accepted = 0;
      const wants = { maps: (options.maps ?? 0) > 0, tails: (options.tails ?? 0) > 0 };
      const property = fc.property(programs({ ...options, level: '6.1' }), (tree) => {
        const json = requestOf(tree, { id: 'generated', ...wants });
        const [a, b] = machines.map((machine) => machine.answer(parseRequest(json)));
        if (a!.ok) accepted++;
        // The request is for pasting into a file for `skep batch`.
        if (visible(a!) !== visible(b!)) {
          throw new Error(`${visible(a!)}\n${visible(b!)}\n${JSON.stringify(json)}`);
        }
      });
      fc.assert(property, { seed, numRuns: runs });
      expect(accepted / runs).toBeGreaterThan(minAccepted);
    };

    it('with packets and subprograms', () => agreeOn({ packets: true, subprogs: 3 }, 0.85));
    it('with maps and helpers', () => agreeOn({ maps: MAPS.length, helpers: [5, 7, 8] }, 0.85));
    it('with tail calls', () => agreeOn({ tails: 2, packets: true }, 0.85));
  },
);

/** What must be equal. */
function visible({ ok, run, maps }: BatchAnswer): string {
  return JSON.stringify({ ok, run, maps });
}
