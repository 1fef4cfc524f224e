/** Sockets as processes use them: netlink, interface ioctls, XDP attached and fed with packets. */
import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { assemble } from '../../bpf/asm/assemble.ts';
import { encodeInsns } from '../../bpf/isa/codec.ts';
import type { MachineConfig } from '../config.ts';
import { errno } from '../types/errno.ts';
import { readCapture } from '../../hw/nic/pcap.ts';
import type { User } from '../../test/support/programs.ts';
import { bootProgram, runProgram } from '../../test/support/programs.ts';
import { attributesOf, headerAt, MessageWriter } from '../net/netlink/message.ts';
import { IFLA, IFLA_XDP, RTM_GETLINK, RTM_SETLINK } from '../net/netlink/route-constants.ts';
import { PROC_NET_FILES } from '../net/proc-files.ts';
import type { UserFlow } from './abi.ts';

const AF_NETLINK = 16;
const SOCK_RAW = 3;
const MSG_PEEK_TRUNC = 0x22;
const MSG_DONTWAIT = 0x40;
const CONFIG: MachineConfig = {
  nics: [{ name: 'eth0', queues: 2, mac: '02:00:00:00:00:01' }],
};

const linkRequest = (
  type: number,
  flags: number,
  { ifindex = 0, up = undefined as boolean | undefined },
  fill: (m: MessageWriter) => void = () => {},
) => {
  const message = new MessageWriter(type, flags, 7, 0);
  const ifinfomsg = new Uint8Array(16);
  const view = new DataView(ifinfomsg.buffer);
  view.setInt32(4, ifindex, true);
  if (up !== undefined) {
    view.setUint32(8, up ? 1 : 0, true);
    view.setUint32(12, 1, true);
  }
  message.raw(ifinfomsg);
  fill(message);
  return message.finish();
};

function* netlink(u: User): UserFlow<number> {
  const fd = yield* u.call('socket', AF_NETLINK, SOCK_RAW, 0);
  yield* u.call('bind', fd, new Uint8Array([AF_NETLINK, ...Array<number>(11).fill(0)]), 12);
  return fd;
}

/** Send a request and read one datagram. */
function* ask(u: User, fd: number, request: Uint8Array): UserFlow<Uint8Array> {
  yield* u.call('sendto', fd, request, request.length, 0, 0, 0);
  const room = yield* u.room(8192);
  const length = yield* u.call('recvfrom', fd, room, 8192, MSG_DONTWAIT, 0, 0);
  return u.memory.read(room, Math.max(0, length));
}

const errorOf = (answer: Uint8Array) =>
  new DataView(answer.buffer, answer.byteOffset).getInt32(16, true);

function* up(u: User, fd: number, ifindex: number): UserFlow<number> {
  return errorOf(yield* ask(u, fd, linkRequest(RTM_SETLINK, 5, { ifindex, up: true })));
}

/** bpf(BPF_PROG_LOAD) of an XDP program. */
function* loadXdp(u: User, text: string): UserFlow<number> {
  const insns = assemble(text);
  const attr = new DataView(new ArrayBuffer(48));
  attr.setUint32(0, 6, true);
  attr.setUint32(4, insns.length, true);
  attr.setBigUint64(8, BigInt(yield* u.put(encodeInsns(insns))), true);
  attr.setBigUint64(16, BigInt(yield* u.put('GPL\0')), true);
  return yield* u.call('bpf', 5, new Uint8Array(attr.buffer), 48);
}

