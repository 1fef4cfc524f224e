/** Signals, as programs see them. */
import { expect, test } from 'vitest';
import { runProgram, bootProgram } from '../../test/support/programs.ts';
import type { User } from '../../test/support/programs.ts';
import type { UserFlow } from '../syscall/abi.ts';
import { errno } from '../types/errno.ts';

const [SIGINT, SIGUSR1, SIGUSR2, SIGALRM, SIGTERM, SIGCHLD] = [2, 10, 12, 14, 15, 17] as const;
const [SIGKILL, SIGSEGV, SIGCONT, SIGSTOP, SIGTSTP] = [9, 11, 18, 19, 20] as const;
const SA_RESTART = 0x10000000;

function* forever(u: User): UserFlow<number> {
  for (;;) yield* u.sleep(1e9);
}

/** Fork a child, let it get going, send it a signal, and wait for it. */
function* killed(
  u: User,
  signal: number,
  child: (c: User) => UserFlow<number> = forever,
): UserFlow<number> {
  const pid = yield* u.fork(child);
  yield* u.sleep(1e6);
  yield* u.call('kill', pid, signal);
  return (yield* u.wait(pid)).status;
}

test('default actions and the status that wait4 reports', async () => {
  const { output } = await runProgram(function* (u) {
    for (const signal of [SIGTERM, SIGKILL, SIGINT, SIGUSR1]) {
      yield* u.say(`${signal}: ${(yield* killed(u, signal)).toString(16)}`);
    }
    // Core-dumping ones carry 0x80.
    yield* u.say(`quit: ${(yield* killed(u, 3)).toString(16)}`);
    // A busy loop in user mode is interrupted too.
    const busy = yield* killed(u, SIGTERM, function* (c) {
      for (;;) yield* c.compute(1e6);
    });
    yield* u.say(`busy: ${busy.toString(16)}`);
  });
  expect(output).toContain('15: f\n9: 9\n2: 2\n10: a\nquit: 83\nbusy: f\n');
});

test('handlers interrupt a sleep with -EINTR and the time that was left', async () => {
  const { output } = await runProgram(function* (u) {
    let seen = 0;
    yield* u.sigaction(SIGUSR1, function* (signal) {
      seen = signal;
      yield { kind: 'compute', ns: 100 };
    });
    const me = yield* u.call('getpid');
    yield* u.fork(function* (c) {
      yield* c.sleep(10e6);
      yield* c.call('kill', me, SIGUSR1);
      return 0;
    });
    const left = yield* u.room(16);
    const request = new Uint8Array(new BigInt64Array([1n, 0n]).buffer);
    const result = yield* u.call('nanosleep', request, left);
    const leftNs =
      Number(u.memory.readU64(left)) * 1e9 + Number(u.memory.readU64((left + 8) as never));
    yield* u.say(`result ${result} signal ${seen} left ${Math.round(leftNs / 1e7)}`);
  });
  expect(output).toContain(`result ${-errno.EINTR} signal ${SIGUSR1} left 99\n`);
});

test('SA_RESTART makes read go on, without it read fails', async () => {
  const { output } = await runProgram(function* (u) {
    const fds = yield* u.room(8);
    yield* u.call('pipe', fds);
    const [readEnd, writeEnd] = [u.memory.readU32(fds), u.memory.readU32((fds + 4) as never)];
    const me = yield* u.call('getpid');
    const child = function* (c: User): UserFlow<number> {
      yield* c.sleep(5e6);
      yield* c.call('kill', me, SIGUSR1);
      yield* c.sleep(5e6);
      yield* c.call('write', writeEnd, 'x', 1);
      return 0;
    };
    let handled = 0;
    const handler = function* () {
      handled++;
    };
    const buffer = yield* u.room(8);
    yield* u.sigaction(SIGUSR1, handler, SA_RESTART);
    yield* u.fork(child);
    yield* u.say(`restarted ${yield* u.call('read', readEnd, buffer, 1)} handled ${handled}`);
    yield* u.sigaction(SIGUSR1, handler);
    yield* u.fork(child);
    yield* u.say(`failed ${yield* u.call('read', readEnd, buffer, 1)} handled ${handled}`);
  });
  expect(output).toContain(`restarted 1 handled 1\nfailed ${-errno.EINTR} handled 2\n`);
});

