/**
 * System calls on sockets: the buffers and addresses of user memory on one side, kernel/net/socket.ts
 * on the other.
 */
import { bpfHandle } from '../bpf/bpf-file.ts';
import { O_NONBLOCK, O_RDWR } from '../fs/fcntl.ts';
import { S_IFSOCK } from '../fs/vfs-types.ts';
import type { Kernel } from '../machine-types.ts';
import { bytesFromUser, fromUser, toUser, u32ToUser } from '../mm/user-copy.ts';
import { AF_INET, AF_INET6, AF_NETLINK, AF_PACKET } from '../net/address.ts';
import { InetSocket } from '../net/inet-socket.ts';
import { PacketSocket } from '../net/packet-socket.ts';
import { swap16 } from '../net/skb.ts';
import type { Received, Socket, SocketCaller } from '../net/socket.ts';
import { MSG_DONTWAIT, MSG_TRUNC, SocketFile } from '../net/socket.ts';
import { CAP_NET_ADMIN, CAP_NET_RAW } from '../sched/credentials.ts';
import type { KernelFlow, MaySleep } from '../sched/flow.ts';
import { isFlow } from '../sched/flow.ts';
import type { Task } from '../sched/task.ts';
import { errno } from '../types/errno.ts';
import { asInt, fileOf } from './fs-args.ts';
import { syscall } from './row.ts';
import {
  filterOption,
  getFilter,
  setFilterOption,
  SO_GET_FILTER,
  SOL_SOCKET,
} from './socket-filter.ts';

const SOCK_STREAM = 1;
const SOCK_DGRAM = 2;
const SOCK_RAW = 3;
const SOCK_TYPE_MASK = 0xf;
/** SOCK_NONBLOCK and SOCK_CLOEXEC are O_NONBLOCK and O_CLOEXEC. */
const SOCK_CLOEXEC = 0o2000000;
const AF_MAX = 46;
/** struct sockaddr_storage */
const MAX_ADDRESS_BYTES = 128;
const MSGHDR_BYTES = 56;
const IOVEC_BYTES = 16;
const UIO_MAXIOV = 1024;
/** Longest datagram taken from a sender: net.core.wmem_default. */
const MAX_DATAGRAM_BYTES = 212992;

/** Where in struct user_msghdr what stands. */
const MSG = { name: 0, namelen: 8, iov: 16, iovlen: 24, controllen: 40, flags: 48 } as const;

function callerOf(task: Task): SocketCaller {
  return {
    tgid: task.tgid,
    netAdmin: task.cred.capable(CAP_NET_ADMIN),
    objectOfFd(fd) {
      const handle = bpfHandle(task, fd);
      return handle ? handle.object : handle;
    },
    copyIn: (address, sizeBytes) => bytesFromUser(task, address, sizeBytes),
    copyOut: (address, bytes) => toUser(task, address, bytes) === 0,
  };
}

interface OpenSocket {
  readonly socket: Socket;
  /** MSG_DONTWAIT where the descriptor does not block. */
  readonly flags: number;
}

function socketOf(task: Task, fd: number): OpenSocket | number {
  const file = fileOf(task, fd);
  if (!file) return -errno.EBADF;
  if (!(file.ops instanceof SocketFile)) return -errno.ENOTSOCK;
  return { socket: file.ops.object, flags: file.flags & O_NONBLOCK ? MSG_DONTWAIT : 0 };
}

function makeSocket(
  { network: { net } }: Kernel,
  task: Task,
  family: number,
  type: number,
  protocol: number,
): Socket | number {
  if (family < 0 || family >= AF_MAX) return -errno.EAFNOSUPPORT;
  if (type < SOCK_STREAM || type > 10) return -errno.EINVAL;
  if (family === AF_NETLINK) {
    if (type !== SOCK_RAW && type !== SOCK_DGRAM) return -errno.ESOCKTNOSUPPORT;
    return net.netlink.socket(type, protocol);
  }
  if (family === AF_INET || family === AF_INET6) {
    return new InetSocket(net, family, type, protocol);
  }
  if (family === AF_PACKET) {
    if (!task.cred.capable(CAP_NET_RAW)) return -errno.EPERM;
    // differs: no SOCK_PACKET, which was obsolete 20 years before.
    if (type !== SOCK_RAW && type !== SOCK_DGRAM) return -errno.ESOCKTNOSUPPORT;
    return new PacketSocket(net, type, swap16(protocol & 0xffff));
  }
  // differs: no other families yet.
  return -errno.EAFNOSUPPORT;
}