describe('netlink sockets', () => {
  it('answer with the size first, then the message, and tell who they are', async () => {
    const { output } = await runProgram(function* (u) {
      const fd = yield* netlink(u);
      const request = linkRequest(RTM_GETLINK, 0x301, {});
      yield* u.say(`sent ${yield* u.call('sendto', fd, request, request.length, 0, 0, 0)}`);
      const name = yield* u.room(12);
      const nameLength = yield* u.put(Uint8Array.of(12, 0, 0, 0));
      yield* u.call('getsockname', fd, name, nameLength);
      yield* u.say(`port ${u.memory.readU32((name + 4) as typeof name)}`);
      // An msghdr without buffers, as iproute2 peeks.
      const empty = yield* u.put(new Uint8Array(56));
      const size = yield* u.call('recvmsg', fd, empty, MSG_PEEK_TRUNC);
      const flags = u.memory.readU32((empty + 48) as typeof empty);
      yield* u.say(`peek ${size} flags ${flags.toString(16)}`);
      const room = yield* u.room(8192);
      const got = yield* u.call('recvfrom', fd, room, 8192, 0, 0, 0);
      const names: string[] = [];
      const bytes = u.memory.read(room, got).slice();
      for (let at = 0; at < got; at += headerAt(bytes, at).length) {
        const message = bytes.slice(at, at + headerAt(bytes, at).length);
        names.push(Buffer.from(attributesOf(message, 32).get(IFLA.IFNAME)!).toString());
      }
      yield* u.say(`got ${got === size} ${names.map((text) => text.replace('\0', '')).join()}`);
      const done = yield* u.call('recvfrom', fd, room, 8192, 0, 0, 0);
      yield* u.say(`done ${done} type ${u.memory.read(room, 6)[4]}`);
      yield* u.say(`then ${yield* u.call('recvfrom', fd, room, 8192, MSG_DONTWAIT, 0, 0)}`);
    }, CONFIG);
    const [sent, port, peek, got, done, then] = output.split('\n');
    expect([sent, port]).toEqual(['sent 32', 'port 1']);
    expect(peek).toMatch(/^peek \d{4} flags 20$/);
    expect([got, done, then]).toEqual([
      'got true lo,eth0',
      'done 20 type 3',
      `then ${-errno.EAGAIN}`,
    ]);
  });

  it('block a reader until an interface changes', async () => {
    const { output } = await runProgram(function* (u) {
      const pid = yield* u.fork(function* (child) {
        const fd = yield* netlink(child);
        yield* child.call('setsockopt', fd, 270, 1, Uint8Array.of(1, 0, 0, 0), 4);
        const room = yield* child.room(8192);
        const length = yield* child.call('read', fd, room, 8192);
        const message = child.memory.read(room, length);
        yield* child.say(`child heard of ${headerAt(message, 0).type}`);
        return 0;
      });
      yield* u.sleep(1_000_000);
      const fd = yield* netlink(u);
      yield* u.say(`up ${yield* up(u, fd, 2)}`);
      yield* u.wait(pid);
    }, CONFIG);
    expect(output.split('\n').slice(0, 2)).toEqual(['up 0', 'child heard of 16']);
  });

  it('fail as Linux’s do', async () => {
    const { output } = await runProgram(function* (u) {
      const fd = yield* netlink(u);
      const tries: readonly [string, ...(number | string | Uint8Array)[]][] = [
        ['socket', 99, 1, 0],
        ['socket', AF_NETLINK, 1, 0],
        ['socket', AF_NETLINK, SOCK_RAW, 31],
        ['socket', AF_NETLINK, SOCK_RAW | 0x100, 0],
        ['bind', fd, Uint8Array.of(2, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0), 12],
        ['bind', fd, Uint8Array.of(16, 0), 2],
        ['bind', 1, Uint8Array.of(16, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0), 12],
        ['bind', 77, Uint8Array.of(16, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0), 12],
        ['sendto', fd, 0x1000, 20, 0, 0, 0],
        ['recvmsg', fd, 0x1000, 0],
        ['setsockopt', fd, 270, 99, Uint8Array.of(1, 0, 0, 0), 4],
        ['lseek', fd, 0, 0],
      ];
      for (const [name, ...args] of tries) yield* u.say(String(yield* u.call(name, ...args)));
    }, CONFIG);
    expect(output.trim().split('\n').map(Number)).toEqual([
      -errno.EAFNOSUPPORT,
      -errno.ESOCKTNOSUPPORT,
      -errno.EPROTONOSUPPORT,
      -errno.EINVAL,
      -errno.EINVAL,
      -errno.EINVAL,
      -errno.ENOTSOCK,
      -errno.EBADF,
      -errno.EFAULT,
      -errno.EFAULT,
      -errno.ENOPROTOOPT,
      -errno.ESPIPE,
    ]);
  });
});