test('blocked signals wait; the handler runs with its own signal blocked', async () => {
  const { output } = await runProgram(function* (u) {
    const log: string[] = [];
    const me = yield* u.call('getpid');
    yield* u.sigaction(SIGUSR1, function* () {
      log.push('enter');
      // Blocked while its handler runs: the second one comes after it.
      if (log.length === 1) yield* u.call('kill', me, SIGUSR1);
      log.push('leave');
    });
    const set = (signal: number) =>
      new Uint8Array(new BigUint64Array([1n << BigInt(signal - 1)]).buffer);
    yield* u.call('rt_sigprocmask', 0, set(SIGUSR2), 0, 8);
    yield* u.sigaction(SIGUSR2, function* () {
      log.push('usr2');
    });
    yield* u.call('kill', me, SIGUSR2);
    yield* u.call('kill', me, SIGUSR1);
    log.push('still blocked');
    const pending = yield* u.room(8);
    yield* u.call('rt_sigpending', pending, 8);
    log.push(`pending ${u.memory.readU64(pending).toString(16)}`);
    yield* u.call('rt_sigprocmask', 1, set(SIGUSR2), 0, 8);
    yield* u.say(log.join(','));
  });
  expect(output).toContain('enter,leave,enter,leave,still blocked,pending 800,usr2\n');
});

test('stop and continue, and what the parent is told', async () => {
  const { output } = await runProgram(function* (u) {
    let children = 0;
    yield* u.sigaction(
      SIGCHLD,
      function* () {
        children++;
      },
      SA_RESTART,
    );
    const pid = yield* u.fork(function* (c) {
      yield* c.say('runs');
      yield* c.sleep(100e6);
      yield* c.say('slept');
      return 4;
    });
    yield* u.sleep(1e6);
    yield* u.call('kill', pid, SIGSTOP);
    yield* u.say(`stopped ${(yield* u.wait(pid, 2)).status.toString(16)}`);
    yield* u.call('kill', pid, SIGCONT);
    yield* u.say(`continued ${(yield* u.wait(pid, 8)).status.toString(16)}`);
    yield* u.say(`done ${(yield* u.wait(pid)).status.toString(16)} SIGCHLDs ${children}`);
  });
  expect(output).toContain('runs\nstopped 137f\ncontinued ffff\nslept\ndone 400 SIGCHLDs 3\n');
});

test('SIGTSTP stops only where somebody could continue it', async () => {
  const { output } = await runProgram(function* (init) {
    yield* init.fork(shell);
    yield* init.wait();
  });
  // The first process continues nobody: its children are orphans, a shell's are not.
  function* shell(u: User): UserFlow<number> {
    // In an orphaned group of its own session: ignored.
    const pid = yield* u.fork(function* (c) {
      yield* c.call('setsid');
      yield* c.call('kill', yield* c.call('getpid'), SIGTSTP);
      return 6;
    });
    yield* u.say(`orphaned ${(yield* u.wait(pid, 2)).status.toString(16)}`);
    const job = yield* u.fork(function* (c) {
      yield* c.call('setpgid', 0, 0);
      yield* c.call('kill', yield* c.call('getpid'), SIGTSTP);
      return 6;
    });
    yield* u.say(`job ${(yield* u.wait(job, 2)).status.toString(16)}`);
    yield* u.call('kill', -job, SIGKILL);
    yield* u.say(`killed while stopped ${(yield* u.wait(job)).status.toString(16)}`);
    return 0;
  }
  expect(output).toContain('orphaned 600\njob 147f\nkilled while stopped 9\n');
});

test('a wild store is SIGSEGV with a line in the log; a handler may see it', async () => {
  const { machine, output } = await runProgram(function* (u) {
    const pid = yield* u.fork(function* (c) {
      c.memory.writeU32(0x10 as never, 1);
      return 0;
    });
    yield* u.say(`status ${(yield* u.wait(pid)).status.toString(16)}`);
    const handled = yield* u.fork(function* (c) {
      yield* c.sigaction(SIGSEGV, function* () {
        yield* c.say('caught');
        yield* c.call('exit_group', 5);
      });
      c.memory.readU64(0xdead0000 as never);
      return 0;
    });
    yield* u.say(`status ${(yield* u.wait(handled)).status.toString(16)}`);
  });
  expect(output).toContain('status 8b\ncaught\nstatus 500\n');
  expect(machine.log.text()).toMatch(/init\[\d+\]: segfault at 10 ip 0000000000400000 sp 0000/);
  expect(machine.log.text()).toMatch(/segfault at dead0000 /);
});

