/**
 * More of Debian's bpftool 7.1 on a real Linux 6.1.192 (record.ts): graphs, linking, features. Each
 * command gives the same text and status here, but for what is each machine's own.
 */
import { readFileSync } from 'node:fs';
import { beforeAll, describe, expect, it } from 'vitest';
import { bootSession } from '../../user/testing/console.ts';
import { coreModule } from '../support/assets.ts';
import { comparable } from '../support/bpftool-text.ts';
import { COMMANDS, FILES, type Ran } from './session.ts';

const recorded = readFileSync(new URL('linux-6.1.recorded.jsonl', import.meta.url), 'utf8')
  .trimEnd()
  .split('\n')
  .map((line) => JSON.parse(line) as Ran);

/**
 * Without what follows from options that one kernel has and the other has not: remote controls
 * (CONFIG_BPF_LIRC_MODE2) and bpf_override_return (CONFIG_BPF_KPROBE_OVERRIDE), and the options.
 */
const withoutConfig = (text: string): string =>
  text
    .replace(/^CONFIG_\w+ is .*\n/gm, '')
    .replace(/"CONFIG_\w+":(?:"[^"]*"|null),?/g, '')
    .replace(/^.* lirc_mode2 is .*\n/gm, '')
    .replace(/"have_lirc_mode2_prog_type":\w+,/, '')
    .replace(/^.* program type lirc_mode2:\n(?:\t.*\n)+/gm, '')
    .replace(/"lirc_mode2_available_helpers":\[[^\]]*\],/, '')
    .replace(/\t- bpf_override_return\n/g, '')
    .replace(/"bpf_override_return",/g, '');

let ours: Ran[];

beforeAll(async () => {
  const files = Object.fromEntries(
    Object.entries(FILES).map(([name, bytes]) => [`/${name}`, bytes]),
  );
  const session = await bootSession({ core: await coreModule() }, { files });
  ours = [];
  for (const command of COMMANDS) {
    const text = await session.run(`${command} 2>&1; echo "@@ $?"`);
    const [, output = '', status] = /^([^]*)@@ (\d+)\s*$/.exec(text.replaceAll('\r\n', '\n')) ?? [];
    ours.push({ command, output, status: Number(status) });
  }
}, 120_000);

describe('bpftool, as Debian’s', () => {
  it('was asked the same', () => {
    expect(recorded.map(({ command }) => command)).toEqual(COMMANDS);
  });

  it.each(COMMANDS.map((command, i) => [`${i} ${command}`, i] as const))('%s', (_, i) => {
    const same = (text: string) => withoutConfig(comparable(text));
    expect(same(ours[i]!.output)).toBe(same(recorded[i]!.output));
    expect(ours[i]!.status).toBe(recorded[i]!.status);
  });
});
