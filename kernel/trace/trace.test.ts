/** Trace events, the ring and its text, on a running machine and against a real Linux 6.1. */
import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { filterErrorText, parseFilter } from '../../hooks/filter.ts';
import { coreModule } from '../../test/support/assets.ts';
import { bootProgram, runProgram } from '../../test/support/programs.ts';
import type { KernelFlow } from '../sched/flow.ts';
import { bootMachine } from '../machine.ts';
import type { Ns } from '../types/units.ts';
import { schedSwitch } from './events.ts';
import { TraceRing } from './trace-ring.ts';

const formats = JSON.parse(
  readFileSync(new URL('./formats-6.1.json', import.meta.url), 'utf8'),
) as Record<string, string>;

test("every event's format is Linux 6.1's, byte for byte", async () => {
  const machine = await bootMachine({}, { core: await coreModule() });
  const known = new Set(Object.keys(formats).map((name) => name.split(':')[0]));
  const events = machine.tracing.events().filter(({ event }) => known.has(event.system));
  expect(events.length).toBeGreaterThan(300);
  const differing = events.filter((tracepoint) => {
    const text = tracepoint
      .format()
      .replace(/\nID: \d+\n/, '\nID: *\n')
      .trim();
    const hash = createHash('sha256').update(text).digest('hex').slice(0, 16);
    return formats[tracepoint.fullName] !== hash;
  });
  expect(differing.map((tracepoint) => tracepoint.fullName)).toEqual([]);
});

test('the format of sched_switch, in full', async () => {
  const machine = await bootMachine({}, { core: await coreModule() });
  const { schedSwitch } = machine.tracepoints;
  expect(schedSwitch.format()).toBe(`name: sched_switch
ID: ${schedSwitch.id}
format:
\tfield:unsigned short common_type;\toffset:0;\tsize:2;\tsigned:0;
\tfield:unsigned char common_flags;\toffset:2;\tsize:1;\tsigned:0;
\tfield:unsigned char common_preempt_count;\toffset:3;\tsize:1;\tsigned:0;
\tfield:int common_pid;\toffset:4;\tsize:4;\tsigned:1;

\tfield:char prev_comm[16];\toffset:8;\tsize:16;\tsigned:1;
\tfield:pid_t prev_pid;\toffset:24;\tsize:4;\tsigned:1;
\tfield:int prev_prio;\toffset:28;\tsize:4;\tsigned:1;
\tfield:long prev_state;\toffset:32;\tsize:8;\tsigned:1;
\tfield:char next_comm[16];\toffset:40;\tsize:16;\tsigned:1;
\tfield:pid_t next_pid;\toffset:56;\tsize:4;\tsigned:1;
\tfield:int next_prio;\toffset:60;\tsize:4;\tsigned:1;

print fmt: ${schedSwitch.event.printFmt}
`);
});

test('what the trace file shows of a sleep, a fork and a file that is opened', async () => {
  let text = '';
  const { machine, output } = await bootProgram(function* (u) {
    const { tracing } = machine;
    for (const name of ['sched:*', 'sys_enter_openat', 'sys_exit_openat', 'signal:*']) {
      for (const tracepoint of tracing.events(name)) tracepoint.setRecording(true);
    }
    yield* u.call('openat', -100, '/etc/hostname', 0, 0);
    yield* u.sleep(1e6);
    const pid = yield* u.fork(function* () {
      return 0;
    });
    yield* u.wait(pid);
    for (const tracepoint of tracing.events()) tracepoint.setRecording(false);
    text = tracing.traceText();
    yield* u.powerOff();
  });
  machine.run({ untilIdle: true });
  expect(output()).toBe('');
  expect(text.startsWith('# tracer: nop\n#\n# entries-in-buffer/entries-written: ')).toBe(true);
  const lines = text
    .split('\n')
    .filter((line) => line !== '' && !line.startsWith('#'))
    .map((line) => line.replace(/\d+\.\d{6}: /, 'T '));
  const expectLine = (pattern: RegExp) =>
    expect(
      lines.filter((line) => pattern.test(line)),
      lines.join('\n'),
    ).not.toEqual([]);
  const init = String.raw`^ {12}init-1 {7}\[00(\d)\]`;
  const opened = String.raw`sys_openat\(dfd: ffffff9c, filename: [0-9a-f]+, flags: 0, mode: 0\)$`;
  expectLine(new RegExp(String.raw`${init} \.\.\.1\. +T ${opened}`));
  expectLine(new RegExp(String.raw`${init} \.\.\.1\. +T sys_openat -> 0x\d+$`));
  const switched =
    'sched_switch: prev_comm=init prev_pid=1 prev_prio=120 prev_state=S ==> ' +
    String.raw`next_comm=swapper/\1 next_pid=0 next_prio=120$`;
  expectLine(new RegExp(String.raw`${init} d\.\.2\. +T ${switched}`));
  expectLine(
    /^ {10}<idle>-0 {7}\[00\d\] d\.h\d\. +T sched_waking: comm=init pid=1 prio=120 target_cpu=00\d$/,
  );
  expectLine(/init-1 .* sched_process_fork: comm=init pid=1 child_comm=init child_pid=\d+$/);
  expectLine(/init-\d+ .* sched_process_exit: comm=init pid=\d+ prio=120$/);
  expectLine(/prev_state=Z ==> /);
  expectLine(/signal_generate: sig=17 errno=0 code=1 comm=init pid=1 grp=1 res=1$/);
});

