/** fork, exec, exit, wait: what a process's life looks like from inside. */
import { expect, test } from 'vitest';
import { bootProgram, runProgram } from '../../test/support/programs.ts';
import { errno } from '../types/errno.ts';
import type { UserAddress } from '../types/units.ts';

test('fork, exit status, wait4, and no zombie left', async () => {
  const { machine, output } = await runProgram(function* (u) {
    const pid = yield* u.fork(function* (child) {
      yield* child.say(`child ${yield* child.call('getpid')} of ${yield* child.call('getppid')}`);
      return 7;
    });
    const waited = yield* u.wait(pid);
    yield* u.say(`waited ${waited.pid === pid} status ${waited.status.toString(16)}`);
    yield* u.say(`again ${(yield* u.wait(pid)).pid}`);
  });
  expect(output).toMatch(/child \d+ of 1\nwaited true status 700\n/);
  expect(output).toContain(`again ${-errno.ECHILD}\n`);
  expect(machine.processes.all.filter((process) => process.zombie)).toEqual([]);
});

test('memory is copied at fork, shared by vfork until exec', async () => {
  const { output } = await runProgram(
    function* (u) {
      const at = yield* u.put('original');
      const pid = yield* u.fork(function* (child) {
        child.memory.write(at, new TextEncoder().encode('changed!'));
        yield* child.say(`child sees ${child.memory.readString(at, 8)}`);
        return 0;
      });
      yield* u.wait(pid);
      yield* u.say(`parent sees ${u.memory.readString(at, 8)}`);
      yield* u.fork(
        function* (child) {
          child.memory.write(at, new TextEncoder().encode('by vfork'));
          yield* child.exec('/bin/other', ['other']);
          return 1;
        },
        0,
        'vfork',
      );
      yield* u.say(`parent goes on, sees ${u.memory.readString(at, 8)}`);
      yield* u.wait();
    },
    { more: { other: (u) => u.say('other runs') } },
  );
  expect(output).toContain('child sees changed!\nparent sees original\n');
  expect(output).toContain('sees by vfork\n');
  expect(output).toContain('other runs\n');
});

test('exec replaces the program: arguments, environment, comm, close-on-exec, caught signals', async () => {
  const { output } = await runProgram(
    function* (u) {
      const keep = yield* u.call('open', '/etc/hostname', 0, 0);
      const drop = yield* u.call('open', '/etc/hostname', 0o2000000, 0);
      yield* u.sigaction(10, function* () {});
      yield* u.sigaction(12, 'ignore');
      yield* u.exec('/bin/show', ['show', 'a b', '', 'ü'], [`KEEP=${keep}`, `DROP=${drop}`]);
    },
    {
      more: {
        *show(u) {
          const fdOf = (name: string) =>
            Number(u.envp.find((text) => text.startsWith(name))!.slice(5));
          yield* u.say(JSON.stringify(u.argv));
          const name = yield* u.room(16);
          yield* u.call('prctl', 16, name);
          yield* u.say(`comm ${u.memory.readString(name, 16)}`);
          const stat = yield* u.room(256);
          yield* u.say(`keep ${yield* u.call('newfstat', fdOf('KEEP'), stat)}`);
          yield* u.say(`drop ${yield* u.call('newfstat', fdOf('DROP'), stat)}`);
          const old = yield* u.room(32);
          yield* u.call('rt_sigaction', 10, 0, old, 8);
          yield* u.say(`USR1 ${u.memory.readU64(old)}`);
          yield* u.call('rt_sigaction', 12, 0, old, 8);
          yield* u.say(`USR2 ${u.memory.readU64(old)}`);
          yield* u.powerOff();
        },
      },
    },
  );
  expect(output).toContain('["show","a b","","ü"]\ncomm show\nkeep 0\n');
  expect(output).toContain(`drop ${-errno.EBADF}\nUSR1 0\nUSR2 1\n`);
});

test('argv and envp lie in user memory as execve lays them out', async () => {
  const { machine } = await bootProgram(
    function* (u) {
      yield* u.exec('/bin/peek', ['peek', 'one', 'two'], ['A=1']);
    },
    { more: { peek: (u) => u.sleep(1e12) } },
  );
  machine.run({ untilNs: 1e9 });
  const mm = machine.processes.init!.leader.mm!;
  const word = (index: number) => Number(mm.readU64((mm.startStack + index * 8) as UserAddress));
  const string = (index: number) => mm.stringIn(word(index));
  expect(word(0)).toBe(3);
  expect([1, 2, 3].map(string)).toEqual(['peek', 'one', 'two']);
  expect([word(4), string(5), word(6)]).toEqual([0, 'A=1', 0]);
  // The auxiliary vector: AT_PAGESZ first, AT_EXECFN and AT_NULL at its end.
  expect([word(7), word(8)]).toEqual([6, 4096]);
  let at = 7;
  while (word(at) !== 31) at += 2;
  expect(string(at + 1)).toBe('/bin/peek');
  expect(word(at + 2)).toBe(0);
  const range = mm.copyIn(mm.argStart, mm.argEnd - mm.argStart)!;
  expect(new TextDecoder().decode(range)).toBe('peek\0one\0two\0');
  expect(mm.startStack % 16).toBe(0);
});

