/**
 * Programs for the embedding check: those of the oracle (structured and mutated) and the random
 * trees of the differential tests, with more packets than these bring along, and contexts for what no
 * test run runs.
 */
import fc from 'fast-check';
import { programs } from '../../differential/generator.ts';
import { MAPS } from '../../differential/engines.ts';
import { requestOf } from '../../differential/request.ts';
import { generate } from '../../oracle/generate/generate.ts';
import { Random } from '../../oracle/generate/random.ts';
import type { RequestJson, RunJson } from '../../oracle/request.ts';
import type { CheckedRequest } from './embedding.ts';

export const SOURCES = ['structured', 'mutated', 'trees'] as const;
export type Source = (typeof SOURCES)[number];

const MORE_PACKETS = 3;

/** The same for the same arguments. */
export function programsOf(source: Source, count: number, seed: number): CheckedRequest[] {
  const requests = source === 'trees' ? trees(count, seed) : generate(count, seed, source);
  return requests.map((request, i) => withInputs(request, new Random(seed * 1_000_003 + i)));
}

function trees(count: number, seed: number): RequestJson[] {
  const options = {
    packets: true,
    subprogs: 3,
    maps: MAPS.length,
    helpers: [5, 7, 8],
    tails: 2,
    level: '6.1',
  } as const;
  return fc
    .sample(programs(options), { seed, numRuns: count })
    .map(
      (tree, i) =>
        requestOf(tree, { id: `tree-${seed}-${i}`, maps: true, tails: true }) as RequestJson,
    );
}

/** Types whose context is plain bytes, which BPF_PROG_TEST_RUN of 6.1 does not run. */
const PLAIN_CONTEXT = new Set<unknown>(['kprobe', 'tracepoint', 'raw_tracepoint']);
const CONTEXTS = 3;

function withInputs(request: RequestJson, random: Random): CheckedRequest {
  if (PLAIN_CONTEXT.has(request.prog_type)) {
    const contexts = Array.from({ length: CONTEXTS }, () => random.hex(256));
    return { ...request, contexts: [...contexts, '00'] };
  }
  if (!request.run?.length) return request;
  const more = Array.from({ length: MORE_PACKETS }, (): RunJson => {
    const bytes = random.pick([14, 15, 20, 34, 42, 64, 65, 100, 200]);
    const fill = random.pick(['random', 'random', '00', 'ff']);
    return { data_in: fill === 'random' ? random.hex(bytes) : fill.repeat(bytes) };
  });
  return { ...request, run: [...request.run, ...more] };
}
