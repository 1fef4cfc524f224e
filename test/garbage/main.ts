/** `node tools/garbage.mjs N [SEED] [KIND…]`: see garbage.ts. Exit status 1 where something hurt. */
import { readFileSync } from 'node:fs';
import { buildNative } from '../../tools/build-native.mjs';
import { throwGarbage } from './garbage.ts';
import { STREAM_KINDS, type StreamKind } from './streams.ts';

const PROGRESS_EVERY = 10_000;

export async function main(argv: readonly string[]): Promise<number> {
  const count = Number(argv[0]);
  const seed = Number(argv[1] ?? 1);
  const kinds = argv.slice(2) as StreamKind[];
  const known = kinds.every((kind) => STREAM_KINDS.includes(kind));
  if (!Number.isInteger(count) || count < 1 || !Number.isInteger(seed) || !known) {
    console.error(`usage: node tools/garbage.mjs N [SEED] [${STREAM_KINDS.join(' | ')}]…`);
    return 2;
  }
  const core = new WebAssembly.Module(readFileSync(await buildNative()));
  const progress = (done: number): void => {
    if (done % PROGRESS_EVERY === 0) console.error(`${done} of ${count}`);
  };
  try {
    const outcomes = throwGarbage(core, {
      count,
      seed,
      progress,
      ...(kinds.length > 0 && { kinds }),
    });
    for (const [kind, { programs, accepted, refusals }] of Object.entries(outcomes)) {
      if (programs === 0) continue;
      const why = Object.entries(refusals).map(([errno, times]) => `${errno} ${times}`);
      console.log(`${kind}: ${programs} programs, ${accepted} accepted and run; ${why.join(', ')}`);
    }
    return 0;
  } catch (error) {
    console.error((error as Error).message);
    console.error((error as { cause?: Error }).cause?.stack);
    return 1;
  }
}