function socketCall(kernel: Kernel, task: Task, family: number, type: number, protocol: number) {
  const flags = asInt(type) & ~SOCK_TYPE_MASK;
  if (flags & ~(SOCK_CLOEXEC | O_NONBLOCK)) return -errno.EINVAL;
  const socket = makeSocket(
    kernel,
    task,
    asInt(family),
    asInt(type) & SOCK_TYPE_MASK,
    asInt(protocol),
  );
  if (typeof socket === 'number') return socket;
  const { vfs } = kernel;
  const ino = vfs.newIno();
  const ops = new SocketFile(socket, ino, () => callerOf(kernel.sched.current));
  const file = vfs.pseudoFile(ops, O_RDWR | (flags & O_NONBLOCK), S_IFSOCK | 0o777, ino);
  const fd = task.files!.install(file, { cloexec: (flags & SOCK_CLOEXEC) !== 0 });
  if (fd < 0) file.put();
  return fd;
}

/** A socket address argument, or -errno. */
function addressArg(task: Task, address: number, length: number): Uint8Array | number {
  const bytes = asInt(length);
  if (bytes < 0 || bytes > MAX_ADDRESS_BYTES) return -errno.EINVAL;
  return bytesFromUser(task, address, bytes) ?? -errno.EFAULT;
}

/** move_addr_to_user: cut to the caller's room, whole length told. */
function addressToUser(task: Task, bytes: Uint8Array, at: number, lengthAt: number): number {
  const room = fromUser(task, lengthAt, 4)?.getInt32(0, true);
  if (room === undefined) return -errno.EFAULT;
  if (room < 0) return -errno.EINVAL;
  const result = toUser(task, at, bytes.subarray(0, room));
  return result < 0 ? result : u32ToUser(task, lengthAt, bytes.length);
}

type Scatter = readonly { readonly base: number; readonly length: number }[];

interface MessageHeader {
  readonly name: number;
  readonly nameLength: number;
  readonly buffers: Scatter;
  readonly bytes: number;
}

function messageHeader(task: Task, address: number): MessageHeader | number {
  const header = fromUser(task, address, MSGHDR_BYTES);
  if (!header) return -errno.EFAULT;
  const count = Number(header.getBigUint64(MSG.iovlen, true));
  if (count > UIO_MAXIOV) return -errno.EMSGSIZE;
  const iov = fromUser(task, Number(header.getBigUint64(MSG.iov, true)), count * IOVEC_BYTES);
  if (!iov) return -errno.EFAULT;
  const buffers = Array.from({ length: count }, (_, i) => ({
    base: Number(iov.getBigUint64(i * IOVEC_BYTES, true)),
    length: Number(iov.getBigUint64(i * IOVEC_BYTES + 8, true)),
  }));
  const name = Number(header.getBigUint64(MSG.name, true));
  const nameLength = name === 0 ? 0 : header.getInt32(MSG.namelen, true);
  if (nameLength < 0) return -errno.EINVAL;
  const bytes = buffers.reduce((sum, buffer) => sum + buffer.length, 0);
  return { name, nameLength: Math.min(nameLength, MAX_ADDRESS_BYTES), buffers, bytes };
}

function gather(task: Task, buffers: Scatter, bytes: number): Uint8Array | number {
  if (bytes > MAX_DATAGRAM_BYTES) return -errno.EMSGSIZE;
  const data = new Uint8Array(bytes);
  let at = 0;
  for (const { base, length } of buffers) {
    const part = bytesFromUser(task, base, length);
    if (!part) return -errno.EFAULT;
    data.set(part, at);
    at += length;
  }
  return data;
}

function scatter(task: Task, buffers: Scatter, data: Uint8Array): number {
  let at = 0;
  for (const { base, length } of buffers) {
    const part = data.subarray(at, at + length);
    if (part.length > 0 && toUser(task, base, part) < 0) return -errno.EFAULT;
    at += part.length;
  }
  return at;
}

