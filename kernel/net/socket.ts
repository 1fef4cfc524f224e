/**
 * What every socket is to the system calls, and the queue of datagrams that most have.
 *
 *   interface Socket        bind, connect, send, receive, options; one implementation a family
 *   SocketFile              the FileOps of a socket's descriptor
 *   ReceiveQueue            datagrams that wait to be read
 */
import { O_NONBLOCK } from '../fs/fcntl.ts';
import type { FileOps, PollSource } from '../fs/vfs-types.ts';
import type { KernelFlow, MaySleep } from '../sched/flow.ts';
import { isFlow } from '../sched/flow.ts';
import type { Sleeper } from '../sched/wait-queue.ts';
import { WaitQueue } from '../sched/wait-queue.ts';
import { errno } from '../types/errno.ts';
import type { FilterSlot } from './socket-filter.ts';

export const MSG_PEEK = 0x2;
export const MSG_CTRUNC = 0x8;
export const MSG_TRUNC = 0x20;
export const MSG_DONTWAIT = 0x40;

/** Whose call it is. */
export interface SocketCaller {
  readonly tgid: number;
  readonly netAdmin: boolean;
  /** What a descriptor of the caller stands for (a BPF program, for XDP). */
  objectOfFd(fd: number): object | null | undefined;
  /** The caller's memory: null or false where it is not mapped. */
  copyIn(address: number, sizeBytes: number): Uint8Array | null;
  copyOut(address: number, bytes: Uint8Array): boolean;
}

export interface Received {
  readonly data: Uint8Array;
  /** sockaddr of the sender. */
  readonly from: Uint8Array;
}

export interface Socket {
  readonly domain: number;
  readonly type: number;
  /** Asked of each packet that comes in. */
  readonly filter: FilterSlot;
  bind(address: Uint8Array, caller: SocketCaller): number;
  connect(address: Uint8Array, caller: SocketCaller): number;
  send(
    data: Uint8Array,
    to: Uint8Array | undefined,
    caller: SocketCaller,
    flags: number,
  ): MaySleep<number>;
  /** A datagram, whole: the caller cuts it to its buffer. `flags` are MSG_*. */
  receive(flags: number, sizeBytes: number): MaySleep<Received | number>;
  /** getsockname */
  name(): Uint8Array;
  setOption(level: number, option: number, value: Uint8Array): number;
  getOption(level: number, option: number): Uint8Array | number;
  ioctl?(command: number, arg: number, caller: SocketCaller): number;
  poll(watch: (queue: PollSource) => void): number;
  release(): void;
}

export class SocketFile implements FileOps {
  readonly stream = true;
  readonly object: Socket;
  readonly linkName: string;
  readonly #caller: () => SocketCaller;

  constructor(socket: Socket, ino: number, caller: () => SocketCaller) {
    this.object = socket;
    this.linkName = `socket:[${ino}]`;
    this.#caller = caller;
  }

  read(count: number, _position: number, flags: number): MaySleep<Uint8Array | number> {
    const received = this.object.receive(flags & O_NONBLOCK ? MSG_DONTWAIT : 0, count);
    const cut = (result: Received | number) =>
      typeof result === 'number' ? result : result.data.slice(0, count);
    if (!isFlow(received)) return cut(received);
    return (function* (): KernelFlow<Uint8Array | number> {
      return cut(yield* received);
    })();
  }

  write(data: Uint8Array, _position: number, flags: number): MaySleep<number> {
    const dontWait = flags & O_NONBLOCK ? MSG_DONTWAIT : 0;
    return this.object.send(data, undefined, this.#caller(), dontWait);
  }

  ioctl(command: number, arg: number): MaySleep<number> {
    return this.object.ioctl?.(command, arg, this.#caller()) ?? -errno.ENOTTY;
  }

  poll(watch: (queue: PollSource) => void): number {
    return this.object.poll(watch);
  }

  release(): void {
    this.object.filter.release();
    this.object.release();
  }
}

export class ReceiveQueue {
  readonly #waiting: WaitQueue;
  #datagrams: Received[] = [];
  #overrun = false;
  /** Bytes that wait to be read. */
  bytes = 0;

  constructor(sleeper: Sleeper) {
    this.#waiting = new WaitQueue(sleeper);
  }

  push(datagram: Received): void {
    this.#datagrams.push(datagram);
    this.bytes += datagram.data.length;
    this.#waiting.wakeAll();
  }

  /** There was no room: the reader is told once, by -ENOBUFS. */
  overrun(): void {
    this.#overrun = true;
    this.#waiting.wakeAll();
  }

  take(flags: number): MaySleep<Received | number> {
    const ready = this.#next(flags);
    if (ready !== undefined) return ready;
    if (flags & MSG_DONTWAIT) return -errno.EAGAIN;
    return this.#wait(flags);
  }

  poll(watch: (queue: PollSource) => void): boolean {
    watch(this.#waiting);
    return this.#overrun || this.#datagrams.length > 0;
  }

  *#wait(flags: number): KernelFlow<Received | number> {
    const ready = () => this.#overrun || this.#datagrams.length > 0;
    const why = yield* this.#waiting.wait(ready, { interruptible: true });
    return why === 'woken' ? this.#next(flags)! : -errno.ERESTARTSYS;
  }

  #next(flags: number): Received | number | undefined {
    if (this.#overrun) {
      this.#overrun = false;
      return -errno.ENOBUFS;
    }
    if (flags & MSG_PEEK) return this.#datagrams[0];
    const datagram = this.#datagrams.shift();
    if (datagram) this.bytes -= datagram.data.length;
    return datagram;
  }
}
