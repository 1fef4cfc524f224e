/** Sockets: the calls that netlink users need, with `struct msghdr` as recvmsg(2) lays it out. */
import type { UserFlow } from '../../kernel/syscall/abi.ts';
import { syscall } from './files.ts';
import { layout } from './layout.ts';
import { NR } from './nr.ts';
import type { Process } from './process.ts';

export const AF_UNSPEC = 0;
export const AF_INET = 2;
export const AF_INET6 = 10;
export const AF_NETLINK = 16;
export const AF_PACKET = 17;
export const SOCK_RAW = 3;
export const SOCK_CLOEXEC = 0o2000000;

const SockaddrNl = layout({ family: 'u16', pad: 'u16', pid: 'u32', groups: 'u32' });
const Msghdr = layout({
  name: 'n64',
  namelen: 'u32',
  pad: 'u32',
  iov: 'n64',
  iovlen: 'n64',
  control: 'n64',
  controllen: 'n64',
  flags: 'i32',
});
const Iovec = layout({ base: 'n64', length: 'n64' });

export const socket = (family: number, type: number, protocol: number): UserFlow<number> =>
  syscall(NR.socket, family, type, protocol);

export function* bindNetlink(p: Process, fd: number, groups = 0): UserFlow<number> {
  const mark = p.mark();
  const address = yield* p.takeBytes(SockaddrNl.encode({ family: AF_NETLINK, groups }));
  const result = yield* syscall(NR.bind, fd, address, SockaddrNl.size);
  p.release(mark);
  return result;
}

export function* setsockopt(
  p: Process,
  fd: number,
  level: number,
  option: number,
  value: number,
): UserFlow<number> {
  const mark = p.mark();
  const address = yield* p.take(4);
  p.memory.writeU32(address, value);
  const result = yield* syscall(NR.setsockopt, fd, level, option, address, 4);
  p.release(mark);
  return result;
}

/** One datagram to the kernel. */
export function* sendNetlink(p: Process, fd: number, data: Uint8Array): UserFlow<number> {
  const mark = p.mark();
  const name = yield* p.takeBytes(SockaddrNl.encode({ family: AF_NETLINK }));
  const base = yield* p.takeBytes(data);
  const iov = yield* p.takeBytes(Iovec.encode({ base, length: data.length }));
  const header = { name, namelen: SockaddrNl.size, iov, iovlen: 1 };
  const message = yield* p.takeBytes(Msghdr.encode(header));
  const result = yield* syscall(NR.sendmsg, fd, message, 0);
  p.release(mark);
  return result;
}

/** One datagram of at most 16 KiB, or a negative errno. */
export function* recvmsg(p: Process, fd: number): UserFlow<Uint8Array | number> {
  const mark = p.mark();
  const size = 16384;
  const name = yield* p.take(SockaddrNl.size);
  const base = yield* p.take(size);
  const iov = yield* p.takeBytes(Iovec.encode({ base, length: size }));
  const header = { name, namelen: SockaddrNl.size, iov, iovlen: 1 };
  const message = yield* p.takeBytes(Msghdr.encode(header));
  const got = yield* syscall(NR.recvmsg, fd, message, 0);
  const data = got < 0 ? got : p.memory.read(base, got).slice();
  p.release(mark);
  return data;
}
