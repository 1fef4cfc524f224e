/**
 * Pipes and FIFOs: 64 KiB, writes up to PIPE_BUF are atomic, the last writer gone is end of file,
 * the last reader gone is SIGPIPE and -EPIPE (pipe(7)).
 *
 *   pipe.openReader(), pipe.openWriter()   the two ends of pipe(2)
 *   pipe.open(flags)                       open(2) of a FIFO: waits for the other side
 */
import { u32ToUser } from '../mm/user-copy.ts';
import type { KernelFlow, MaySleep } from '../sched/flow.ts';
import { SIGPIPE } from '../sched/signal.ts';
import { WaitQueue } from '../sched/wait-queue.ts';
import { errno } from '../types/errno.ts';
import { FIONREAD } from '../tty/ioctl.ts';
import { O_ACCMODE, O_NONBLOCK, O_RDONLY, O_RDWR, O_WRONLY } from './fcntl.ts';
import type { FileOps, PollSource } from './vfs-types.ts';
import { POLLERR, POLLHUP, POLLIN, POLLOUT, POLLRDNORM, POLLWRNORM } from './vfs-types.ts';
import type { FsEnvironment } from './vfs.ts';

/** UAPI linux/limits.h */
export const PIPE_BUF = 4096;
/** 16 pages (linux/pipe_fs_i.h, PIPE_DEF_BUFFERS). */
export const PIPE_CAPACITY = 65536;
/** fs.pipe-max-size at boot. */
export const PIPE_MAX_SIZE = 1048576;

export class Pipe {
  readonly ino: number;
  readonly #environment: FsEnvironment;
  readonly #onLastClose: (() => void) | undefined;
  readonly #readable: WaitQueue;
  readonly #writable: WaitQueue;
  #ring = new Uint8Array(PIPE_CAPACITY);
  #start = 0;
  #used = 0;
  #readers = 0;
  #writers = 0;
  /** Opens so far: a FIFO's open waits for a change of the other side's count. */
  #readerOpens = 0;
  #writerOpens = 0;

  constructor(environment: FsEnvironment, ino: number, onLastClose?: () => void) {
    this.#environment = environment;
    this.ino = ino;
    this.#onLastClose = onLastClose;
    this.#readable = new WaitQueue(environment.sleeper);
    this.#writable = new WaitQueue(environment.sleeper);
  }

  get capacity(): number {
    return this.#ring.length;
  }

  openReader(): FileOps {
    return new PipeEnd(this, O_RDONLY);
  }

  openWriter(): FileOps {
    return new PipeEnd(this, O_WRONLY);
  }

  /** Opened once more through /proc/PID/fd, which does not wait for anybody. */
  reopen(flags: number): FileOps {
    return new PipeEnd(this, flags & O_ACCMODE);
  }

