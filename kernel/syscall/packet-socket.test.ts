/** AF_PACKET sockets as processes use them, with the filters that tcpdump makes. */
import { readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { readCapture } from '../../hw/nic/pcap.ts';
import { bootProgram, runProgram, type User } from '../../test/support/programs.ts';
import type { MachineConfig } from '../config.ts';
import { errno } from '../types/errno.ts';
import type { UserFlow } from './abi.ts';

const [AF_PACKET, SOCK_DGRAM, SOCK_RAW] = [17, 2, 3] as const;
const MSG_DONTWAIT = 0x40;
const SIOCSIFFLAGS = 0x8914;
/** As the kernel takes protocols: network order. */
const ALL = 0x0300;
const ARP = 0x0608;
const PACKET_OUTGOING = 4;
const CONFIG: MachineConfig = {
  nics: [{ name: 'eth0', queues: 2, mac: '02:00:00:00:00:01' }],
};
const root = new URL('../../', import.meta.url);
const { frames } = readCapture(
  new Uint8Array(readFileSync(new URL('scenarios/first-light/traffic.pcap', root))),
  'traffic.pcap',
);
/** A tag is not in the frame any more when a socket sees it, but is in a file. */
const isUntagged = ({ data }: (typeof frames)[number]) => data[12] !== 0x81;

interface Compiled {
  readonly filter: string;
  readonly code: readonly (readonly [number, number, number, number])[];
  readonly matches: readonly number[];
}
const compiled = JSON.parse(
  readFileSync(new URL('bpf/cbpf/tcpdump-filters.json', root), 'utf8'),
) as Compiled[];

const hex = (bytes: Uint8Array): string => Buffer.from(bytes).toString('hex');
const int = (value: number) => new Uint8Array(Int32Array.of(value).buffer);

function* up(u: User, name: string): UserFlow<number> {
  const ifreq = new Uint8Array(40);
  ifreq.set(new TextEncoder().encode(name));
  ifreq[16] = 1; // IFF_UP
  const fd = yield* u.call('socket', AF_PACKET, SOCK_RAW, 0);
  return yield* u.call('ioctl', fd, SIOCSIFFLAGS, yield* u.put(ifreq));
}

function* open(u: User, type: number, protocol: number, ifindex = 0): UserFlow<number> {
  const fd = yield* u.call('socket', AF_PACKET, type, protocol);
  const address = new Uint8Array(20);
  address[0] = AF_PACKET;
  address[4] = ifindex;
  yield* u.call('bind', fd, address, 20);
  yield* u.call('setsockopt', fd, 1, 8, int(1 << 22), 4);
  return fd;
}

function* attach(u: User, fd: number, { code }: Compiled): UserFlow<number> {
  const insns = new Uint8Array(code.length * 8);
  const view = new DataView(insns.buffer);
  code.forEach(([opcode, jt, jf, k], i) => {
    view.setUint16(i * 8, opcode, true);
    insns.set([jt, jf], i * 8 + 2);
    view.setUint32(i * 8 + 4, k, true);
  });
  const fprog = new Uint8Array(16);
  new DataView(fprog.buffer).setUint16(0, code.length, true);
  new DataView(fprog.buffer).setBigUint64(8, BigInt(yield* u.put(insns)), true);
  return yield* u.call('setsockopt', fd, 1, 26, fprog, 16);
}

interface Frame {
  readonly data: string;
  readonly from: Uint8Array;
}

/** What waits to be read. */
function* drain(u: User, fd: number): UserFlow<Frame[]> {
  const room = yield* u.room(2048);
  const from = yield* u.room(20);
  const size = yield* u.room(4);
  const read: Frame[] = [];
  for (;;) {
    u.memory.write(size, int(20));
    const length = yield* u.call('recvfrom', fd, room, 2048, MSG_DONTWAIT, from, size);
    if (length < 0) return read;
    read.push({ data: hex(u.memory.read(room, length)), from: u.memory.read(from, 20).slice() });
  }
}

test('filters that tcpdump compiles let through what tcpdump lets through', async () => {
  const seen: string[][] = [];
  const { machine, output } = await bootProgram(function* (u) {
    yield* u.say(`up ${yield* up(u, 'eth0')}`);
    const fds: number[] = [];
    for (const each of compiled) {
      const fd = yield* open(u, SOCK_RAW, ALL, 2);
      if ((yield* attach(u, fd, each)) !== 0) yield* u.say(`refused: ${each.filter}`);
      fds.push(fd);
    }
    yield* u.sleep(10e9);
    for (const fd of fds) {
      const read = yield* drain(u, fd);
      seen.push(read.filter(({ from }) => from[10] !== PACKET_OUTGOING).map(({ data }) => data));
    }
    yield* u.say('done');
    for (;;) yield* u.sleep(1e9);
  }, CONFIG);
  await machine.runAsync({ untilNs: 1e9 });
  machine.network.play('eth0', frames.filter(isUntagged));
  await machine.runAsync({ untilNs: 20e9 });
  expect(output()).toBe('up 0\ndone\n');
  // Queues of the interface are emptied in their own order.
  compiled.forEach(({ filter, matches }, i) => {
    const passed = matches.map((number) => frames[number]!).filter(isUntagged);
    const expected = passed.map(({ data }) => hex(data));
    expect([...seen[i]!].sort(), filter).toEqual(expected.sort());
  });
});

test('what is sent goes out of the interface, and others see it go', async () => {
  const { machine, output } = await runProgram(function* (u) {
    yield* up(u, 'eth0');
    const [mine, other] = [yield* open(u, SOCK_RAW, ALL, 2), yield* open(u, SOCK_RAW, ALL, 2)];
    const arpOnly = yield* open(u, SOCK_RAW, ARP, 2);
    const frame = Buffer.from('ffffffffffff' + '020000000001' + '0806' + '00'.repeat(46), 'hex');
    yield* u.say(`sent ${yield* u.call('sendto', mine, frame, frame.length, 0, 0, 0)}`);
    const to = new Uint8Array(20);
    to.set([AF_PACKET, 0, 0x08, 0x06, 2, 0, 0, 0, 0, 0, 0, 6, 2, 0, 0, 0, 0, 9]);
    const plain = yield* open(u, SOCK_DGRAM, 0, 2);
    yield* u.say(`payload ${yield* u.call('sendto', plain, new Uint8Array(46), 46, 0, to, 20)}`);
    const read = yield* drain(u, other);
    yield* u.say(read.map(({ data, from }) => `${data.slice(0, 28)} ${from[10]}`).join(' '));
    yield* u.say(`own ${(yield* drain(u, mine)).length} arp ${(yield* drain(u, arpOnly)).length}`);
    yield* u.say(`short ${yield* u.call('sendto', mine, frame, 13, 0, 0, 0)}`);
    yield* u.say(`long ${yield* u.call('sendto', mine, new Uint8Array(1515), 1515, 0, 0, 0)}`);
    const nowhere = yield* open(u, SOCK_RAW, ALL);
    yield* u.say(`nowhere ${yield* u.call('sendto', nowhere, frame, 60, 0, 0, 0)}`);
  }, CONFIG);
  expect(output).toBe(
    'sent 60\npayload 46\n' +
      'ffffffffffff0200000000010806 4 0200000000090200000000010806 4\n' +
      // Its own frames do not come back to who sends them, the other's does.
      'own 1 arp 0\n' +
      `short ${-errno.EINVAL}\nlong ${-errno.EMSGSIZE}\nnowhere ${-errno.ENXIO}\n`,
  );
  expect(machine.network.drivers[0]!.queues.length).toBe(2);
});

test('who may have one, and where it can be bound', async () => {
  const { output } = await runProgram(function* (u) {
    yield* u.say(`type ${yield* u.call('socket', AF_PACKET, 1, 0)}`);
    const fd = yield* u.call('socket', AF_PACKET, SOCK_RAW, ALL);
    const bind = (bytes: readonly number[], size = 20) => {
      const address = new Uint8Array(20);
      address.set(bytes);
      return u.call('bind', fd, address, size);
    };
    yield* u.say(`short ${yield* bind([AF_PACKET], 12)} family ${yield* bind([2])}`);
    yield* u.say(`no interface ${yield* bind([AF_PACKET, 0, 0, 3, 99])}`);
    yield* u.say(`down ${yield* bind([AF_PACKET, 0, 0, 3, 1])}`);
    yield* u.say(`told ${yield* u.call('recvfrom', fd, yield* u.room(8), 8, MSG_DONTWAIT, 0, 0)}`);
    yield* u.say(`once ${yield* u.call('recvfrom', fd, yield* u.room(8), 8, MSG_DONTWAIT, 0, 0)}`);
    const pid = yield* u.fork(function* (child) {
      yield* child.call('setresuid', 1000, 1000, 1000);
      yield* child.say(`user ${yield* child.call('socket', AF_PACKET, SOCK_RAW, ALL)}`);
      return 0;
    });
    yield* u.wait(pid);
  });
  const invalid = -errno.EINVAL;
  expect(output).toBe(
    `type ${-errno.ESOCKTNOSUPPORT}\nshort ${invalid} family ${invalid}\n` +
      `no interface ${-errno.ENODEV}\ndown 0\ntold ${-errno.ENETDOWN}\nonce ${-errno.EAGAIN}\n` +
      `user ${-errno.EPERM}\n`,
  );
});
