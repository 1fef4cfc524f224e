/** The machine from outside: booting, running, input, halting. */
import { expect, test } from 'vitest';
import { coreModule } from '../test/support/assets.ts';
import { bootProgram, runProgram } from '../test/support/programs.ts';
import { bootMachine } from './machine.ts';
import { errno } from './types/errno.ts';

test('without programs it boots and idles', async () => {
  const machine = await bootMachine({ cpus: 3 }, { core: await coreModule() });
  expect(machine.run({ untilIdle: true })).toEqual({ reason: 'idle' });
  const { now } = machine;
  expect(machine.run({ untilNs: now + 5 })).toEqual({ reason: 'deadline' });
  expect(machine.now).toBe(now + 5);
  const names = machine.processes.all.map((process) => process.leader.comm);
  expect(names).toEqual(['swapper/0', 'kthreadd', 'ksoftirqd/0', 'ksoftirqd/1', 'ksoftirqd/2']);
});

test('paced by a wall clock, virtual time stays whole nanoseconds', async () => {
  const machine = await bootMachine({}, { core: await coreModule() });
  for (let i = 1; i <= 50; i++) {
    machine.run({ untilNs: machine.now + i * 333_333.3 });
    expect(Number.isInteger(machine.now)).toBe(true);
  }
  expect(() => machine.run({ untilNs: machine.now + 0.5 })).not.toThrow();
});

test('the boot log, in virtual time, and on the console unless it is to be quiet', async () => {
  const { machine, output } = await bootProgram((u) => u.powerOff(), {
    cpus: 4,
    ramMiB: 128,
    cmdline: 'console=ttyS0 root=/dev/ram0',
    nics: [{ name: 'eth0', queues: 2 }],
  });
  machine.run({ untilIdle: true });
  const log = machine.log.text();
  expect(log).toMatch(/^\[ {4}0\.000000\] Linux version 6\.1\.0-skep .*\n/);
  expect(log).toContain('] Command line: console=ttyS0 root=/dev/ram0\n');
  expect(log).toContain('K/131072K available (');
  expect(log).toContain('] smp: Brought up 1 node, 4 CPUs\n');
  expect(log).toMatch(/eth0: 2 queue pairs/);
  expect(log).toContain('] Run /sbin/init as init process\n');
  expect(log).toMatch(/\] reboot: Power down\n$/);
  expect(output()).toBe(log);
  const times = [...log.matchAll(/^\[ *(\d+\.\d{6})\]/gm)].map((match) => Number(match[1]));
  expect(times).toEqual([...times].sort((a, b) => a - b));
  expect(times.at(-1)).toBeGreaterThan(0.02);
  const quiet = await bootProgram((u) => u.powerOff(), { cmdline: 'quiet' });
  quiet.machine.run({ untilIdle: true });
  expect(quiet.output()).toBe('');
});

test('syslog reads the log, clears it, and asks for permission', async () => {
  const { output } = await runProgram(function* (u) {
    const size = yield* u.call('syslog', 10, 0, 0);
    const buffer = yield* u.room(16384);
    const length = yield* u.call('syslog', 3, buffer, 16384);
    const text = new TextDecoder().decode(u.memory.read(buffer, length));
    yield* u.say(`${size} ${text.split('\n')[0]}`);
    const part = yield* u.call('syslog', 3, buffer, 100);
    const tail = new TextDecoder().decode(u.memory.read(buffer, part));
    yield* u.say(`tail is whole lines: ${text.endsWith(tail) && tail.startsWith('<')}`);
    yield* u.call('syslog', 5, 0, 0);
    yield* u.say(`cleared ${yield* u.call('syslog', 3, buffer, 16384)}`);
    yield* u.fork(function* (c) {
      yield* c.call('setuid', 1000);
      yield* c.say(`clear ${yield* c.call('syslog', 5, 0, 0)}`);
      return 0;
    });
    yield* u.wait();
  });
  expect(output).toMatch(/^131072 <5>\[ {4}0\.000000\] Linux version/);
  expect(output).toContain(`tail is whole lines: true\ncleared 0\nclear ${-errno.EPERM}\n`);
});

test('uname, sysinfo and hostname', async () => {
  const { output } = await runProgram(
    function* (u) {
      yield* u.call('sethostname', 'hive', 4);
      const name = yield* u.room(390);
      yield* u.call('newuname', name);
      const field = (i: number) => u.memory.readString((name + i * 65) as never);
      yield* u.say([0, 1, 2, 4, 5].map(field).join(' '));
      const info = yield* u.room(112);
      yield* u.call('sysinfo', info);
      const free = u.memory.readU64((info + 40) as never);
      const total = u.memory.readU64((info + 32) as never);
      yield* u.say(`${free < total} ${total < 64n * 2n ** 20n}`);
    },
    { hostname: 'skep', ramMiB: 64 },
  );
  expect(output).toBe('Linux hive 6.1.0-skep x86_64 (none)\ntrue true\n');
});

test('clocks: monotonic from boot, realtime from the epoch that is configured', async () => {
  const { output, machine } = await runProgram(
    function* (u) {
      const at = yield* u.room(16);
      for (const clock of [0, 1, 7]) {
        yield* u.call('clock_gettime', clock, at);
        yield* u.say(`${clock}: ${u.memory.readU64(at)}`);
      }
      yield* u.say(`bad ${yield* u.call('clock_gettime', 99, at)}`);
      const until = new Uint8Array(new BigInt64Array([1_000_000_007n, 0n]).buffer);
      yield* u.say(`absolute ${yield* u.call('clock_nanosleep', 0, 1, until, 0)}`);
    },
    { bootEpochSeconds: 1_000_000_000 },
  );
  expect(output).toBe(`0: 1000000000\n1: 0\n7: 0\nbad ${-errno.EINVAL}\nabsolute 0\n`);
  expect(Math.floor(machine.now / 1e9)).toBe(7);
});

test('unknown system calls, and a machine that restarts', async () => {
  const { machine, output } = await bootProgram(function* (u) {
    yield* u.say(`${yield { kind: 'syscall', nr: 999, args: [] }}`);
    yield* u.call('reboot', 0xfee1dead, 0x28121969, 0x01234567);
    yield* u.say('unreachable');
  });
  expect(machine.run({ untilIdle: true })).toEqual({ reason: 'halted', how: 'reboot' });
  expect(machine.run({ untilNs: 9e9 })).toEqual({ reason: 'halted', how: 'reboot' });
  expect(output()).toBe(`${-errno.ENOSYS}\n`);
});

test('files and packets come in through the door', async () => {
  const { machine, output } = await bootProgram(
    function* (u) {
      yield* u.sleep(1e9);
      const fd = yield* u.call('open', '/tmp/dropped', 0, 0);
      const buffer = yield* u.room(16);
      const length = yield* u.call('read', fd, buffer, 16);
      yield* u.say(u.memory.readString(buffer, length));
      yield* u.powerOff();
    },
    { nics: [{ name: 'eth0', queues: 1 }] },
  );
  machine.run({ untilNs: 0.5e9 });
  machine.input({ kind: 'file', path: '/tmp/dropped', data: new TextEncoder().encode('bytes') });
  machine.input({ kind: 'packet', nic: 'eth0', data: new Uint8Array(60) });
  machine.run({ untilIdle: true });
  expect(output()).toBe('bytes\n');
  expect(machine.inputRecord.map(({ atNs, input }) => [atNs, input.kind])).toEqual([
    [0.5e9, 'file'],
    [0.5e9, 'packet'],
  ]);
});
