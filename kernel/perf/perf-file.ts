/** The file behind a perf event's descriptor: ioctls, the mapped ring, poll. */
import { progOfHandle } from '../bpf/bpf-file.ts';
import type { FileOps, PollSource } from '../fs/vfs-types.ts';
import { POLLHUP, POLLIN } from '../fs/vfs-types.ts';
import type { Kernel } from '../machine-types.ts';
import type { MappedPages, MmapRequest } from '../mm/file-mapping.ts';
import { structToUser, userString } from '../mm/user-copy.ts';
import { PAGE_SIZE } from '../ram/ram.ts';
import { errno } from '../types/errno.ts';
import type { PerfEvent } from './perf-event.ts';

/** UAPI linux/perf_event.h: _IO('$', n) and its kin. */
/** PERF_FORMAT_* */
const FORMAT_TOTAL_TIME_ENABLED = 1 << 0;
const FORMAT_TOTAL_TIME_RUNNING = 1 << 1;
const FORMAT_ID = 1 << 2;
const IOC_ENABLE = 0x2400;
const IOC_DISABLE = 0x2401;
const IOC_REFRESH = 0x2402;
const IOC_RESET = 0x2403;
const IOC_SET_FILTER = 0x40082406;
const IOC_ID = 0x80082407;
const IOC_SET_BPF = 0x40042408;

export class PerfFile implements FileOps {
  readonly stream = true;
  readonly linkName = 'anon_inode:[perf_event]';
  readonly object: PerfEvent;
  readonly #kernel: Kernel;

  constructor(kernel: Kernel, event: PerfEvent) {
    this.#kernel = kernel;
    this.object = event;
  }

  ioctl(command: number, arg: number): number {
    const event = this.object;
    const task = this.#kernel.sched.current;
    switch (command) {
      case IOC_ENABLE:
        event.enabled = true;
        return 0;
      case IOC_DISABLE:
        event.enabled = false;
        return 0;
      case IOC_REFRESH:
        return 0;
      case IOC_RESET:
        event.reset();
        return 0;
      case IOC_ID:
        return structToUser(task, arg, 8, (view) => view.setBigUint64(0, BigInt(event.id), true));
      case IOC_SET_FILTER: {
        if (event.source.kind !== 'tracepoint') return -errno.EINVAL;
        const text = userString(task, arg);
        // differs: a filter on a perf event has nothing to filter, as nothing counts or samples.
        return typeof text === 'number' ? text : 0;
      }
      case IOC_SET_BPF: {
        const program = progOfHandle(task, arg | 0);
        return typeof program === 'number' ? program : event.setProgram(program);
      }
      default:
        return -errno.ENOTTY;
    }
  }

  mmap({ length, offset }: MmapRequest): MappedPages | number {
    const event = this.object;
    const dataPages = length / PAGE_SIZE - 1;
    const isPowerOfTwo = dataPages > 0 && (dataPages & (dataPages - 1)) === 0;
    if (offset !== 0 || !isPowerOfTwo) return -errno.EINVAL;
    const made = event.makeRing(dataPages);
    if (made < 0) return made;
    return { page: (index) => event.ring?.page(index) };
  }

  poll(watch: (queue: PollSource) => void): number {
    watch(this.object.readers);
    if (!this.object.ring) return POLLHUP;
    return this.object.ring.hasData ? POLLIN : 0;
  }

  /** The count; with PERF_FORMAT_TOTAL_TIME_*, how long it was enabled and ran. */
  read(): Uint8Array {
    const { counter, enabled, running } = this.object.value();
    const { readFormat } = this.object.attr;
    const words = [counter];
    if (readFormat & FORMAT_TOTAL_TIME_ENABLED) words.push(enabled);
    if (readFormat & FORMAT_TOTAL_TIME_RUNNING) words.push(running);
    if (readFormat & FORMAT_ID) words.push(BigInt(this.object.id));
    return new Uint8Array(BigUint64Array.from(words).buffer);
  }

  release(): void {
    this.object.put();
  }
}