describe('interface ioctls', () => {
  it('answer by name and by index', async () => {
    const { output } = await runProgram(function* (u) {
      const fd = yield* u.call('socket', 2, 2, 0);
      const ifreq = yield* u.room(40);
      const ask = function* (command: number, name: string): UserFlow<DataView | number> {
        const bytes = new Uint8Array(40);
        bytes.set(new TextEncoder().encode(name));
        u.memory.write(ifreq, bytes);
        const result = yield* u.call('ioctl', fd, command, ifreq);
        const answer = u.memory.read(ifreq, 40).slice();
        return result < 0 ? result : new DataView(answer.buffer, 16);
      };
      const index = (yield* ask(0x8933, 'eth0')) as DataView;
      const mtu = (yield* ask(0x8921, 'eth0')) as DataView;
      const mac = (yield* ask(0x8927, 'eth0')) as DataView;
      yield* u.say(`${index.getInt32(0, true)} ${mtu.getInt32(0, true)} ${mac.getUint8(7)}`);
      yield* u.say(String(yield* ask(0x8933, 'eth9')));
      yield* u.say(String(yield* ask(0x8915, 'eth0')));
      const byIndex = new Uint8Array(40);
      byIndex[16] = 1;
      u.memory.write(ifreq, byIndex);
      yield* u.call('ioctl', fd, 0x8910, ifreq);
      yield* u.say(u.memory.readString(ifreq));
    }, CONFIG);
    expect(output.trim().split('\n')).toEqual([
      '2 1500 1',
      `${-errno.ENODEV}`,
      `${-errno.EADDRNOTAVAIL}`,
      'lo',
    ]);
  });
});

describe('a program on an interface', () => {
  it('is loaded, attached, fed with real packets and detached', async () => {
    const frames = readCapture(
      new Uint8Array(
        readFileSync(new URL('../../scenarios/first-light/traffic.pcap', import.meta.url)),
      ),
      'traffic.pcap',
    ).frames;
    const { machine, output } = await bootProgram(function* (u) {
      const fd = yield* netlink(u);
      const program = yield* loadXdp(u, 'r0 = 1\nexit');
      const attach = (descriptor: number) =>
        linkRequest(RTM_SETLINK, 5, { ifindex: 2 }, (m) =>
          m.nested(IFLA.XDP, () => m.u32(IFLA_XDP.FD, descriptor).u32(IFLA_XDP.FLAGS, 4)),
        );
      yield* u.say(`up ${yield* up(u, fd, 2)}`);
      yield* u.say(`attach ${errorOf(yield* ask(u, fd, attach(program)))}`);
      yield* u.say(`no program ${errorOf(yield* ask(u, fd, attach(fd)))}`);
      yield* u.say(`bad ${errorOf(yield* ask(u, fd, attach(66)))}`);
      yield* u.sleep(10e9);
      yield* u.say(`detach ${errorOf(yield* ask(u, fd, attach(-1)))}`);
      for (;;) yield* u.sleep(1e9);
    }, CONFIG);
    await machine.runAsync({ untilNs: 1e9 });
    machine.network.play('eth0', frames);
    await machine.runAsync({ untilNs: 20e9 });
    expect(output().trim().split('\n')).toEqual([
      'up 0',
      'attach 0',
      `no program ${-errno.EINVAL}`,
      `bad ${-errno.EBADF}`,
      'detach 0',
    ]);
    const [driver] = machine.network.drivers;
    const sum = (name: 'xdp_drop' | 'xdp_packets') =>
      driver!.queues.reduce((total, queue) => total + queue.stats[name], 0);
    expect([sum('xdp_packets'), sum('xdp_drop')]).toEqual([237, 237]);
    const softnet = PROC_NET_FILES['softnet_stat']!(machine.network.net);
    const processed = softnet
      .trim()
      .split('\n')
      .map((line) => parseInt(line.split(' ')[0]!, 16));
    expect(processed.reduce((a, b) => a + b)).toBe(237);
  });
});
