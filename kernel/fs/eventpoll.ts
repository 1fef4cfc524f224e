/**
 * epoll: a set of files with the events wanted of each, and the list of those that may be ready.
 *
 *   new EventPoll(sleeper)          FileOps of the descriptor that epoll_create1 returns
 *   epoll.control(op, fd, file, event)   0 or -errno
 *   epoll.wait(max, untilNs)        up to `max` ready events; level- or edge-triggered, one-shot
 *
 * A file's wake-up puts its item on the ready list; whether it really is ready is asked when
 * somebody collects. Level-triggered items stay on the list while they are ready.
 */
import type { KernelFlow } from '../sched/flow.ts';
import type { Sleeper } from '../sched/wait-queue.ts';
import { WaitQueue } from '../sched/wait-queue.ts';
import { errno } from '../types/errno.ts';
import type { Ns } from '../types/units.ts';
import type { File } from './file.ts';
import { pollMask } from './poll.ts';
import type { FileOps, PollSource } from './vfs-types.ts';
import { POLLERR, POLLHUP, POLLIN, POLLRDNORM } from './vfs-types.ts';

export const EPOLL_CTL_ADD = 1;
export const EPOLL_CTL_DEL = 2;
export const EPOLL_CTL_MOD = 3;
export const EPOLLEXCLUSIVE = 2 ** 28;
export const EPOLLWAKEUP = 2 ** 29;
export const EPOLLONESHOT = 2 ** 30;
export const EPOLLET = 2 ** 31;
/** Bits that are no events: without any event bit an item is disabled (one-shot that has fired). */
const EVENT_BITS = 0x0fffffff;
/** fs/eventpoll.c, EP_MAX_NESTS: epolls within epolls. */
const MAX_NESTS = 4;

export interface EpollEvent {
  /** EPOLL*, unsigned. */
  readonly events: number;
  readonly data: bigint;
}

interface Item {
  readonly fd: number;
  readonly file: File;
  event: EpollEvent;
  unsubscribe: () => void;
}

export class EventPoll implements FileOps {
  readonly stream = true;
  readonly linkName = 'anon_inode:[eventpoll]';
  readonly #sleeper: Sleeper;
  readonly #waiters: WaitQueue;
  readonly #items = new Map<File, Map<number, Item>>();
  /** In the order in which they became ready. */
  readonly #ready = new Set<Item>();

  constructor(sleeper: Sleeper) {
    this.#sleeper = sleeper;
    this.#waiters = new WaitQueue(sleeper);
  }

