/**
 * Waiting on many files at once: what poll(2), select(2) and epoll_wait(2) are made of.
 *
 *   pollMask(file, watch)                    events ready now; files without poll are always ready
 *   pollFiles(sleeper, wants, untilNs)       sleep until one of them is ready, time is up, a signal
 */
import type { KernelFlow } from '../sched/flow.ts';
import type { Sleeper, WaitQueue } from '../sched/wait-queue.ts';
import { waitOnAny } from '../sched/wait-queue.ts';
import type { Ns } from '../types/units.ts';
import type { File } from './file.ts';
import type { PollSource } from './vfs-types.ts';
import {
  POLLERR,
  POLLHUP,
  POLLIN,
  POLLNVAL,
  POLLOUT,
  POLLRDNORM,
  POLLWRNORM,
} from './vfs-types.ts';

/** linux/poll.h, DEFAULT_POLLMASK. */
const ALWAYS_READY = POLLIN | POLLOUT | POLLRDNORM | POLLWRNORM;

export function pollMask(file: File, watch: (queue: PollSource) => void): number {
  return file.ops.poll ? file.ops.poll(watch) : ALWAYS_READY;
}

export interface PollWant {
  /** Undefined for a closed fd, which reports POLLNVAL; null for one that is ignored (fd < 0). */
  readonly file: File | undefined | null;
  readonly events: number;
}

/** revents of each want; all zero when time ran out; 'signal' if one came first. */
export function* pollFiles(
  sleeper: Sleeper,
  wants: readonly PollWant[],
  untilNs: Ns | undefined,
): KernelFlow<readonly number[] | 'signal'> {
  const queues = new Set<PollSource>();
  const look = (watch: (queue: PollSource) => void): number[] =>
    wants.map(({ file, events }) => {
      if (file === null) return 0;
      if (file === undefined) return POLLNVAL;
      return pollMask(file, watch) & (events | POLLERR | POLLHUP);
    });
  let ready = look((queue) => queues.add(queue));
  const check = (): boolean => ready.some((events) => events !== 0);
  if (check()) return ready;
  // Every PollSource is sched's WaitQueue.
  const on = [...queues] as WaitQueue[];
  const again = (): boolean => {
    ready = look(() => undefined);
    return check();
  };
  const options = { interruptible: true, ...(untilNs === undefined ? {} : { untilNs }) };
  const why = yield* waitOnAny(sleeper, on, again, options);
  return why === 'signal' ? 'signal' : ready;
}