/** Drive a flow that does not sleep to its end. */
function finish<T>(flow: KernelFlow<T>): T {
  const step = flow.next('woken');
  if (!step.done) throw new Error('it would sleep');
  return step.value;
}

test('trace_pipe consumes, in the order of time over CPUs, whole lines at a time', async () => {
  const { machine } = await bootProgram(function* (u) {
    machine.tracepoints.schedSwitch.setRecording(true);
    yield* u.fork(function* (c) {
      for (let i = 0; i < 20; i++) yield* c.sleep(1e5);
      return 0;
    });
    for (let i = 0; i < 20; i++) yield* u.sleep(1e5);
    yield* u.wait();
    machine.tracepoints.schedSwitch.setRecording(false);
    yield* u.powerOff();
  });
  machine.run({ untilIdle: true });
  const { tracing } = machine;
  const all = tracing
    .traceText()
    .split('\n')
    .filter((line) => line && !line.startsWith('#'));
  let piped = '';
  for (;;) {
    const text = finish(tracing.readPipe(1000, true));
    if (typeof text === 'number') break;
    expect(text.length).toBeLessThanOrEqual(1000);
    expect(text.endsWith('\n')).toBe(true);
    piped += text;
  }
  expect(piped.trimEnd().split('\n')).toEqual(all);
  const times = all.map((line) => Number(/(\d+\.\d{6}): /.exec(line)![1]));
  expect(times).toEqual([...times].sort((a, b) => a - b));
  expect(new Set(all.map((line) => /\[(\d+)\]/.exec(line)![1])).size).toBe(2);
  expect(tracing.traceText()).toContain('entries-in-buffer/entries-written: 0/');
});

test('a full ring forgets the oldest records and says how many', () => {
  const ring = new TraceRing(1, 1000);
  const record = (i: number) => new Uint8Array(40).fill(i);
  for (let i = 0; i < 100; i++) ring.write(0, (i * 10) as Ns, record(i));
  const { inBuffer, written } = ring.counts;
  expect(written).toBe(100);
  expect(ring.statsOf(0)).toEqual({ entries: inBuffer, overrun: 100 - inBuffer });
  expect(ring.snapshot().map((entry) => entry.bytes)).toEqual(
    Array.from({ length: inBuffer }, (_, i) => record(100 - inBuffer + i)),
  );
  expect(ring.consume()).toMatchObject({ lost: 100 - inBuffer, timeNs: (100 - inBuffer) * 10 });
  expect(ring.consume()).toMatchObject({ lost: 0 });
});

test('filters: what they let through, and Linux 6.1s words for what is wrong', async () => {
  const { machine } = await bootProgram(function* (u) {
    const { schedSwitch } = machine.tracepoints;
    const text = 'prev_pid == 1 && (next_comm ~ "swap*" || next_prio < 100) && !(prev_prio & 1)';
    expect(machine.tracing.setFilter(machine.tracing.events('sched_switch')[0]!, text)).toBe(0);
    schedSwitch.setRecording(true);
    for (let i = 0; i < 5; i++) yield* u.sleep(1e5);
    schedSwitch.setRecording(false);
    yield* u.powerOff();
  });
  machine.run({ untilIdle: true });
  const lines = machine.tracing
    .traceText()
    .split('\n')
    .filter((l) => l && !l.startsWith('#'));
  expect(lines.length).toBe(5);
  for (const line of lines) expect(line).toMatch(/prev_pid=1 .* next_comm=swapper/);
  // The two texts are what a 6.1's `filter` file showed.
  const fault = (text: string) => {
    const filter = parseFilter(text, schedSwitch);
    if (!('error' in filter)) throw new Error('accepted');
    return filterErrorText(text, filter);
  };
  expect(fault('bogus == 3')).toBe('bogus == 3\n      ^\nparse_error: Field not found\n');
  expect(fault('prev_pid =x 5')).toBe(
    'prev_pid =x 5\n          ^\nparse_error: Invalid operator\n',
  );
  for (const bad of ['prev_pid ==', 'prev_pid == 1 &&', '(prev_pid == 1', 'prev_comm < "a"', '']) {
    expect('error' in parseFilter(bad, schedSwitch), bad).toBe(true);
  }
});

test('trace_marker and bpf_trace_printk lines', async () => {
  const { machine } = await runProgram(function* () {});
  machine.tracing.marker('hello\n');
  machine.bpf.host.runtime.kernel.tracePrintk('from a program');
  const lines = machine.tracing
    .traceText()
    .split('\n')
    .filter((l) => l && !l.startsWith('#'));
  expect(lines[0]).toMatch(/: tracing_mark_write: hello$/);
  expect(lines[1]).toMatch(/: bpf_trace_printk: from a program$/);
});
