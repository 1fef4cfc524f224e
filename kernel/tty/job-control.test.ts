/** Job control on the console with real processes: what a shell relies on. */
import { expect, it } from 'vitest';
import { coreModule } from '../../test/support/assets.ts';
import * as f from '../../user/libc/files.ts';
import { NR } from '../../user/libc/nr.ts';
import type { Process } from '../../user/libc/process.ts';
import { program } from '../../user/libc/process.ts';
import * as tasks from '../../user/libc/tasks.ts';
import { bootMachine } from '../machine.ts';
import type { Machine } from '../machine.ts';
import type { UserFlow } from '../syscall/abi.ts';
import * as io from './ioctl.ts';

/** The session leader on the console: what a shell is. */
type Shell = (p: Process, tty: number, log: (text: string) => void) => UserFlow<void>;

async function withShell(body: Shell) {
  const log: string[] = [];
  const init = program(function* (p) {
    const child = yield* tasks.fork(p, function* (shell) {
      yield* f.syscall(NR.setsid);
      const tty = yield* f.open(shell, '/dev/ttyS0', f.O_RDWR);
      yield* f.syscall(13, 22, yield* ignore(shell), 0, 8); // SIGTTOU
      yield* body(shell, tty, (text) => log.push(text));
      return 0;
    });
    yield* tasks.wait4(p, child);
    yield* f.syscall(169, 0xfee1dead, 0x28121969, 0x4321fedc);
    return 0;
  });
  const programs = new Map([['/sbin/init', init]]);
  const machine = await bootMachine({ programs }, { core: await coreModule() });
  let shown = '';
  machine.console.onOutput((bytes) => (shown += new TextDecoder().decode(bytes)));
  return { machine, log, screen: () => shown.replace(/^\[.*\n/gm, '').replaceAll('\r', '') };
}

/** struct kernel_sigaction with SIG_IGN. */
function* ignore(p: Process): UserFlow<number> {
  const action = yield* p.take(32);
  p.memory.write(action, new Uint8Array(32));
  p.memory.writeU64(action, 1n);
  return action;
}

function* setForeground(p: Process, tty: number, pgid: number): UserFlow<number> {
  const mark = p.mark();
  const at = yield* p.take(4);
  p.memory.writeU32(at, pgid);
  const result = yield* f.syscall(NR.ioctl, tty, io.TIOCSPGRP, at);
  p.release(mark);
  return result;
}

/** A child in a process group of its own. */
function* job(p: Process, body: (c: Process) => UserFlow<number>): UserFlow<number> {
  const pid = yield* tasks.fork(p, function* (c) {
    yield* f.syscall(NR.setpgid, 0, 0);
    yield* f.syscall(13, 22, yield* zeroAction(c), 0, 8);
    return yield* body(c);
  });
  yield* f.syscall(NR.setpgid, pid, pid);
  return pid;
}

function* zeroAction(p: Process): UserFlow<number> {
  const action = yield* p.take(32);
  p.memory.write(action, new Uint8Array(32));
  return action;
}

const kill = (pid: number, signal: number) => f.syscall(NR.kill, pid, signal);

async function settle(machine: Machine): Promise<void> {
  await machine.runAsync({ untilNs: machine.now + 50e6 });
}

const type = async (machine: Machine, keys: string): Promise<void> => {
  machine.input({ kind: 'tty', data: new TextEncoder().encode(keys) });
  await settle(machine);
};

const describeStatus = (status: number): string => {
  if (tasks.stopped(status)) return `stopped by ${tasks.stopSignal(status)}`;
  if (tasks.continued(status)) return 'continued';
  if (tasks.signaled(status)) return `killed by ${tasks.termSignal(status)}`;
  return `exited ${tasks.exitStatus(status)}`;
};

it('a background reader stops, and reads once it is brought to the foreground', async () => {
  const { machine, log, screen } = await withShell(function* (p, tty, note) {
    const pid = yield* job(p, function* (c) {
      const line = yield* f.read(c, tty, 100);
      note(`job read ${JSON.stringify(new TextDecoder().decode(line as Uint8Array))}`);
      return 7;
    });
    const report = function* (): UserFlow<void> {
      const { status } = yield* tasks.wait4(p, pid, tasks.WUNTRACED | tasks.WCONTINUED);
      note(describeStatus(status));
    };
    yield* report();
    yield* setForeground(p, tty, pid);
    yield* kill(-pid, tasks.SIGCONT);
    yield* report();
    yield* report();
    yield* setForeground(p, tty, yield* f.syscall(NR.getpid));
  });
  await settle(machine);
  expect(log).toEqual(['stopped by 21', 'continued']);
  expect(machine.console.awaitsInput).toBe(true);
  await type(machine, 'hello\r');
  expect(log.slice(2)).toEqual(['job read "hello\\n"', 'exited 7']);
  expect(screen()).toContain('hello\n');
  expect(machine.halted).toBe('poweroff');
});

it('^C kills and ^Z stops the foreground group, the shell is left alone', async () => {
  const { machine, log, screen } = await withShell(function* (p, tty, note) {
    for (let i = 0; i < 2; i++) {
      const pid = yield* job(p, function* (c) {
        yield* f.syscall(NR.pause);
        yield* c.print('not reached');
        return 0;
      });
      yield* setForeground(p, tty, pid);
      const { status } = yield* tasks.wait4(p, pid, tasks.WUNTRACED);
      note(describeStatus(status));
      yield* kill(-pid, tasks.SIGKILL);
    }
  });
  await settle(machine);
  await type(machine, '\x03');
  expect(log).toEqual(['killed by 2']);
  await type(machine, '\x1a');
  expect(log).toEqual(['killed by 2', 'stopped by 20']);
  expect(screen()).toContain('^C^Z');
  expect(machine.halted).toBe('poweroff');
});

it('when the session’s leader exits, the foreground job gets SIGHUP', async () => {
  const { machine, log } = await withShell(function* (p, tty, note) {
    const pid = yield* job(p, function* (c) {
      const seen = yield* f.readTextFile(c, '/proc/self/stat');
      note(`tty ${(seen as string).split(' ')[6]}`);
      yield* f.syscall(NR.pause);
      note('not reached');
      return 0;
    });
    yield* setForeground(p, tty, pid);
    const interval = yield* p.take(16);
    p.memory.write(interval, new Uint8Array(16));
    p.memory.writeU32((interval + 8) as typeof interval, 5e6);
    yield* f.syscall(NR.nanosleep, interval, 0);
  });
  await settle(machine);
  expect(log).toEqual([`tty ${machine.console.tty.device}`]);
  expect(machine.console.tty.session).toBe(0);
  // Only init, which has switched the machine off, is left of user space.
  const left = machine.processes.all.filter(({ leader }) => leader.mm !== null);
  expect(left.map(({ pid }) => pid)).toEqual([1]);
});

it('typed input arrives at the same virtual time in each run, with the same output', async () => {
  const run = async () => {
    const { machine, screen } = await withShell(function* (p, tty) {
      for (;;) {
        const line = yield* f.read(p, tty, 100);
        if (typeof line === 'number' || line.length === 0) return;
        yield* f.writeAll(p, tty, `got ${line.length} at ${machine.now}\n`);
      }
    });
    await settle(machine);
    for (const keys of ['one\r', 'tw\x7fwo\r', '\x04']) await type(machine, keys);
    return { text: screen(), record: machine.inputRecord, halted: machine.halted };
  };
  const [first, second] = [await run(), await run()];
  expect(first).toEqual(second);
  expect(first.text).toContain('got 4 at ');
  expect(first.halted).toBe('poweroff');
});
