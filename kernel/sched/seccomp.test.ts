/** seccomp from inside: what filtered programs may and may not do. */
import { expect, test } from 'vitest';
import { encodeClassic, type ClassicInsn } from '../../bpf/cbpf/insn.ts';
import { runProgram } from '../../test/support/programs.ts';
import { errno } from '../types/errno.ts';

type User = Parameters<Parameters<typeof runProgram>[0]>[0];

const op = (code: number, k = 0, jt = 0, jf = 0): ClassicInsn => ({ code, jt, jf, k: k >>> 0 });
const [LD, JEQ, RET] = [0x20, 0x15, 0x06] as const;
const ALLOW = 0x7fff0000;
const GETPPID = 110;
/** One call, and what it gets. */
const filterOf = (nr: number, verdict: number): ClassicInsn[] => [
  op(LD, 0),
  op(JEQ, nr, 0, 1),
  op(RET, verdict),
  op(RET, ALLOW),
];

/** A struct sock_fprog of the filter; its address. */
function* place(u: User, insns: readonly ClassicInsn[]) {
  const code = yield* u.put(encodeClassic(insns));
  const fprog = new Uint8Array(16);
  const view = new DataView(fprog.buffer);
  view.setUint16(0, insns.length, true);
  view.setBigUint64(8, BigInt(code), true);
  return yield* u.put(fprog);
}

test('a filter gives an error, a later one may only take away, children have it', async () => {
  const { output } = await runProgram(function* (u) {
    yield* u.call('seccomp', 1, 0, yield* place(u, filterOf(GETPPID, 0x00050000 | errno.EPERM)));
    yield* u.say(`first ${yield* u.call('getppid')} ${yield* u.call('prctl', 21)}`);
    yield* u.call('seccomp', 1, 0, yield* place(u, [op(RET, ALLOW)]));
    yield* u.say(`allowed again? ${yield* u.call('getppid')}`);
    yield* u.call('seccomp', 1, 0, yield* place(u, filterOf(GETPPID, 0x0005ffff)));
    yield* u.say(`larger error ${yield* u.call('getppid')}`);
    const pid = yield* u.fork(function* (child) {
      yield* child.say(`child ${yield* child.call('getppid')}`);
      return 0;
    });
    yield* u.wait(pid);
  });
  // Of filters that say the same the newest counts; there is no error above 4095.
  expect(output).toContain(`first ${-errno.EPERM} 2\n`);
  expect(output).toContain(`allowed again? ${-errno.EPERM}\n`);
  expect(output).toContain('larger error -4095\nchild -4095\n');
});

test.each([
  ['the process', 0x80000000, 0x9f],
  ['its only thread', 0, 0x9f],
  ['by an unknown action', 0x00010000, 0x9f],
])('kills %s', async (_, verdict, status) => {
  const { output } = await runProgram(function* (u) {
    const pid = yield* u.fork(function* (child) {
      yield* child.call('prctl', 38, 1, 0, 0, 0);
      yield* child.call('prctl', 22, 2, yield* place(child, filterOf(GETPPID, verdict)));
      yield* child.say('before');
      yield* child.call('getppid');
      yield* child.say('after');
      return 0;
    });
    yield* u.say(`status ${(yield* u.wait(pid)).status.toString(16)}`);
  });
  expect(output).toContain(`before\nstatus ${status.toString(16)}\n`);
});

test('a trap raises SIGSYS, and the call gives its own number', async () => {
  const { output } = await runProgram(function* (u) {
    yield* u.sigaction(31, function* () {
      yield* u.say('SIGSYS');
    });
    yield* u.call('seccomp', 1, 0, yield* place(u, filterOf(GETPPID, 0x00030000)));
    yield* u.say(`gave ${yield* u.call('getppid')}`);
  });
  expect(output).toContain('SIGSYS\ngave 110\n');
});

test('strict mode leaves read, write and exit', async () => {
  const { output } = await runProgram(function* (u) {
    const pid = yield* u.fork(function* (child) {
      const text = yield* child.put('strict\n');
      yield* child.call('seccomp', 0, 0, 0);
      yield* child.call('write', 1, text, 7);
      yield* child.call('getpid');
      return 0;
    });
    yield* u.say(`status ${(yield* u.wait(pid)).status}`);
  });
  expect(output).toContain('strict\nstatus 9\n');
});

test('who may, and what makes no sense', async () => {
  const { output } = await runProgram(function* (u) {
    const good = yield* place(u, [op(RET, ALLOW)]);
    const say = function* (name: string, result: number, who: User = u) {
      yield* who.say(`${name} ${result}`);
    };
    yield* say('flags', yield* u.call('seccomp', 1, 64, good));
    yield* say('operation', yield* u.call('seccomp', 9, 0, 0));
    yield* say('no filter', yield* u.call('seccomp', 1, 0, yield* place(u, [])));
    yield* say('nowhere', yield* u.call('seccomp', 1, 0, 8));
    yield* say('packet', yield* u.call('seccomp', 1, 0, yield* place(u, [op(0x28, 12), op(RET)])));
    yield* say('strict with flags', yield* u.call('seccomp', 0, 1, 0));
    const action = yield* u.put(new Uint8Array(Uint32Array.of(0x00050000).buffer));
    const unknown = yield* u.put(new Uint8Array(Uint32Array.of(0x00060000).buffer));
    yield* say('known', yield* u.call('seccomp', 2, 0, action));
    yield* say('unknown', yield* u.call('seccomp', 2, 0, unknown));
    yield* say('new privileges', yield* u.call('prctl', 39, 0, 0, 0, 0));
    yield* say('take back', yield* u.call('prctl', 38, 0, 0, 0, 0));
    const pid = yield* u.fork(function* (child) {
      yield* child.call('setresuid', 1000, 1000, 1000);
      yield* say('plain user', yield* child.call('seccomp', 1, 0, good), child);
      yield* child.call('prctl', 38, 1, 0, 0, 0);
      yield* say('with no_new_privs', yield* child.call('seccomp', 1, 0, good), child);
      yield* say('strict after filter', yield* child.call('seccomp', 0, 0, 0), child);
      return 0;
    });
    yield* u.wait(pid);
  });
  expect(output.trim().split('\n').slice(-13)).toEqual([
    `flags ${-errno.EINVAL}`,
    `operation ${-errno.EINVAL}`,
    `no filter ${-errno.EINVAL}`,
    `nowhere ${-errno.EFAULT}`,
    `packet ${-errno.EINVAL}`,
    `strict with flags ${-errno.EINVAL}`,
    'known 0',
    `unknown ${-errno.EOPNOTSUPP}`,
    'new privileges 0',
    `take back ${-errno.EINVAL}`,
    `plain user ${-errno.EACCES}`,
    'with no_new_privs 0',
    `strict after filter ${-errno.EINVAL}`,
  ]);
});
