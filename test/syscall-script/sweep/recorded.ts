/** The recorded answers to the sweeps: a line a script, its name, a tab, and words (answers.ts). */
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { packed, unpacked } from './answers.ts';

const PATH = join(import.meta.dirname, 'linux-6.1.recorded.tsv');

/** Words by the name of the script. */
export function readRecorded(): ReadonlyMap<string, readonly string[]> {
  const lines = readFileSync(PATH, 'utf8').trimEnd().split('\n');
  return new Map(
    lines.map((line) => {
      const [name = '', words = ''] = line.split('\t');
      return [name, unpacked(words)];
    }),
  );
}

export function writeRecorded(all: readonly (readonly [name: string, words: readonly string[]])[]) {
  writeFileSync(PATH, all.map(([name, words]) => `${name}\t${packed(words)}\n`).join(''));
}
