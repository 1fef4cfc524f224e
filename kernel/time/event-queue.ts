/**
 * The event queue: everything that happens in the machine happens here, one event at a time.
 *
 *   queue.at(time, priority, run)   schedule; the handle cancels
 *   queue.runNext(untilNs)          run the earliest event, unless it is later than `untilNs`
 *   queue.nextTime                  time of the earliest event; Infinity when empty
 *
 * Order is (time, priority, sequence of scheduling), so no tie is left to chance. A binary heap;
 * cancelled events stay in it until they surface, or until they outnumber the live ones.
 */
import type { EventHandle, EventPriority, Events } from '../machine-types.ts';
import { EVENT_PRIORITY } from '../machine-types.ts';
import type { Ns } from '../types/units.ts';
import { Bug } from '../types/units.ts';

/** Sequence numbers below this: 2^50 events are more than a machine can run. */
const PRIORITY_STEP = 2 ** 50;
const COMPACT_AT_LEAST = 64;

class Entry implements EventHandle {
  readonly time: number;
  /** Priority and sequence in one number, so that a tie costs one comparison. */
  readonly order: number;
  /** Undefined once it ran or was cancelled. */
  run: (() => void) | undefined;
  readonly #queue: EventQueue;

  constructor(time: number, order: number, run: () => void, queue: EventQueue) {
    this.time = time;
    this.order = order;
    this.run = run;
    this.#queue = queue;
  }

  cancel(): void {
    if (!this.run) return;
    this.run = undefined;
    this.#queue.noteCancelled();
  }
}

const before = (a: Entry, b: Entry): boolean =>
  a.time < b.time || (a.time === b.time && a.order < b.order);

export class EventQueue implements Events {
  #now = 0;
  #sequence = 0;
  #cancelled = 0;
  #heap: Entry[] = [];

  get now(): Ns {
    return this.#now as Ns;
  }

  /** Live events. */
  get size(): number {
    return this.#heap.length - this.#cancelled;
  }

  at(time: Ns, priority: EventPriority, run: () => void): EventHandle {
    if (!(time >= this.#now)) throw new Bug(`event at ${time}, before now (${this.#now})`);
    const order = EVENT_PRIORITY[priority] * PRIORITY_STEP + this.#sequence++;
    const entry = new Entry(time, order, run, this);
    this.#heap.push(entry);
    this.#siftUp(this.#heap.length - 1);
    return entry;
  }

  /** Infinity when nothing is scheduled. */
  get nextTime(): number {
    this.#dropCancelled();
    return this.#heap[0]?.time ?? Infinity;
  }

  /** False if nothing is due up to and including `untilNs`. */
  runNext(untilNs: number): boolean {
    this.#dropCancelled();
    const entry = this.#heap[0];
    if (!entry || entry.time > untilNs) return false;
    this.#pop();
    this.#now = entry.time;
    const run = entry.run!;
    entry.run = undefined;
    run();
    return true;
  }

  /**
   * Move the clock on without an event; nothing may be scheduled before or at that time.
   * (A CPU that computes with nothing else going on need not go through the heap.)
   */
  advanceTo(time: Ns): void {
    if (time < this.#now || this.nextTime < time) throw new Bug(`clock cannot move to ${time}`);
    this.#now = time;
  }

  noteCancelled(): void {
    this.#cancelled++;
    if (this.#cancelled < COMPACT_AT_LEAST || this.#cancelled * 2 < this.#heap.length) return;
    this.#heap = this.#heap.filter((entry) => entry.run !== undefined);
    this.#cancelled = 0;
    for (let i = (this.#heap.length >> 1) - 1; i >= 0; i--) this.#siftDown(i);
  }

  #dropCancelled(): void {
    while (this.#cancelled > 0 && this.#heap[0]?.run === undefined) {
      this.#pop();
      this.#cancelled--;
    }
  }

  #pop(): void {
    const last = this.#heap.pop()!;
    if (this.#heap.length === 0) return;
    this.#heap[0] = last;
    this.#siftDown(0);
  }

  #siftUp(index: number): void {
    const heap = this.#heap;
    const entry = heap[index]!;
    while (index > 0) {
      const parent = (index - 1) >> 1;
      if (!before(entry, heap[parent]!)) break;
      heap[index] = heap[parent]!;
      index = parent;
    }
    heap[index] = entry;
  }

  #siftDown(index: number): void {
    const heap = this.#heap;
    const entry = heap[index]!;
    for (;;) {
      let child = 2 * index + 1;
      if (child >= heap.length) break;
      if (child + 1 < heap.length && before(heap[child + 1]!, heap[child]!)) child++;
      if (!before(heap[child]!, entry)) break;
      heap[index] = heap[child]!;
      index = child;
    }
    heap[index] = entry;
  }
}
