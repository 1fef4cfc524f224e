/**
 * Wait queues: how a kernel path sleeps until something changes.
 *
 *   const why = yield* queue.wait(() => bytes > 0, { interruptible: true });
 *   if (why === 'signal') return -errno.ERESTARTSYS;
 *   …
 *   queue.wakeOne();      after the change
 *
 * `wait` checks its condition before it sleeps and again after every wake-up, so a wake-up that
 * comes in between is not lost. poll waits on many queues with waitOnAny; what is no task (an
 * eventpoll, a perf buffer) subscribes a callback.
 */
import type { PollSource } from '../fs/vfs-types.ts';
import type { Ns } from '../types/units.ts';
import type { KernelFlow, WakeReason } from './flow.ts';
import type { Task } from './task.ts';

/** What waiting needs of the scheduler. */
export interface Sleeper {
  /** The task whose kernel path is running. */
  readonly current: Task;
  /** The running CPU's clock. */
  clock(): Ns;
  /** Make a sleeping task runnable; false if it was not sleeping. */
  wake(task: Task, reason?: WakeReason): boolean;
}

export interface WaitOptions {
  readonly interruptible: boolean;
  /** Absolute virtual time at which to give up. */
  readonly untilNs?: Ns;
  /** Counted by wakeOne: one exclusive waiter is woken at a time. */
  readonly exclusive?: boolean;
}

interface Waiter {
  /** False if there was nobody to wake (already running). */
  wake(): boolean;
  readonly exclusive: boolean;
}

export class WaitQueue implements PollSource {
  readonly #sleeper: Sleeper;
  #waiters: Waiter[] = [];

  constructor(sleeper: Sleeper) {
    this.#sleeper = sleeper;
  }

  get hasWaiters(): boolean {
    return this.#waiters.length > 0;
  }

  /** Sleep until `ready()`; returns why the wait ended ('woken': the condition holds). */
  wait(ready: () => boolean, options: WaitOptions): KernelFlow<WakeReason> {
    return waitOnAny(this.#sleeper, [this], ready, options);
  }

  /** Wake everyone who is not exclusive, and one who is. */
  wakeOne(): void {
    if (this.#waiters.length === 0) return;
    for (const waiter of [...this.#waiters]) {
      if (waiter.wake() && waiter.exclusive) return;
    }
  }

  wakeAll(): void {
    if (this.#waiters.length === 0) return;
    for (const waiter of [...this.#waiters]) waiter.wake();
  }

  /** Call `notify` at every wake-up; returns how to stop that. */
  subscribe(notify: () => void): () => void {
    return this.add({
      exclusive: false,
      wake: () => {
        notify();
        return true;
      },
    });
  }

  /** Exclusive waiters queue behind all others, in order of arrival. */
  add(waiter: Waiter): () => void {
    if (waiter.exclusive) this.#waiters.push(waiter);
    else this.#waiters.unshift(waiter);
    return () => {
      const index = this.#waiters.indexOf(waiter);
      if (index >= 0) this.#waiters.splice(index, 1);
    };
  }
}

/** As WaitQueue.wait, on several queues at once. No queue at all: only time or a signal ends it. */
export function* waitOnAny(
  sleeper: Sleeper,
  queues: readonly WaitQueue[],
  ready: () => boolean,
  options: WaitOptions,
): KernelFlow<WakeReason> {
  if (ready()) return 'woken';
  const task = sleeper.current;
  const waiter: Waiter = {
    exclusive: options.exclusive ?? false,
    wake: () => sleeper.wake(task),
  };
  const removals = queues.map((queue) => queue.add(waiter));
  try {
    for (;;) {
      if (options.interruptible && task.signalPending) return 'signal';
      if (options.untilNs !== undefined && options.untilNs <= sleeper.clock()) return 'timeout';
      const { interruptible, untilNs } = options;
      const reason = yield untilNs === undefined
        ? { kind: 'sleep', interruptible }
        : { kind: 'sleep', interruptible, untilNs };
      if (ready()) return 'woken';
      if (reason !== 'woken') return reason;
    }
  } finally {
    for (const remove of removals) remove();
  }
}
