/**
 * ptr_ring: a ring of fixed size between producers and one consumer (include/linux/ptr_ring.h).
 * Consumed slots go back to the producers in batches, so a long ring that is being emptied refuses
 * for a little longer than it is full.
 */

/** Slots are handed back by two cache lines of pointers, in a ring of twice that at least. */
const BATCH = (64 * 2) / 8;

export class PtrRing<T> {
  readonly #slots: (T | undefined)[];
  readonly #batch: number;
  #producer = 0;
  /** The next to consume, and the first consumed one that has not been handed back. */
  #head = 0;
  #tail = 0;

  /** `size` is at least 1. */
  constructor(size: number) {
    this.#slots = new Array<T | undefined>(size).fill(undefined);
    this.#batch = BATCH > size / 2 ? 1 : BATCH;
  }

  /** False where there is no room (-ENOSPC). */
  produce(item: T): boolean {
    if (this.#slots[this.#producer] !== undefined) return false;
    this.#slots[this.#producer] = item;
    this.#producer = (this.#producer + 1) % this.#slots.length;
    return true;
  }

  /** What would be consumed next. */
  peek(): T | undefined {
    return this.#slots[this.#head];
  }

  consume(): T | undefined {
    const item = this.peek();
    if (item === undefined) return undefined;
    this.#head++;
    const atEnd = this.#head === this.#slots.length;
    if (atEnd || this.#head - this.#tail >= this.#batch) {
      this.#slots.fill(undefined, this.#tail, this.#head);
      this.#tail = this.#head;
    }
    if (atEnd) this.#head = this.#tail = 0;
    return item;
  }
}
