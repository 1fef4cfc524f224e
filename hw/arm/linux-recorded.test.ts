/**
 * The code of a real Linux 6.1.0-57 (Debian's for arm64, under QEMU, mitigations=off) for programs by
 * hand and random ones: ours is the same, byte for byte but for addresses. Recorded by test/linux-jit,
 * which leaves out programs with what a `differs:` comment names, tail calls first.
 */
import { readFileSync } from 'node:fs';
import { beforeAll, expect, it } from 'vitest';
import { arm, compiler, type Compile } from '../../test/linux-jit/code.ts';

interface Recorded {
  readonly insns: string;
  readonly jited: string;
}

const recorded = readFileSync(new URL('linux-6.1.recorded.jsonl', import.meta.url), 'utf8')
  .trim()
  .split('\n')
  .map((line) => JSON.parse(line) as Recorded);
const unhex = (text: string): Uint8Array => Uint8Array.from(Buffer.from(text, 'hex'));

const jit = arm(true);
let compile: Compile;
beforeAll(async () => {
  compile = await compiler(jit.engine);
});

it.each(recorded.map((row, index) => [index, row] as const))('program %d', (_, row) => {
  const code = compile(unhex(row.insns));
  if (typeof code === 'number') throw new Error(`not loaded: ${code}`);
  expect(jit.withoutAddresses(code)).toEqual(jit.withoutAddresses(unhex(row.jited)));
});