  control(op: number, fd: number, file: File, event: EpollEvent | undefined): number {
    if (!file.ops.poll) return -errno.EPERM;
    const nested = file.ops instanceof EventPoll ? file.ops : undefined;
    if (nested === this) return -errno.EINVAL;
    const item = this.#items.get(file)?.get(fd);
    switch (op) {
      case EPOLL_CTL_ADD:
        if (item) return -errno.EEXIST;
        if (nested && (nested.#reaches(this) || nested.#depth() >= MAX_NESTS)) return -errno.ELOOP;
        this.#add(fd, file, event!);
        return 0;
      case EPOLL_CTL_MOD:
        if (!item) return -errno.ENOENT;
        if ((item.event.events | event!.events) & EPOLLEXCLUSIVE) return -errno.EINVAL;
        item.event = event!;
        this.#noteIfReady(item);
        return 0;
      case EPOLL_CTL_DEL:
        if (!item) return -errno.ENOENT;
        this.#remove(item);
        return 0;
      default:
        return -errno.EINVAL;
    }
  }

  /** Ready events; none when time is up; 'signal' if a signal came first. */
  *wait(max: number, untilNs: Ns | undefined): KernelFlow<readonly EpollEvent[] | 'signal'> {
    let events = this.#collect(max);
    if (events.length > 0) return events;
    const options = {
      interruptible: true,
      exclusive: true,
      ...(untilNs === undefined ? {} : { untilNs }),
    };
    const ready = (): boolean => (events = this.#collect(max)).length > 0;
    const why = yield* this.#waiters.wait(ready, options);
    return why === 'signal' ? 'signal' : events;
  }

  poll(watch: (queue: PollSource) => void): number {
    watch(this.#waiters);
    for (const item of this.#ready) if (this.#readyEvents(item) !== 0) return POLLIN | POLLRDNORM;
    return 0;
  }

  release(): void {
    for (const items of [...this.#items.values()]) {
      for (const item of [...items.values()]) this.#remove(item);
    }
  }

  fdinfo(): string {
    let text = '';
    for (const items of this.#items.values()) {
      for (const { fd, file, event } of items.values()) {
        const events = event.events.toString(16).padStart(8);
        const data = event.data.toString(16).padStart(16);
        const { ino, fs } = file.inode;
        const position = file.position.toString();
        text += `tfd: ${String(fd).padStart(8)} events: ${events} data: ${data} `;
        text += ` pos:${position} ino:${ino.toString(16)} sdev:${fs.dev.toString(16)}\n`;
      }
    }
    return text;
  }

  #add(fd: number, file: File, event: EpollEvent): void {
    const stops: (() => void)[] = [];
    const forget = (): void => this.#remove(item);
    const item: Item = {
      fd,
      file,
      event,
      unsubscribe: () => {
        for (const stop of stops) stop();
        file.onRelease.delete(forget);
      },
    };
    const perFile = this.#items.get(file);
    if (perFile) perFile.set(fd, item);
    else this.#items.set(file, new Map([[fd, item]]));
    // A file that is closed for good leaves every epoll set.
    file.onRelease.add(forget);
    pollMask(file, (queue) => {
      stops.push(queue.subscribe(() => this.#note(item)));
    });
    this.#noteIfReady(item);
  }

  #remove(item: Item): void {
    item.unsubscribe();
    this.#ready.delete(item);
    const perFile = this.#items.get(item.file);
    perFile?.delete(item.fd);
    if (perFile?.size === 0) this.#items.delete(item.file);
  }

  #note(item: Item): void {
    if ((item.event.events & EVENT_BITS) === 0) return;
    this.#ready.add(item);
    this.#waiters.wakeOne();
  }

  #noteIfReady(item: Item): void {
    if (this.#readyEvents(item) !== 0) this.#note(item);
  }

  #readyEvents(item: Item): number {
    const wanted = item.event.events & EVENT_BITS;
    if (wanted === 0) return 0;
    return pollMask(item.file, () => undefined) & (wanted | POLLERR | POLLHUP);
  }

  #collect(max: number): EpollEvent[] {
    const events: EpollEvent[] = [];
    const stillReady: Item[] = [];
    for (const item of [...this.#ready]) {
      if (events.length === max) break;
      this.#ready.delete(item);
      const ready = this.#readyEvents(item);
      if (ready === 0) continue;
      events.push({ events: ready, data: item.event.data });
      const { events: wanted } = item.event;
      if (wanted & EPOLLONESHOT) {
        item.event = { ...item.event, events: (wanted & ~EVENT_BITS) >>> 0 };
      } else if (!(wanted & EPOLLET)) {
        stillReady.push(item);
      }
    }
    // To the end of the list, so that many ready files take turns.
    for (const item of stillReady) this.#ready.add(item);
    return events;
  }

  #nested(): EventPoll[] {
    const nested: EventPoll[] = [];
    for (const file of this.#items.keys()) {
      if (file.ops instanceof EventPoll) nested.push(file.ops);
    }
    return nested;
  }

  #reaches(other: EventPoll): boolean {
    return this.#nested().some((epoll) => epoll === other || epoll.#reaches(other));
  }

  #depth(): number {
    return 1 + Math.max(0, ...this.#nested().map((epoll) => epoll.#depth()));
  }
}
