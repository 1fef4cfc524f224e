/**
 * One open of a tty: read, write, poll and the ioctls of ioctl_tty(2). `TtyFile` works on the
 * slave side; the master of a pty shares `terminalIoctl`.
 */
import { toUser, fromUser, u32ToUser, bytesFromUser } from '../mm/user-copy.ts';
import type { KernelFlow, MaySleep } from '../sched/flow.ts';
import { CAP_SYS_ADMIN } from '../fs/cred.ts';
import { O_NONBLOCK } from '../fs/fcntl.ts';
import type { FileOps, PollSource } from '../fs/vfs-types.ts';
import { POLLHUP, POLLIN, POLLOUT, POLLRDNORM, POLLWRNORM } from '../fs/vfs-types.ts';
import { errno } from '../types/errno.ts';
import * as io from './ioctl.ts';
import { checkChange, checkRead, giveUp, setControlling, setForeground } from './job-control.ts';
import {
  decodeTermios,
  decodeWindowSize,
  encodeTermios,
  encodeWindowSize,
  ICANON,
  TERMIOS_BYTES,
  TOSTOP,
  VMIN,
  VTIME,
  WINSIZE_BYTES,
} from './termios.ts';
import type { Tty } from './tty.ts';

export class TtyFile implements FileOps {
  readonly stream = true;
  readonly tty: Tty;
  readonly #generation: number;

  constructor(tty: Tty) {
    this.tty = tty;
    this.#generation = tty.generation;
  }

