import { readFileSync } from 'node:fs';
import { beforeAll, expect, test } from 'vitest';
import { coreModule } from '../../test/support/assets.ts';
import { bootSession, type ConsoleSession } from '../testing/console.ts';

let session: ConsoleSession;
const run = (line: string): Promise<string> => session.run(line);
const type = (keys: string): void =>
  session.machine.input({ kind: 'tty', data: new TextEncoder().encode(keys) });

beforeAll(async () => {
  const object = readFileSync(new URL('../testing/openat_events.bpf.o', import.meta.url));
  const assets = { core: await coreModule() };
  session = await bootSession(assets, { files: { '/root/ev.o': object } });
  expect(await run('bpftool prog loadall ev.o /sys/fs/bpf/ev autoattach')).toBe('');
});

test('links of tracepoints and raw tracepoints are shown', async () => {
  const text = await run('bpftool link show');
  expect(text).toMatch(/\d+: perf_event {2}prog \d+ {2}\n/);
  expect(text).toMatch(/\d+: raw_tracepoint {2}prog \d+ {2}\n\ttp 'sched_switch' {2}\n/);
});

test('rbdump reads a ring buffer by its BTF type, in hex, and as JSON', async () => {
  await run('rbdump ring; cat /etc/hostname > /dev/null');
  const typed = await run('rbdump name ring');
  expect(typed).toMatch(/\{\n {4}"pid": \d+,\n {4}"cookie": 305419896,\n {4}"comm": "cat"\n\}\n/);
  await run('cat /etc/hostname > /dev/null');
  const lines = (await run('rbdump -j ring')).trimEnd().split('\n');
  const events = lines.map((line) => JSON.parse(line) as { comm: string });
  expect(events.map(({ comm }) => comm)).toContain('cat');
  await run('cat /etc/hostname > /dev/null');
  expect(await run('rbdump -x ring | grep -c "78 56 34 12"')).toMatch(/^[1-9]\d*\n$/);
  expect(await run('rbdump -t nope ring')).toBe(
    "rbdump: no type 'nope' in the BTF that belongs to the map\n",
  );
  expect(await run('rbdump events')).toBe('rbdump: map name events: not a ring buffer\n');
});

test('rbdump -f waits for records, until interrupted', async () => {
  await run('rbdump ring > /dev/null');
  session.take();
  type('(sleep 0.1; cat /etc/hosts > /dev/null) & rbdump -fj ring\r');
  await session.pass(1e9);
  expect(session.take()).toContain('"comm":"cat"');
  await session.type('\x03');
  expect(await run('echo back')).toBe('back\n');
});

test('event_pipe shows the records of a perf event array', async () => {
  type('(sleep 0.1; cat /etc/hosts > /dev/null) & bpftool map event_pipe name events\r');
  await session.pass(1e9);
  const text = session.take().replaceAll('\r', '');
  // "cat" in the event's comm, by its bytes.
  expect(text).toMatch(
    /== @\d+\.\d{9} CPU: \d+ index: \d+ =====\n[0-9a-f ]{8,}.*78 56 34 12 {2}63 61 74 00/,
  );
  await session.type('\x03');
  expect(await run('echo back')).toBe('back\n');
});

test('bpftool perf show finds events that a process holds', async () => {
  expect(await run('bpftool perf show; echo $?')).toMatch(/0\n$/);
  expect(await run('rm -r /sys/fs/bpf/ev; bpftool link show; bpftool prog show')).toBe('');
});
