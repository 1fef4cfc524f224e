/**
 * Random programs on a hundred packets each: result and packet bytes are the interpreter's. More of
 * them: SKEP_FUZZ_RUNS=20000 SKEP_FUZZ_SEED=7 npx vitest run hw/x86/packets
 */
import { it } from 'vitest';
import { agreeOnPackets, numRuns } from '../../test/differential/packets.ts';
import { createX86Engine } from './engine.ts';

it('programs do the same to a hundred packets', { timeout: 60_000 + 100 * numRuns }, async () => {
  await agreeOnPackets(createX86Engine({ poison: true }));
});