  /** Hung up since it was opened. */
  get #dead(): boolean {
    return this.tty.generation !== this.#generation;
  }

  read(count: number, _position: number, flags: number): MaySleep<Uint8Array | number> {
    if (this.#dead) return new Uint8Array(0);
    const refused = checkRead(this.tty, this.tty.environment.jobs);
    if (refused < 0) return refused;
    return this.tty.read(count, flags, () => this.#dead);
  }

  write(data: Uint8Array, _position: number, flags: number): MaySleep<number> {
    if (this.#dead || this.tty.driver.closed) return -errno.EIO;
    if (this.tty.termios.lflag & TOSTOP) {
      const refused = checkChange(this.tty, this.tty.environment.jobs);
      if (refused < 0) return refused;
    }
    const put = this.tty.put(data);
    if (put === data.length) return put;
    if (flags & O_NONBLOCK) return put > 0 ? put : -errno.EAGAIN;
    return this.#writeLater(data, put);
  }

  *#writeLater(data: Uint8Array, already: number): KernelFlow<number> {
    const { tty } = this;
    let written = already;
    while (written < data.length) {
      const ready = () => tty.canWrite || this.#dead || tty.driver.closed === true;
      const why = yield* tty.writers.wait(ready, { interruptible: true });
      if (why !== 'woken') return written > 0 ? written : -errno.ERESTARTSYS;
      if (this.#dead || tty.driver.closed) return written > 0 ? written : -errno.EIO;
      written += tty.put(data.subarray(written));
    }
    return written;
  }

  poll(watch: (queue: PollSource) => void): number {
    const { tty } = this;
    watch(tty.readers);
    watch(tty.writers);
    let events = 0;
    const { lflag, cc } = tty.termios;
    // With a timer, or without a minimum, one byte is enough (n_tty.c, input_available_p).
    const needed = lflag & ICANON || cc[VTIME] !== 0 ? 1 : Math.max(1, cc[VMIN]!);
    if (tty.input.available >= needed) events |= POLLIN | POLLRDNORM;
    if (this.#dead || tty.driver.closed) events |= POLLHUP | POLLIN | POLLRDNORM;
    else if (tty.canWrite) events |= POLLOUT | POLLWRNORM;
    return events;
  }

  ioctl(command: number, arg: number): MaySleep<number> {
    if (this.#dead) return command === io.TIOCSPGRP ? -errno.ENOTTY : -errno.EIO;
    const { tty } = this;
    const { jobs } = tty.environment;
    const task = jobs.current;
    switch (command) {
      case io.TIOCSCTTY:
        return setControlling(tty, jobs, arg === 1);
      case io.TIOCNOTTY:
        return giveUp(tty, jobs);
      case io.TIOCGPGRP:
        if (task.process.tty !== tty) return -errno.ENOTTY;
        return u32ToUser(task, arg, tty.foregroundPgid);
      case io.TIOCGSID:
        if (task.process.tty !== tty) return -errno.ENOTTY;
        return u32ToUser(task, arg, tty.session);
      case io.TIOCSTI: {
        const mayInject = task.process.tty === tty || task.cred.capable(CAP_SYS_ADMIN);
        if (!mayInject) return -errno.EPERM;
        const byte = bytesFromUser(task, arg, 1);
        if (!byte) return -errno.EFAULT;
        tty.feed(byte);
        return 0;
      }
      default:
        return terminalIoctl(tty, command, arg);
    }
  }

  release(): void {
    this.tty.close();
  }
}

/** What works from both sides of a pty, always on the slave's state. */
export function terminalIoctl(tty: Tty, command: number, arg: number): number {
  const { jobs } = tty.environment;
  const task = jobs.current;
  switch (command) {
    case io.TCGETS:
      return toUser(task, arg, encodeTermios(tty.termios));
    case io.TCSETS:
    case io.TCSETSW:
    case io.TCSETSF: {
      const refused = checkChange(tty, jobs);
      if (refused < 0) return refused;
      const bytes = bytesFromUser(task, arg, TERMIOS_BYTES);
      if (!bytes) return -errno.EFAULT;
      if (command === io.TCSETSF) tty.flushInput();
      tty.setTermios(decodeTermios(bytes));
      return 0;
    }
    case io.TIOCGWINSZ:
      return toUser(task, arg, encodeWindowSize(tty.windowSize));
    case io.TIOCSWINSZ: {
      const view = fromUser(task, arg, WINSIZE_BYTES);
      if (!view) return -errno.EFAULT;
      tty.setWindowSize(decodeWindowSize(view));
      return 0;
    }
    case io.TIOCGPGRP:
      return u32ToUser(task, arg, tty.foregroundPgid);
    case io.TIOCSPGRP: {
      const view = fromUser(task, arg, 4);
      return view ? setForeground(tty, jobs, view.getInt32(0, true)) : -errno.EFAULT;
    }
    case io.FIONREAD:
      return u32ToUser(task, arg, tty.input.readableBytes);
    case io.TIOCOUTQ:
      return u32ToUser(task, arg, 0);
    case io.TIOCGETD:
      return u32ToUser(task, arg, 0);
    case io.TCSBRK:
    case io.TIOCEXCL:
    case io.TIOCNXCL:
    case io.TCXONC:
    case io.TCFLSH: {
      const refused = checkChange(tty, jobs);
      return refused < 0 ? refused : control(tty, command, arg);
    }
    default:
      return -errno.ENOTTY;
  }
}

function control(tty: Tty, command: number, arg: number): number {
  if (command === io.TCSBRK) return 0;
  if (command === io.TIOCEXCL || command === io.TIOCNXCL) {
    tty.exclusive = command === io.TIOCEXCL;
    return 0;
  }
  if (command === io.TCXONC) {
    // TCOOFF, TCOON; TCIOFF and TCION would send a stop or start character to the terminal.
    if (arg < 0 || arg > 3) return -errno.EINVAL;
    if (arg < 2) tty.setStopped(arg === 0);
    return 0;
  }
  // TCIFLUSH, TCOFLUSH, TCIOFLUSH
  if (arg < 0 || arg > 2) return -errno.EINVAL;
  if (arg !== 1) tty.flushInput();
  if (arg !== 0) tty.driver.flushOutput?.();
  return 0;
}
