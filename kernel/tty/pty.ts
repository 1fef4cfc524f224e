/**
 * UNIX 98 pseudo terminals: /dev/ptmx makes a pair, the slave appears as /dev/pts/N (devpts.ts).
 *
 *   ptys.openMaster()               FileOps of a new master
 *   ptys.openSlave(number, flags)   FileOps of its slave, or -errno
 *
 * The master is a plain byte stream; all terminal behaviour is in the slave's Tty.
 */
import { fromUser, u32ToUser } from '../mm/user-copy.ts';
import type { KernelFlow, MaySleep } from '../sched/flow.ts';
import { WaitQueue } from '../sched/wait-queue.ts';
import { O_NONBLOCK } from '../fs/fcntl.ts';
import { makeDev } from '../fs/inode.ts';
import type { FileOps, PollSource } from '../fs/vfs-types.ts';
import { POLLHUP, POLLIN, POLLOUT, POLLRDNORM, POLLWRNORM } from '../fs/vfs-types.ts';
import { errno } from '../types/errno.ts';
import * as io from './ioctl.ts';
import type { Termios } from './termios.ts';
import { HUPCL, standardTermios } from './termios.ts';
import { terminalIoctl } from './tty-file.ts';
import type { TtyDriver, TtyEnvironment } from './tty.ts';
import { Tty } from './tty.ts';

/** UNIX98_PTY_SLAVE_MAJOR (UAPI linux/major.h). */
export const PTS_MAJOR = 136;
/** Bytes a slave may write ahead of the master's reader (pty.c limits the buffer to 8192). */
const OUTBOUND_BYTES = 8192;

export interface Slave {
  readonly number: number;
  readonly tty: Tty;
  locked: boolean;
  /** Owner of the node in /dev/pts. */
  readonly uid: number;
}

export class Ptys {
  readonly slaves = new Map<number, Slave>();
  readonly #environment: TtyEnvironment;

  constructor(environment: TtyEnvironment) {
    this.#environment = environment;
  }

  openMaster(): FileOps {
    let number = 0;
    while (this.slaves.has(number)) number++;
    return new PtyMaster(this.#environment, number, this.slaves);
  }

  openSlave(number: number, flags: number): FileOps | number {
    const slave = this.slaves.get(number);
    if (!slave) return -errno.ENXIO;
    return slave.locked ? -errno.EIO : slave.tty.open(flags);
  }
}

/** What the slave has written and the master has not read yet. */
class Outbound implements TtyDriver {
  /** The master is closed. */
  closed = false;
  /** The slave has been open and is not any more: the master reads -EIO until it is again. */
  slaveGone = false;
  /** Whoever reads or writes the master sleeps here. */
  readonly queue: WaitQueue;
  readonly #onSlaveClosed: () => void;
  #chunks: Uint8Array[] = [];
  #bytes = 0;

  constructor(queue: WaitQueue, onSlaveClosed: () => void) {
    this.queue = queue;
    this.#onSlaveClosed = onSlaveClosed;
  }

  get bytes(): number {
    return this.#bytes;
  }

  room(): number {
    return OUTBOUND_BYTES - this.#bytes;
  }

  write(bytes: Uint8Array): void {
    this.#chunks.push(bytes);
    this.#bytes += bytes.length;
    this.queue.wakeAll();
  }

  take(count: number): Uint8Array {
    const first = this.#chunks[0]!;
    const data = first.slice(0, count);
    if (data.length === first.length) this.#chunks.shift();
    else this.#chunks[0] = first.subarray(data.length);
    this.#bytes -= data.length;
    return data;
  }

  flushOutput(): void {
    this.#chunks = [];
    this.#bytes = 0;
  }

  inboundDrained(): void {
    this.queue.wakeAll();
  }

  opened(): void {
    this.slaveGone = false;
  }

  lastClosed(): void {
    this.slaveGone = true;
    this.queue.wakeAll();
    this.#onSlaveClosed();
  }
}

/** A pty has no line to hang up (drivers/tty/pty.c, unix98_pty_init). */
function slaveTermios(): Termios {
  const termios = standardTermios();
  return { ...termios, cflag: termios.cflag & ~HUPCL };
}

class PtyMaster implements FileOps {
  readonly stream = true;
  readonly #environment: TtyEnvironment;
  readonly #slaves: Map<number, Slave>;
  readonly #slave: Slave;
  readonly #outbound: Outbound;

