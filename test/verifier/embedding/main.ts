/**
 * The state embedding check on many random programs:
 *
 *   npx tsx test/verifier/embedding/main.ts COUNT [--seed N] [--source structured|mutated|trees]
 *                                                 [--jobs N] [--json FILE]
 *
 * until COUNT programs were accepted, ran and were checked. Prints violations with the request that
 * shows them, then the numbers and what the programs were made of. The same arguments check the same
 * programs, whatever the number of threads. Exit status 1: there are violations.
 */
import { writeFileSync } from 'node:fs';
import { availableParallelism } from 'node:os';
import { parseArgs } from 'node:util';
import { Worker } from 'node:worker_threads';
import { bundledFile } from '../../../tools/bundle.mjs';
import type { HostAssets } from '../../../kernel/config.ts';
import { sum } from '../../oracle/statistics.ts';
import { coreModule } from '../../support/assets.ts';
import { PRUNINGS } from './claims.ts';
import { SOURCES } from './programs.ts';
import type { Round, RoundResult } from './round.ts';

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    seed: { type: 'string' },
    source: { type: 'string' },
    jobs: { type: 'string' },
    json: { type: 'string' },
  },
});
const wanted = Number(positionals[0] ?? 1000);
const firstSeed = Number(values.seed ?? 1);
const sources = SOURCES.filter((each) => values.source === undefined || each === values.source);

const roundAt = (index: number): Round => ({
  source: sources[index % sources.length]!,
  seed: firstSeed + Math.floor(index / sources.length),
});

/** Rounds in order; a result that comes early waits for its turn. */
async function checkAll(report: (result: RoundResult) => boolean): Promise<void> {
  const file = await bundledFile('test/verifier/embedding/worker.ts');
  const workerData: HostAssets = { core: await coreModule() };
  const early = new Map<number, RoundResult>();
  let given = 0;
  let taken = 0;
  await new Promise<void>((resolve, reject) => {
    const workers = Array.from({ length: Number(values.jobs ?? availableParallelism()) }, () => {
      const worker = new Worker(file, { workerData });
      let round = 0;
      const giveRound = (): void => {
        round = given++;
        worker.postMessage(roundAt(round));
      };
      worker.on('error', reject);
      worker.on('message', (result: RoundResult) => {
        early.set(round, result);
        for (let next = early.get(taken); next; next = early.get(taken)) {
          early.delete(taken++);
          if (!report(next)) continue;
          for (const each of workers) void each.terminate();
          resolve();
          return;
        }
        giveRound();
      });
      giveRound();
      return worker;
    });
  });
}

let total = { numbers: { checked: 0 }, coverage: {} } as Pick<RoundResult, 'numbers' | 'coverage'>;
let violating = 0;
await checkAll(({ numbers, coverage, violating: found }) => {
  total = sum(total, { numbers, coverage });
  violating += found.length;
  for (const { request, violations } of found) {
    console.log(`${String(request.id)}:\n  ${violations.join('\n  ')}`);
    console.log(JSON.stringify(request));
  }
  if (values.json !== undefined) {
    writeFileSync(values.json, JSON.stringify({ ...total, violating }, undefined, 2));
  }
  return total.numbers.checked >= wanted;
});

const { numbers, coverage } = total;
console.log(
  `${numbers.accepted} programs accepted, ${numbers.refused} refused; ${numbers.checked} checked in ` +
    `${numbers.runs} runs of ${numbers.steps} instructions, ${numbers.tooLarge} left out as too large`,
);
for (const pruning of PRUNINGS) {
  const { [pruning]: states } = numbers.compared;
  console.log(`${pruning}: ${states} states of ${numbers.programs[pruning]} programs compared`);
}
for (const [group, counts] of Object.entries(coverage)) {
  const names = Object.entries(counts as Record<string, number>).sort((a, b) => b[1] - a[1]);
  console.log(
    `${group} (${names.length}): ${names.map(([n, count]) => `${n} ${count}`).join(', ')}`,
  );
}
console.log(`programs with violations: ${violating}`);
process.exitCode = violating > 0 ? 1 : 0;
