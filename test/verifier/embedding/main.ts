/**
 * The state embedding check on many random programs:
 *
 *   npx tsx test/verifier/embedding/main.ts COUNT [--seed N] [--source structured|mutated|trees]
 *
 * until COUNT programs were accepted, ran and were checked. Prints violations with the request that
 * shows them, then the numbers. Exit status 1: there are violations.
 */
import { parseArgs } from 'node:util';
import { coreModule } from '../../support/assets.ts';
import { PRUNINGS, type Pruning } from './claims.ts';
import { EmbeddingCheck } from './embedding.ts';
import { programsOf, SOURCES } from './programs.ts';

const ROUND = 100;

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: { seed: { type: 'string' }, source: { type: 'string' } },
});
const wanted = Number(positionals[0] ?? 1000);
const sources = SOURCES.filter((each) => values.source === undefined || each === values.source);

const check = new EmbeddingCheck({ core: await coreModule() });
const compared: Record<Pruning, number> = { 'all-paths': 0, exact: 0, pruned: 0 };
let accepted = 0;
let refused = 0;
let ran = 0;
let steps = 0;
let violating = 0;
for (let seed = Number(values.seed ?? 1); ran < wanted; seed++) {
  for (const request of sources.flatMap((source) => programsOf(source, ROUND, seed))) {
    const outcome = check.run(request);
    if (outcome.accepted) accepted++;
    else refused++;
    if (outcome.steps > 0) ran++;
    steps += outcome.steps;
    for (const pruning of PRUNINGS) compared[pruning] += outcome.compared[pruning];
    if (outcome.violations.length === 0) continue;
    violating++;
    console.log(`${String(request.id)}:\n  ${outcome.violations.join('\n  ')}`);
    console.log(JSON.stringify(request));
  }
}
const states = PRUNINGS.map((pruning) => `${compared[pruning]} (${pruning})`).join(', ');
console.log(
  `${accepted} programs accepted, ${refused} refused; ${ran} ran, ${steps} instructions; ` +
    `states compared: ${states}; programs with violations: ${violating}`,
);
process.exitCode = violating > 0 ? 1 : 0;