  constructor(environment: TtyEnvironment, number: number, slaves: Map<number, Slave>) {
    this.#environment = environment;
    this.#slaves = slaves;
    const queue = new WaitQueue(environment.sleeper);
    this.#outbound = new Outbound(queue, () => this.#forgetIfClosed());
    const device = makeDev(PTS_MAJOR, number);
    const tty = new Tty(`pts/${number}`, device, environment, this.#outbound, slaveTermios);
    const { fsuid: uid } = environment.jobs.current.cred;
    this.#slave = { number, tty, locked: true, uid };
    slaves.set(number, this.#slave);
  }

  /** A number is given again once both sides are closed. */
  #forgetIfClosed(): void {
    if (this.#outbound.closed && !this.#slave.tty.isOpen) this.#slaves.delete(this.#slave.number);
  }

  read(count: number, _position: number, flags: number): MaySleep<Uint8Array | number> {
    if (this.#outbound.bytes > 0) return this.#take(count);
    if (this.#outbound.slaveGone) return -errno.EIO;
    if (flags & O_NONBLOCK) return -errno.EAGAIN;
    return this.#readLater(count);
  }

  *#readLater(count: number): KernelFlow<Uint8Array | number> {
    const out = this.#outbound;
    const ready = () => out.bytes > 0 || out.slaveGone;
    const why = yield* out.queue.wait(ready, { interruptible: true });
    if (why !== 'woken') return -errno.ERESTARTSYS;
    return out.bytes > 0 ? this.#take(count) : -errno.EIO;
  }

  #take(count: number): Uint8Array {
    const data = this.#outbound.take(count);
    this.#slave.tty.outputDrained();
    return data;
  }

  /** What is written to the master is typed at the slave. */
  write(data: Uint8Array, _position: number, flags: number): MaySleep<number> {
    const { tty } = this.#slave;
    const count = Math.min(data.length, tty.inboundRoom);
    if (count > 0) tty.feed(data.slice(0, count));
    if (count === data.length) return count;
    if (flags & O_NONBLOCK) return count > 0 ? count : -errno.EAGAIN;
    return this.#writeLater(data, count);
  }

  *#writeLater(data: Uint8Array, already: number): KernelFlow<number> {
    const { tty } = this.#slave;
    const { queue } = this.#outbound;
    let done = already;
    while (done < data.length) {
      const why = yield* queue.wait(() => tty.inboundRoom > 0, { interruptible: true });
      if (why !== 'woken') return done > 0 ? done : -errno.ERESTARTSYS;
      const part = data.slice(done, done + tty.inboundRoom);
      tty.feed(part);
      done += part.length;
    }
    return done;
  }

  poll(watch: (queue: PollSource) => void): number {
    watch(this.#outbound.queue);
    let events = 0;
    if (this.#outbound.bytes > 0) events |= POLLIN | POLLRDNORM;
    if (this.#outbound.slaveGone) events |= POLLHUP;
    if (this.#slave.tty.inboundRoom > 0) events |= POLLOUT | POLLWRNORM;
    return events;
  }

  ioctl(command: number, arg: number): number {
    const task = this.#environment.jobs.current;
    const slave = this.#slave;
    switch (command) {
      case io.TIOCGPTN:
        return u32ToUser(task, arg, slave.number);
      case io.TIOCGPTLCK:
        return u32ToUser(task, arg, slave.locked ? 1 : 0);
      case io.TIOCSPTLCK: {
        const view = fromUser(task, arg, 4);
        if (!view) return -errno.EFAULT;
        slave.locked = view.getInt32(0, true) !== 0;
        return 0;
      }
      case io.FIONREAD:
        return u32ToUser(task, arg, this.#outbound.bytes);
      default:
        return terminalIoctl(slave.tty, command, arg);
    }
  }

  release(): void {
    this.#outbound.closed = true;
    this.#slave.tty.hangUp(false);
    this.#forgetIfClosed();
  }
}
