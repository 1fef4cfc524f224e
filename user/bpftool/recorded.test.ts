/**
 * A session of Debian's bpftool 7.1 on a real Linux 6.1.192, command by command: the same words on
 * this machine give the same text and status, text and JSON, but for what is each machine's own.
 */
import { readFileSync } from 'node:fs';
import { beforeAll, describe, expect, it } from 'vitest';
import { coreModule } from '../../test/support/assets.ts';
import { comparable } from '../../test/support/bpftool-text.ts';
import { bootSession } from '../testing/console.ts';

interface Recorded {
  readonly command: string;
  readonly output: string;
  readonly status: number;
}

const file = (name: string) => readFileSync(new URL(name, import.meta.url));
const recorded = file('linux-6.1.recorded.jsonl')
  .toString()
  .trim()
  .split('\n')
  .map((line) => JSON.parse(line) as Recorded);

let ours: Recorded[];

beforeAll(async () => {
  const objects = ['counts', 'maps_iter'].map((name) => `${name}.bpf.o`);
  const files = Object.fromEntries(objects.map((name) => [`/${name}`, file(`testing/${name}`)]));
  const session = await bootSession({ core: await coreModule() }, { files });
  ours = [];
  for (const { command } of recorded) {
    const text = await session.run(`${command} 2>&1; echo "@@ $?"`);
    const [, output = '', status] = /^([^]*)@@ (\d+)\s*$/.exec(text.replaceAll('\r\n', '\n')) ?? [];
    ours.push({ command, output, status: Number(status) });
  }
}, 60_000);

describe('bpftool, as Debian’s', () => {
  it.each(recorded.map((row, i) => [`${i} ${row.command}`, row, i] as const))('%s', (_, row, i) => {
    const { output, status } = ours[i]!;
    expect(comparable(output)).toBe(comparable(row.output));
    expect(status).toBe(row.status);
  });
});