test('exec failures leave the caller as it was', async () => {
  const { output } = await runProgram(
    function* (u) {
      yield* u.say(`missing ${yield* u.exec('/bin/none', ['none'])}`);
      yield* u.say(`not executable ${yield* u.exec('/etc/hostname', ['x'])}`);
      yield* u.say(`directory ${yield* u.exec('/etc', ['x'])}`);
      yield* u.say(`garbage ${yield* u.exec('/garbage', ['x'])}`);
      yield* u.call('chmod', '/garbage', 0o755);
      yield* u.say(`unknown ${yield* u.exec('/garbage', ['x'])}`);
      yield* u.say(`loop ${yield* u.exec('/loop', ['x'])}`);
      yield* u.say(`fault ${yield* u.call('execve', '/garbage', 8, 0)}`);
    },
    { files: { '/garbage': 'not a program', '/loop': '#!/loop\n' } },
  );
  const { ENOENT, EACCES, ENOEXEC, EFAULT, ELOOP } = errno;
  expect(output).toContain(`missing ${-ENOENT}\nnot executable ${-EACCES}\ndirectory ${-EACCES}\n`);
  expect(output).toContain(`garbage ${-EACCES}\nunknown ${-ENOEXEC}\n`);
  expect(output).toContain(`loop ${-ELOOP}\nfault ${-EFAULT}\n`);
});

test('scripts run by their interpreter', async () => {
  const { output } = await runProgram(
    function* (u) {
      const fd = yield* u.call('open', '/script', 0o101, 0o755);
      const text = '#! /bin/show  -x  \nbody\n';
      yield* u.call('write', fd, text, text.length);
      yield* u.call('close', fd);
      const loop = yield* u.call('open', '/loop', 0o101, 0o755);
      yield* u.call('write', loop, '#!/loop\n', 8);
      yield* u.call('close', loop);
      yield* u.say(`loop ${yield* u.exec('/loop', ['x'])}`);
      yield* u.exec('/script', ['ignored', 'arg']);
    },
    {
      more: {
        *show(u) {
          yield* u.say(JSON.stringify(u.argv));
          yield* u.powerOff();
        },
      },
    },
  );
  expect(output).toContain(`loop ${-errno.ELOOP}\n`);
  expect(output).toContain('["/bin/show","-x","/script","arg"]\n');
});

test('orphans become children of init, which reaps them', async () => {
  const { output } = await runProgram(function* (u) {
    const middle = yield* u.fork(function* (child) {
      yield* child.fork(function* (orphan) {
        yield* orphan.sleep(1e6);
        yield* orphan.say(`orphan's parent ${yield* orphan.call('getppid')}`);
        return 5;
      });
      return 0;
    });
    yield* u.wait(middle);
    const adopted = yield* u.wait();
    yield* u.say(`reaped status ${adopted.status >> 8}`);
  });
  expect(output).toContain("orphan's parent 1\nreaped status 5\n");
});

test('WNOHANG, groups, and children of an ignoring parent', async () => {
  const { output } = await runProgram(function* (u) {
    const pid = yield* u.fork(function* (child) {
      yield* child.call('setpgid', 0, 0);
      yield* child.sleep(5e6);
      return 1;
    });
    yield* u.sleep(1e6);
    yield* u.say(`running ${(yield* u.wait(pid, 1)).pid}`);
    yield* u.say(`own group ${(yield* u.wait(0, 1)).pid}`);
    yield* u.say(`its group ${(yield* u.wait(-pid)).pid === pid}`);
    yield* u.sigaction(17, 'ignore');
    yield* u.fork(function* () {
      return 9;
    });
    yield* u.say(`ignored child ${(yield* u.wait()).pid}`);
  });
  expect(output).toContain(`running 0\nown group ${-errno.ECHILD}\nits group true\n`);
  expect(output).toContain(`ignored child ${-errno.ECHILD}\n`);
});

test('threads share memory and end with their process', async () => {
  const CLONE_THREAD_FLAGS = 0x100 | 0x200 | 0x400 | 0x800 | 0x10000;
  const { machine, output } = await runProgram(function* (u) {
    const pid = yield* u.fork(function* (leader) {
      const at = yield* leader.put('--------');
      const tid = yield* leader.fork(function* (thread) {
        thread.memory.write(at, new TextEncoder().encode('written!'));
        yield* thread.say(
          `tid differs ${(yield* thread.call('gettid')) !== (yield* thread.call('getpid'))}`,
        );
        for (;;) yield* thread.sleep(1e9);
      }, CLONE_THREAD_FLAGS);
      yield* leader.sleep(1e6);
      yield* leader.say(`leader sees ${leader.memory.readString(at, 8)} of ${tid > 0}`);
      return 3;
    });
    yield* u.say(`status ${(yield* u.wait(pid)).status >> 8}`);
  });
  expect(output).toContain('tid differs true\nleader sees written! of true\nstatus 3\n');
  expect(machine.now).toBeLessThan(1e9);
});

test('the first process must not end', async () => {
  const { machine, output } = await bootProgram(function* () {
    return 3;
  });
  expect(machine.run({ untilIdle: true })).toEqual({ reason: 'halted', how: 'panic' });
  expect(output()).toContain(
    'Kernel panic - not syncing: Attempted to kill init! exitcode=0x00000300\n',
  );
});
