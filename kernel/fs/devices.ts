/**
 * Character devices of /dev: memory devices, the kernel log, and the doors to ttys.
 *
 *   registerDevices(vfs, {log, console, ptys})   drivers by number
 *   DEVICE_NODES                                 what devtmpfs makes of them
 */
import { errno } from '../types/errno.ts';
import type { KernelFlow } from '../sched/flow.ts';
import { WaitQueue } from '../sched/wait-queue.ts';
import type { KernelLog } from '../printk.ts';
import { KERN_INFO, kmsgOf } from '../printk.ts';
import type { ConsoleTty } from '../tty/console.ts';
import { CONSOLE_DEVICE } from '../tty/console.ts';
import { PTMX_DEVICE } from '../tty/devpts.ts';
import type { Ptys } from '../tty/pty.ts';
import { Tty } from '../tty/tty.ts';
import { O_NONBLOCK, SEEK_CUR, SEEK_DATA, SEEK_END, SEEK_SET } from './fcntl.ts';
import { makeDev } from './inode.ts';
import type { FileOps, PollSource } from './vfs-types.ts';
import { POLLIN, POLLRDNORM } from './vfs-types.ts';
import type { Vfs } from './vfs.ts';

export interface DeviceHost {
  readonly log: KernelLog;
  readonly console: ConsoleTty;
  readonly ptys: Ptys;
}

interface DeviceNode {
  readonly name: string;
  readonly device: number;
  readonly mode: number;
}

/** Numbers: Documentation/admin-guide/devices.txt; modes as devtmpfs and udev leave them. */
export const DEVICE_NODES: readonly DeviceNode[] = [
  { name: 'null', device: makeDev(1, 3), mode: 0o666 },
  { name: 'zero', device: makeDev(1, 5), mode: 0o666 },
  { name: 'full', device: makeDev(1, 7), mode: 0o666 },
  { name: 'random', device: makeDev(1, 8), mode: 0o666 },
  { name: 'urandom', device: makeDev(1, 9), mode: 0o666 },
  { name: 'kmsg', device: makeDev(1, 11), mode: 0o644 },
  { name: 'tty', device: makeDev(5, 0), mode: 0o666 },
  { name: 'console', device: makeDev(5, 1), mode: 0o600 },
  { name: 'ptmx', device: PTMX_DEVICE, mode: 0o666 },
  { name: 'ttyS0', device: CONSOLE_DEVICE, mode: 0o600 },
];

const empty = new Uint8Array(0);

export function registerDevices(vfs: Vfs, host: DeviceHost): void {
  const { random, sleeper } = vfs.environment;
  const zeros = (count: number) => new Uint8Array(count);
  const swallow = (data: Uint8Array) => data.length;
  const simple = (minor: number, ops: FileOps) =>
    vfs.registerCharDevice(makeDev(1, minor), () => ops);
  simple(3, { read: () => empty, write: swallow });
  simple(5, { read: zeros, write: swallow });
  simple(7, { read: zeros, write: () => -errno.ENOSPC });
  // Seeded, so that a machine's randomness is the same in each run; writing adds nothing.
  simple(8, { read: (count) => random.bytes(count), write: swallow });
  simple(9, { read: (count) => random.bytes(count), write: swallow });
  vfs.registerCharDevice(makeDev(1, 11), () => new KmsgFile(vfs, host.log));
  vfs.registerCharDevice(makeDev(5, 0), (flags) => {
    const { tty } = sleeper.current.process;
    return tty instanceof Tty ? tty.open(flags) : -errno.ENXIO;
  });
  // The console does not become anyone's controlling terminal by being opened (tty_open).
  vfs.registerCharDevice(makeDev(5, 1), (flags) => host.console.tty.open(flags, false));
  vfs.registerCharDevice(CONSOLE_DEVICE, (flags) => host.console.tty.open(flags));
  vfs.registerCharDevice(PTMX_DEVICE, () => host.ptys.openMaster());
}

/** /dev/kmsg: one record a read (Documentation/ABI/testing/dev-kmsg). */
class KmsgFile implements FileOps {
  readonly #log: KernelLog;
  readonly #queue: WaitQueue;
  readonly #unsubscribe: () => void;
  #next: number;

  constructor(vfs: Vfs, log: KernelLog) {
    this.#log = log;
    this.#queue = new WaitQueue(vfs.environment.sleeper);
    this.#unsubscribe = log.subscribe(() => this.#queue.wakeAll());
    this.#next = log.firstSequence;
  }

  read(
    count: number,
    _position: number,
    flags: number,
  ): Uint8Array | number | KernelFlow<Uint8Array | number> {
    if (this.#next < this.#log.nextSequence) return this.#take(count);
    return flags & O_NONBLOCK ? -errno.EAGAIN : this.#readLater(count);
  }

  *#readLater(count: number): KernelFlow<Uint8Array | number> {
    const ready = () => this.#next < this.#log.nextSequence;
    const why = yield* this.#queue.wait(ready, { interruptible: true });
    return why === 'woken' ? this.#take(count) : -errno.ERESTARTSYS;
  }

  #take(count: number): Uint8Array | number {
    const first = this.#log.firstSequence;
    if (this.#next < first) {
      // Records were overwritten before they were read; the next read goes on behind the gap.
      this.#next = first;
      return -errno.EPIPE;
    }
    const record = this.#log.after(this.#next)[0]!;
    const bytes = new TextEncoder().encode(kmsgOf(record));
    if (bytes.length > count) return -errno.EINVAL;
    this.#next = record.sequence + 1;
    return bytes;
  }

  /** An optional `<N>` carries facility and level; user space cannot speak as the kernel. */
  write(data: Uint8Array): number {
    const line = new TextDecoder().decode(data);
    const match = /^<(\d+)>/.exec(line);
    const priority = match ? Number(match[1]) : KERN_INFO;
    const facility = priority >> 3 || 1;
    this.#log.printk(priority & 7, line.slice(match ? match[0].length : 0), facility);
    return data.length;
  }

  seek(offset: number, whence: number): number {
    if (offset !== 0) return -errno.ESPIPE;
    switch (whence) {
      case SEEK_SET:
      case SEEK_DATA: // Behind the last clear; there is no such mark for this reader.
        this.#next = this.#log.firstSequence;
        return 0;
      case SEEK_END:
        this.#next = this.#log.nextSequence;
        return 0;
      case SEEK_CUR:
        return -errno.ESPIPE;
      default:
        return -errno.EINVAL;
    }
  }

  poll(watch: (queue: PollSource) => void): number {
    watch(this.#queue);
    return this.#next < this.#log.nextSequence ? POLLIN | POLLRDNORM : 0;
  }

  release(): void {
    this.#unsubscribe();
  }
}
