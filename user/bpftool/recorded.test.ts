/**
 * A session of Debian's bpftool 7.1 on a real Linux 6.1.192, command by command: the same words on
 * this machine give the same text and status, text and JSON, but for what is each machine's own.
 */
import { readFileSync } from 'node:fs';
import { beforeAll, describe, expect, it } from 'vitest';
import { coreModule } from '../../test/support/assets.ts';
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

/** Without ids, addresses of the kernel's functions, sizes of code and memory, times, and libbpf's advice of the time of 7.1. */
function comparable(text: string): string {
  return text
    .replace(/^Warning: bpftool is now running in libbpf strict mode[^]*?\n\n/gm, '')
    .replace(/^ +\[autoattach\]\n/gm, '')
    .replace(/(memlock|jited|xlated|size) \d+B/g, '$1 N')
    .replace(/("bytes_(?:memlock|jited|xlated)":\s*)\d+/g, '$1N')
    .replace(/loaded_at \S+/g, 'loaded_at T')
    .replace(/("loaded_at":\s*)\d+/g, '$1T')
    .replace(/^\d+: /gm, 'N: ')
    .replace(/(call \w*_map_\w+#)\d+/g, '$1N')
    .replace(/map\[id:\d+\]/g, 'map[id:N]')
    .replace(/^( {7}85 00 00 00)( \w\w){4}$/gm, '$1 N')
    .replace(/^( {7}18 [12]\d 00 00) \w\w/gm, '$1 N')
    .replace(/("disasm":"\((?:85\) call \w*_map_|18\) r\d = map)[^]*?"imm":)\[[^\]]*\]/g, '$1[N]')
    .replace(/((?:btf|prog)_id|\bid|\bprog|map_ids|prog_ids) [\d,]+/g, '$1 N')
    .replace(/("(?:btf_id|prog_id|id)":\s*)\d+/g, '$1N')
    .replace(/("map_ids":\s*)\[[^\]]*\]/g, '$1[N]')
    .replace(/(duration[^:]*: )\d+ns/g, '$1N');
}

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