function sendMessage(task: Task, fd: number, address: number, flags: number): MaySleep<number> {
  const open = socketOf(task, fd);
  if (typeof open === 'number') return open;
  const message = messageHeader(task, address);
  if (typeof message === 'number') return message;
  const data = gather(task, message.buffers, message.bytes);
  if (typeof data === 'number') return data;
  let to: Uint8Array | undefined;
  if (message.nameLength > 0) {
    const name = addressArg(task, message.name, message.nameLength);
    if (typeof name === 'number') return name;
    to = name;
  }
  return open.socket.send(data, to, callerOf(task), asInt(flags) | open.flags);
}

function receiveMessage(task: Task, fd: number, address: number, flags: number) {
  const open = socketOf(task, fd);
  if (typeof open === 'number') return open;
  const message = messageHeader(task, address);
  if (typeof message === 'number') return message;
  return whenReceived(open, message.bytes, asInt(flags), (received) => {
    const copied = scatter(task, message.buffers, received.data);
    if (copied < 0) return copied;
    const isCut = copied < received.data.length;
    if (message.name !== 0) {
      const name = received.from.subarray(0, message.nameLength);
      if (toUser(task, message.name, name) < 0) return -errno.EFAULT;
      const length = u32ToUser(task, address + MSG.namelen, received.from.length);
      if (length < 0) return length;
    }
    // No control messages are made.
    if (toUser(task, address + MSG.controllen, new Uint8Array(8)) < 0) return -errno.EFAULT;
    if (u32ToUser(task, address + MSG.flags, isCut ? MSG_TRUNC : 0) < 0) return -errno.EFAULT;
    return asInt(flags) & MSG_TRUNC ? received.data.length : copied;
  });
}

function sendTo(
  task: Task,
  fd: number,
  buffer: number,
  length: number,
  flags: number,
  address: number,
  addressLength: number,
): MaySleep<number> {
  const open = socketOf(task, fd);
  if (typeof open === 'number') return open;
  if (length > MAX_DATAGRAM_BYTES) return -errno.EMSGSIZE;
  const data = bytesFromUser(task, buffer, length);
  if (!data) return -errno.EFAULT;
  let to: Uint8Array | undefined;
  if (address !== 0) {
    const name = addressArg(task, address, addressLength);
    if (typeof name === 'number') return name;
    to = name;
  }
  return open.socket.send(data, to, callerOf(task), asInt(flags) | open.flags);
}

function receiveFrom(
  task: Task,
  fd: number,
  buffer: number,
  size: number,
  flags: number,
  address: number,
  addressLengthAt: number,
): MaySleep<number> {
  const open = socketOf(task, fd);
  if (typeof open === 'number') return open;
  return whenReceived(open, size, asInt(flags), (received) => {
    const data = received.data.subarray(0, size);
    if (toUser(task, buffer, data) < 0) return -errno.EFAULT;
    if (address !== 0) {
      const result = addressToUser(task, received.from, address, addressLengthAt);
      if (result < 0) return result;
    }
    return asInt(flags) & MSG_TRUNC ? received.data.length : data.length;
  });
}

function whenReceived(
  open: OpenSocket,
  sizeBytes: number,
  flags: number,
  use: (received: Received) => number,
): MaySleep<number> {
  const received = open.socket.receive(flags | open.flags, sizeBytes);
  const finish = (result: Received | number) => (typeof result === 'number' ? result : use(result));
  if (!isFlow(received)) return finish(received);
  return (function* (): KernelFlow<number> {
    return finish(yield* received);
  })();
}

function withAddress(
  task: Task,
  fd: number,
  address: number,
  length: number,
  use: (socket: Socket, name: Uint8Array) => number,
): number {
  const open = socketOf(task, fd);
  if (typeof open === 'number') return open;
  const name = addressArg(task, address, length);
  return typeof name === 'number' ? name : use(open.socket, name);
}

