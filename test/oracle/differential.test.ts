/**
 * A short round of random programs against a real Linux 6.1, where QEMU and its kernel are there or
 * can be installed; skipped, and said so, where not. Programs that only skep refuses are counted.
 */
import { describe, expect, it } from 'vitest';
import { found, openCourt } from './court.ts';
import { generate } from './generate/generate.ts';
import { line } from './report.ts';
import { tally } from './statistics.ts';

const PROGRAMS = 200;
const SEED = 77;
const LIMIT_MS = 60_000;
/** Of PROGRAMS: what 6.1 accepts by an error of its own, mostly around callbacks. */
const MOST_REFUSED = 4;

const court = await openCourt();
if ('missing' in court) console.log(`programs against a real Linux are SKIPPED: ${court.missing}`);

describe.skipIf('missing' in court)('random programs on a real Linux 6.1', () => {
  it(
    'have the same verdicts, messages, counts, results, packets and maps',
    { timeout: LIMIT_MS },
    async () => {
      if ('missing' in court) return;
      const comparisons = await court.compare(generate(PROGRAMS, SEED, 'both'));
      const bad = found(comparisons).filter(({ difference }) => difference.kind !== 'refuses');
      expect(bad.map(line)).toEqual([]);
      const { ran, refusedBySkepOnly } = tally(comparisons);
      expect(refusedBySkepOnly).toBeLessThanOrEqual(MOST_REFUSED);
      expect(ran).toBeGreaterThan(PROGRAMS / 4);
    },
  );
});
