/** Filters on sockets, as processes attach them; netlink's answers are the packets. */
import { expect, test } from 'vitest';
import { encodeClassic, type ClassicInsn } from '../../bpf/cbpf/insn.ts';
import { load } from '../../test/support/bpf-user.ts';
import { runProgram, type User } from '../../test/support/programs.ts';
import { errno } from '../types/errno.ts';
import type { UserFlow } from './abi.ts';

const AF_NETLINK = 16;
const SOL_SOCKET = 1;
const [ATTACH_FILTER, DETACH_FILTER, LOCK_FILTER, ATTACH_BPF] = [26, 27, 44, 50] as const;
const MSG_DONTWAIT = 0x40;

const op = (code: number, k = 0, jt = 0, jf = 0): ClassicInsn => ({ code, jt, jf, k: k >>> 0 });
/** `verdict` for a message of that type (NLMSG_ERROR is 2), nothing for others. */
const onlyType = (type: number, verdict: number): ClassicInsn[] => [
  op(0x28, 4),
  op(0x15, type << 8, 0, 1),
  op(0x06, verdict),
  op(0x06, 0),
];

function* attach(u: User, fd: number, insns: readonly ClassicInsn[]): UserFlow<number> {
  const fprog = new Uint8Array(16);
  const view = new DataView(fprog.buffer);
  view.setUint16(0, insns.length, true);
  view.setBigUint64(8, BigInt(yield* u.put(encodeClassic(insns))), true);
  return yield* u.call('setsockopt', fd, SOL_SOCKET, ATTACH_FILTER, fprog, 16);
}

const int = (value: number) => new Uint8Array(Int32Array.of(value).buffer);

/** A request that is answered by an acknowledgement of 36 bytes; how many of them arrive. */
function* ask(u: User, fd: number): UserFlow<number> {
  const request = new Uint8Array(32);
  const view = new DataView(request.buffer);
  view.setUint32(0, 32, true);
  view.setUint16(4, 19, true); // RTM_SETLINK
  view.setUint16(6, 5, true); // NLM_F_REQUEST | NLM_F_ACK
  view.setInt32(20, 1, true);
  yield* u.call('sendto', fd, request, 32, 0, 0, 0);
  return yield* u.call('recvfrom', fd, yield* u.room(256), 256, MSG_DONTWAIT, 0, 0);
}

test('a classic filter drops, cuts and passes; it is read back and taken off', async () => {
  const { output } = await runProgram(function* (u) {
    const fd = yield* u.call('socket', AF_NETLINK, 3, 0);
    const whole = yield* ask(u, fd);
    yield* u.say(`plain ${whole > 20}`);
    yield* u.say(`other type ${yield* attach(u, fd, onlyType(16, 0xffff))} ${yield* ask(u, fd)}`);
    yield* u.say(`cut ${yield* attach(u, fd, onlyType(2, 20))} ${yield* ask(u, fd)}`);
    yield* attach(u, fd, onlyType(2, 0xffff));
    yield* u.say(`passed ${(yield* ask(u, fd)) === whole}`);
    const length = yield* u.put(int(16));
    const room = yield* u.room(64);
    const got = yield* u.call('getsockopt', fd, SOL_SOCKET, ATTACH_FILTER, room, length);
    const same = u.memory.read(room, 32).join() === encodeClassic(onlyType(2, 0xffff)).join();
    yield* u.say(`read back ${got} ${u.memory.read(length, 1)[0]} ${same}`);
    const off = (option: number, value = 0) =>
      u.call('setsockopt', fd, SOL_SOCKET, option, int(value), 4);
    yield* u.say(`off ${yield* off(DETACH_FILTER)} again ${yield* off(DETACH_FILTER)}`);
    yield* u.say(`lock ${yield* off(LOCK_FILTER, 1)} unlock ${yield* off(LOCK_FILTER, 0)}`);
    yield* u.say(`locked ${yield* attach(u, fd, onlyType(2, 1))} ${yield* off(DETACH_FILTER)}`);
  });
  expect(output).toBe(
    `plain true\nother type 0 ${-errno.EAGAIN}\ncut 0 20\npassed true\nread back 0 4 true\n` +
      `off 0 again ${-errno.ENOENT}\nlock 0 unlock ${-errno.EPERM}\n` +
      `locked ${-errno.EPERM} ${-errno.EPERM}\n`,
  );
});

test('a BPF program does the same, and cannot be read back', async () => {
  const { output } = await runProgram(function* (u) {
    const fd = yield* u.call('socket', AF_NETLINK, 3, 0);
    const program = yield* load(
      u,
      'socket_filter',
      'r6 = r1\n r0 = *(u8 *)skb[4]\n if r0 == 2 goto out\n r0 = 0\n exit\nout:\n r0 = 24\n exit',
    );
    const other = yield* load(u, 'xdp', 'r0 = 2\n exit');
    const put = (value: number, size = 4) =>
      u.call('setsockopt', fd, SOL_SOCKET, ATTACH_BPF, int(value), size);
    yield* u.say(`attach ${yield* put(program)} ${yield* ask(u, fd)}`);
    yield* u.say(`wrong ${yield* put(other)} ${yield* put(999)} ${yield* put(program, 8)}`);
    const length = yield* u.put(int(16));
    const read = yield* u.call('getsockopt', fd, SOL_SOCKET, ATTACH_FILTER, 0, length);
    yield* u.say(`read ${read}`);
  });
  expect(output).toBe(
    `attach 0 24\nwrong ${-errno.EINVAL} ${-errno.EBADF} ${-errno.EINVAL}\nread ${-errno.EACCES}\n`,
  );
});

test('what makes no sense as a filter', async () => {
  const { output } = await runProgram(function* (u) {
    const fd = yield* u.call('socket', AF_NETLINK, 3, 0);
    const set = (value: Uint8Array | number, size: number) =>
      u.call('setsockopt', fd, SOL_SOCKET, ATTACH_FILTER, value, size);
    yield* u.say(`empty ${yield* attach(u, fd, [])} no return ${yield* attach(u, fd, [op(0x28)])}`);
    yield* u.say(`size ${yield* set(new Uint8Array(16), 8)} nowhere ${yield* set(8, 16)}`);
  });
  const invalid = -errno.EINVAL;
  expect(output).toBe(
    `empty ${invalid} no return ${invalid}\nsize ${invalid} nowhere ${-errno.EFAULT}\n`,
  );
});
