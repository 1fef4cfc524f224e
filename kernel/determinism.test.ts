/** The same configuration and inputs give the same run, bit for bit, however it is driven. */
import { expect, test } from 'vitest';
import type { Program, Run } from '../test/support/programs.ts';
import { bootProgram } from '../test/support/programs.ts';
import type { MachineConfig } from './config.ts';

/** Processes that compute, sleep, talk through pipes, signal and ask for random bytes. */
const busy: Program = function* (u) {
  yield* u.call('setsid');
  const tty = yield* u.call('open', '/dev/ttyS0', 2, 0);
  yield* u.call('ioctl', tty, 0x540e, 0);
  const fds = yield* u.room(8);
  yield* u.call('pipe', fds);
  const [from, to] = [u.memory.readU32(fds), u.memory.readU32((fds + 4) as never)];
  for (let i = 0; i < 4; i++) {
    yield* u.fork(function* (c) {
      const bytes = yield* c.room(4);
      for (let round = 0; round < 30; round++) {
        yield* c.call('getrandom', bytes, 4, 0);
        const ns = c.memory.readU32(bytes) % 3e6;
        yield* c.compute(ns);
        yield* c.call('write', to, bytes, 4);
        if (round % 3 === i % 3) yield* c.sleep(ns);
      }
      return i;
    });
  }
  yield* u.fork(function* (c) {
    const line = yield* c.room(100);
    for (;;) {
      const length = yield* c.call('read', 0, line, 100);
      if (length <= 0) return 0;
      yield* c.say(`typed ${c.memory.readString(line, length).trim()}`);
    }
  });
  const buffer = yield* u.room(4);
  for (let i = 0; i < 120; i++) {
    const got = yield* u.call('read', from, buffer, 4);
    if (i % 10 === 0) yield* u.say(`${i}: ${got} ${u.memory.readU32(buffer).toString(16)}`);
  }
  for (let i = 0; i < 4; i++) yield* u.wait();
  yield* u.powerOff();
};

async function boot(config: MachineConfig = {}): Promise<Run> {
  const booted = await bootProgram(busy, { ramMiB: 32, ...config });
  for (const tracepoint of booted.machine.tracing.events()) tracepoint.setRecording(true);
  return booted;
}

/** All there is to compare: every event, what was printed, the log, and RAM. */
function stateOf({ machine, output }: Run) {
  let hash = 0;
  for (const word of machine.ram.u32) hash = (Math.imul(hash, 31) + word) | 0;
  return {
    now: machine.now,
    trace: machine.tracing.traceText(),
    output: output(),
    log: machine.log.text(),
    ram: hash,
  };
}

const typed = (text: string) => ({ kind: 'tty', data: new TextEncoder().encode(text) }) as const;

/** Drive to the end in steps of `stepNs`, with two lines typed on the way. */
function drive({ machine }: Run, stepNs: number, between: () => void = () => {}): void {
  const inputs = [
    { atNs: 60e6, input: typed('one\n') },
    { atNs: 75e6, input: typed('two\n') },
  ];
  let next = 0;
  while (!machine.halted) {
    const input = inputs[next];
    const step = machine.now + stepNs;
    const untilNs = input && input.atNs <= step ? input.atNs : step;
    machine.run({ untilNs });
    if (input && machine.now === input.atNs) {
      machine.input(input.input);
      next++;
    }
    between();
  }
}

test('twice the same, in one go or in steps of any size', async () => {
  const first = await boot();
  drive(first, 1e9);
  expect(first.output()).toContain('typed one\n');
  expect(first.output()).toContain('typed two\n');
  const reference = stateOf(first);
  expect(reference.trace.split('\n').length).toBeGreaterThan(2000);
  for (const stepNs of [1e9, 1e6, 333_333, 20_011]) {
    const again = await boot();
    drive(again, stepNs);
    expect(stateOf(again)).toEqual(reference);
  }
});

test('two machines side by side run as they do alone', async () => {
  const alone = await boot();
  drive(alone, 1e7);
  const other = await boot({ seed: 7, cpus: 4 });
  drive(other, 1e7);
  const a = await boot();
  const b = await boot({ seed: 7, cpus: 4 });
  drive(a, 1e6, () => b.machine.run({ untilNs: Math.min(b.machine.now + 0.7e6, 60e6) }));
  drive(b, 1e7);
  expect(stateOf(a)).toEqual(stateOf(alone));
  expect(stateOf(b)).toEqual(stateOf(other));
  expect(stateOf(a)).not.toEqual(stateOf(b));
});

test('a recorded run can be replayed', async () => {
  const original = await boot();
  drive(original, 1e6);
  const copy = await boot();
  await copy.machine.replay(original.machine.inputRecord, original.machine.now);
  expect(stateOf(copy)).toEqual(stateOf(original));
});