test('the first process is safe from signals that it does not handle', async () => {
  const { output } = await runProgram(function* (u) {
    yield* u.fork(function* (c) {
      yield* c.say(`kill ${yield* c.call('kill', 1, SIGKILL)}`);
      yield* c.call('kill', 1, SIGTERM);
      return 0;
    });
    yield* u.wait();
    yield* u.say('alive');
  });
  expect(output).toContain('kill 0\nalive\n');
});

test('kill checks permission, and reaches groups', async () => {
  const { output } = await runProgram(function* (u) {
    const pid = yield* u.fork(function* (c) {
      yield* c.call('setpgid', 0, 0);
      yield* c.fork(forever);
      return yield* forever(c);
    });
    yield* u.sleep(1e6);
    const poor = yield* u.fork(function* (c) {
      yield* c.call('setuid', 1000);
      yield* c.say(`poor ${yield* c.call('kill', pid, SIGTERM)}`);
      return 0;
    });
    yield* u.wait(poor);
    yield* u.say(`none ${yield* u.call('kill', 31000, 0)}`);
    yield* u.say(`group ${yield* u.call('kill', -pid, SIGTERM)}`);
    yield* u.wait(pid);
    yield* u.wait();
    yield* u.say(`gone ${yield* u.call('kill', -pid, 0)}`);
  });
  const { EPERM, ESRCH } = errno;
  expect(output).toContain(`poor ${-EPERM}\nnone ${-ESRCH}\ngroup 0\ngone ${-ESRCH}\n`);
});

test('alarm, pause and sigsuspend', async () => {
  const { output } = await runProgram(function* (u) {
    let rang = 0;
    yield* u.sigaction(SIGALRM, function* () {
      rang++;
    });
    yield* u.call('alarm', 2);
    yield* u.say(`left ${yield* u.call('alarm', 1)}`);
    yield* u.say(`pause ${yield* u.call('pause')} rang ${rang}`);
    const alarmSet = new Uint8Array(new BigUint64Array([1n << 13n]).buffer);
    yield* u.call('rt_sigprocmask', 0, alarmSet, 0, 8);
    yield* u.call('alarm', 1);
    yield* u.sleep(2e9);
    yield* u.say(`blocked rang ${rang}`);
    const none = new Uint8Array(8);
    yield* u.say(`suspend ${yield* u.call('rt_sigsuspend', none, 8)} rang ${rang}`);
    const mask = yield* u.room(8);
    yield* u.call('rt_sigprocmask', 0, 0, mask, 8);
    yield* u.say(`mask ${u.memory.readU64(mask).toString(16)}`);
  });
  const { EINTR } = errno;
  expect(output).toContain(`left 2\npause ${-EINTR} rang 1\nblocked rang 1\n`);
  expect(output).toContain(`suspend ${-EINTR} rang 2\nmask 2000\n`);
});

test('Ctrl-C at the console reaches the foreground group', async () => {
  const { machine, output } = await bootProgram(function* (u) {
    yield* u.call('setsid');
    const tty = yield* u.call('open', '/dev/ttyS0', 2, 0);
    yield* u.call('ioctl', tty, 0x540e, 0); // TIOCSCTTY
    const pid = yield* u.fork(forever);
    yield* u.sigaction(SIGINT, 'ignore');
    yield* u.say(`child ended by ${(yield* u.wait(pid)).status}`);
    yield* u.powerOff();
  });
  machine.run({ untilNs: 1e9 });
  machine.input({ kind: 'tty', data: Uint8Array.of(3) });
  expect(machine.run({ untilNs: 5e9 })).toEqual({ reason: 'halted', how: 'poweroff' });
  expect(output()).toContain('^C');
  expect(output()).toContain(`child ended by ${SIGINT}\n`);
});
