/**
 * Programs for the embedding check: those of the oracle (structured and mutated) and the random
 * trees of the differential tests, with more packets than these bring along.
 */
import fc from 'fast-check';
import { programs } from '../../differential/generator.ts';
import { MAPS } from '../../differential/engines.ts';
import { requestOf } from '../../differential/request.ts';
import { generate } from '../../oracle/generate/generate.ts';
import { Random } from '../../oracle/generate/random.ts';
import type { RequestJson, RunJson } from '../../oracle/request.ts';

export const SOURCES = ['structured', 'mutated', 'trees'] as const;
export type Source = (typeof SOURCES)[number];

const MORE_PACKETS = 3;

/** The same for the same arguments. */
export function programsOf(source: Source, count: number, seed: number): RequestJson[] {
  const requests = source === 'trees' ? trees(count, seed) : generate(count, seed, source);
  return requests.map((request, i) => withPackets(request, new Random(seed * 1_000_003 + i)));
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

function withPackets(request: RequestJson, random: Random): RequestJson {
  if (!request.run?.length) return request;
  const more = Array.from({ length: MORE_PACKETS }, (): RunJson => {
    const bytes = random.pick([14, 15, 20, 34, 42, 64, 65, 100, 200]);
    const fill = random.pick(['random', 'random', '00', 'ff']);
    return { data_in: fill === 'random' ? random.hex(bytes) : fill.repeat(bytes) };
  });
  return { ...request, run: [...request.run, ...more] };
}