function getOption(
  task: Task,
  fd: number,
  level: number,
  option: number,
  at: number,
  lengthAt: number,
): number {
  const open = socketOf(task, fd);
  if (typeof open === 'number') return open;
  const ofSocket = asInt(level) === SOL_SOCKET;
  if (ofSocket && asInt(option) === SO_GET_FILTER) {
    return getFilter(task, open.socket, at, lengthAt);
  }
  const known = ofSocket ? filterOption(open.socket, asInt(option)) : undefined;
  const value = known ?? open.socket.getOption(asInt(level), asInt(option));
  if (typeof value === 'number') return value;
  const room = fromUser(task, lengthAt, 4)?.getInt32(0, true);
  if (room === undefined) return -errno.EFAULT;
  if (room < 0) return -errno.EINVAL;
  const cut = value.subarray(0, room);
  if (toUser(task, at, cut) < 0) return -errno.EFAULT;
  return u32ToUser(task, lengthAt, cut.length);
}

function setOption(
  kernel: Kernel,
  task: Task,
  fd: number,
  level: number,
  option: number,
  at: number,
  length: number,
): number {
  const open = socketOf(task, fd);
  if (typeof open === 'number') return open;
  if (asInt(length) < 0) return -errno.EINVAL;
  if (asInt(level) === SOL_SOCKET) {
    const done = setFilterOption(kernel, task, open.socket, asInt(option), at, asInt(length));
    if (done !== undefined) return done;
  }
  const value = bytesFromUser(task, at, Math.min(asInt(length), 4096));
  return value ? open.socket.setOption(asInt(level), asInt(option), value) : -errno.EFAULT;
}

export const netRows = [
  syscall(41, 'socket', 'int family, int type, int protocol', (kernel, task, family, type, proto) =>
    socketCall(kernel, task, family, type, proto),
  ),
  syscall(
    42,
    'connect',
    'int fd, struct sockaddr *uservaddr, int addrlen',
    (_kernel, task, fd, address, length) =>
      withAddress(task, fd, address, length, (socket, name) =>
        socket.connect(name, callerOf(task)),
      ),
  ),
  syscall(
    44,
    'sendto',
    'int fd, void *buff, size_t len, unsigned int flags, struct sockaddr *addr, int addr_len',
    (_kernel, task, fd, buffer, length, flags, address, addressLength) =>
      sendTo(task, fd, buffer, length, flags, address, addressLength),
  ),
  syscall(
    45,
    'recvfrom',
    'int fd, void *ubuf, size_t size, unsigned int flags, struct sockaddr *addr, int *addr_len',
    (_kernel, task, fd, buffer, size, flags, address, addressLengthAt) =>
      receiveFrom(task, fd, buffer, size, flags, address, addressLengthAt),
  ),
  syscall(
    46,
    'sendmsg',
    'int fd, struct user_msghdr *msg, unsigned int flags',
    (_kernel, task, fd, address, flags) => sendMessage(task, fd, address, flags),
  ),
  syscall(
    47,
    'recvmsg',
    'int fd, struct user_msghdr *msg, unsigned int flags',
    (_kernel, task, fd, address, flags) => receiveMessage(task, fd, address, flags),
  ),
  syscall(
    49,
    'bind',
    'int fd, struct sockaddr *umyaddr, int addrlen',
    (_kernel, task, fd, address, length) =>
      withAddress(task, fd, address, length, (socket, name) => socket.bind(name, callerOf(task))),
  ),
  syscall(
    51,
    'getsockname',
    'int fd, struct sockaddr *usockaddr, int *usockaddr_len',
    (_kernel, task, fd, address, lengthAt) => {
      const open = socketOf(task, fd);
      if (typeof open === 'number') return open;
      return addressToUser(task, open.socket.name(), address, lengthAt);
    },
  ),
  syscall(
    54,
    'setsockopt',
    'int fd, int level, int optname, char *optval, int optlen',
    (kernel, task, fd, level, option, at, length) =>
      setOption(kernel, task, fd, level, option, at, length),
  ),
  syscall(
    55,
    'getsockopt',
    'int fd, int level, int optname, char *optval, int *optlen',
    (_kernel, task, fd, level, option, at, lengthAt) =>
      getOption(task, fd, level, option, at, lengthAt),
  ),
];