  open(flags: number): MaySleep<FileOps | number> {
    const access = flags & O_ACCMODE;
    const nonblocking = (flags & O_NONBLOCK) !== 0;
    if (access === O_WRONLY && nonblocking && this.#readers === 0) return -errno.ENXIO;
    const end = new PipeEnd(this, access);
    const alone =
      (access === O_RDONLY && this.#writers === 0) || (access === O_WRONLY && this.#readers === 0);
    return alone && !nonblocking ? this.#waitForPartner(end, access) : end;
  }

  *#waitForPartner(end: PipeEnd, access: number): KernelFlow<FileOps | number> {
    const opens = () => (access === O_RDONLY ? this.#writerOpens : this.#readerOpens);
    const before = opens();
    const queue = access === O_RDONLY ? this.#readable : this.#writable;
    const why = yield* queue.wait(() => opens() !== before, { interruptible: true });
    if (why === 'woken') return end;
    end.release();
    return -errno.ERESTARTSYS;
  }

  enter(access: number): void {
    if (access !== O_WRONLY) {
      this.#readers++;
      this.#readerOpens++;
      this.#writable.wakeAll();
    }
    if (access !== O_RDONLY) {
      this.#writers++;
      this.#writerOpens++;
      this.#readable.wakeAll();
    }
  }

  leave(access: number): void {
    if (access !== O_WRONLY && --this.#readers === 0) this.#writable.wakeAll();
    if (access !== O_RDONLY && --this.#writers === 0) this.#readable.wakeAll();
    if (this.#readers + this.#writers === 0) this.#onLastClose?.();
  }

  read(count: number, flags: number): MaySleep<Uint8Array | number> {
    if (count === 0 || this.#used > 0) return this.#take(count);
    if (this.#writers === 0) return new Uint8Array(0);
    if (flags & O_NONBLOCK) return -errno.EAGAIN;
    return this.#readLater(count);
  }

  *#readLater(count: number): KernelFlow<Uint8Array | number> {
    const ready = () => this.#used > 0 || this.#writers === 0;
    const options = { interruptible: true, exclusive: true };
    const why = yield* this.#readable.wait(ready, options);
    return why === 'woken' ? this.#take(count) : -errno.ERESTARTSYS;
  }

  write(data: Uint8Array, flags: number): MaySleep<number> {
    if (data.length === 0) return 0;
    if (this.#readers === 0) return this.#broken();
    const put = this.#put(data);
    if (put === data.length) return put;
    if (flags & O_NONBLOCK) return put > 0 ? put : -errno.EAGAIN;
    return this.#writeLater(data, put);
  }

  *#writeLater(data: Uint8Array, already: number): KernelFlow<number> {
    let written = already;
    while (written < data.length) {
      const rest = data.subarray(written);
      const room = rest.length <= PIPE_BUF && written === 0 ? rest.length : 1;
      const ready = () => this.capacity - this.#used >= room || this.#readers === 0;
      const options = { interruptible: true, exclusive: true };
      const why = yield* this.#writable.wait(ready, options);
      if (why !== 'woken') return written > 0 ? written : -errno.ERESTARTSYS;
      if (this.#readers === 0) {
        const broken = this.#broken();
        return written > 0 ? written : broken;
      }
      written += this.#put(rest);
    }
    return written;
  }

  #broken(): number {
    this.#environment.raise(SIGPIPE);
    return -errno.EPIPE;
  }

  /** Bytes from the front; wakes writers that now have room. */
  #take(count: number): Uint8Array {
    const taken = new Uint8Array(Math.min(count, this.#used));
    const first = Math.min(taken.length, this.capacity - this.#start);
    taken.set(this.#ring.subarray(this.#start, this.#start + first));
    taken.set(this.#ring.subarray(0, taken.length - first), first);
    this.#start = (this.#start + taken.length) % this.capacity;
    this.#used -= taken.length;
    if (taken.length > 0) this.#writable.wakeOne();
    if (this.#used > 0) this.#readable.wakeOne();
    return taken;
  }

  /** As many bytes as fit; all or none of a write that must be atomic. */
  #put(data: Uint8Array): number {
    const room = this.capacity - this.#used;
    if (data.length > room && data.length <= PIPE_BUF) return 0;
    const count = Math.min(data.length, room);
    const end = (this.#start + this.#used) % this.capacity;
    const first = Math.min(count, this.capacity - end);
    this.#ring.set(data.subarray(0, first), end);
    this.#ring.set(data.subarray(first, count), 0);
    this.#used += count;
    if (count > 0) this.#readable.wakeOne();
    if (this.#used < this.capacity) this.#writable.wakeOne();
    return count;
  }

  poll(access: number, watch: (queue: PollSource) => void): number {
    let events = 0;
    if (access !== O_WRONLY) {
      watch(this.#readable);
      if (this.#used > 0) events |= POLLIN | POLLRDNORM;
      if (this.#writers === 0) events |= POLLHUP;
    }
    if (access !== O_RDONLY) {
      watch(this.#writable);
      if (this.capacity - this.#used >= PIPE_BUF) events |= POLLOUT | POLLWRNORM;
      if (this.#readers === 0) events |= POLLERR;
    }
    return events;
  }

  /** FIONREAD */
  reportUsed(address: number): number {
    return u32ToUser(this.#environment.sleeper.current, address, this.#used);
  }

  /** F_SETPIPE_SZ: the new capacity, rounded up to a power of two pages. */
  resize(bytes: number): number {
    if (bytes <= 0 || bytes > 2 ** 31) return -errno.EINVAL;
    const capacity = Math.max(4096, 2 ** Math.ceil(Math.log2(bytes)));
    if (capacity > PIPE_MAX_SIZE) return -errno.EPERM;
    if (capacity < this.#used) return -errno.EBUSY;
    const held = this.#take(this.#used);
    this.#ring = new Uint8Array(capacity);
    this.#start = 0;
    this.#put(held);
    return capacity;
  }
}

export class PipeEnd implements FileOps {
  readonly stream = true;
  readonly pipe: Pipe;
  readonly linkName: string;
  readonly #access: number;

  constructor(pipe: Pipe, access: number) {
    this.pipe = pipe;
    this.#access = access === O_RDONLY || access === O_WRONLY ? access : O_RDWR;
    this.linkName = `pipe:[${pipe.ino}]`;
    pipe.enter(this.#access);
  }

  read(count: number, _position: number, flags: number): MaySleep<Uint8Array | number> {
    return this.pipe.read(count, flags);
  }

  write(data: Uint8Array, _position: number, flags: number): MaySleep<number> {
    return this.pipe.write(data, flags);
  }

  ioctl(command: number, arg: number): number {
    return command === FIONREAD ? this.pipe.reportUsed(arg) : -errno.ENOTTY;
  }

  poll(watch: (queue: PollSource) => void): number {
    return this.pipe.poll(this.#access, watch);
  }

  release(): void {
    this.pipe.leave(this.#access);
  }
}
