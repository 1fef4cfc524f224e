/** What threads wait for: their core, and memories. Booked ahead, in order of the packets' arrival. */

/** One core's instruction slots. A thread's turn is not interrupted. */
export class CoreCalendar {
  readonly #begins: number[] = [];
  readonly #ends: number[] = [];

  /** Nobody will ask for a time before that. */
  forget(before: number): void {
    let gone = 0;
    while (gone < this.#ends.length && this.#ends[gone]! <= before) gone++;
    if (gone === 0) return;
    this.#begins.splice(0, gone);
    this.#ends.splice(0, gone);
  }

  /** The first gap of that many cycles; when it begins. */
  book(ready: number, cycles: number): number {
    const begins = this.#begins;
    const ends = this.#ends;
    let at = ready;
    let i = begins.length;
    // Most turns come behind all that is booked.
    while (i > 0 && ends[i - 1]! > at) i--;
    for (; i < begins.length && begins[i]! < at + cycles; i++) at = ends[i]!;
    if (i > 0 && ends[i - 1] === at) ends[i - 1] = at + cycles;
    else {
      begins.splice(i, 0, at);
      ends.splice(i, 0, at + cycles);
    }
    return at;
  }
}

const SPAN_CYCLES = 64;
const SPANS = 4096;

/** A memory that starts one command a cycle, counted by spans of 64 cycles. */
export class MemoryUnit {
  readonly #span = new Float64Array(SPANS).fill(-1);
  readonly #used = new Uint8Array(SPANS);

  /** When a command that comes then is begun. */
  book(at: number, busyCycles: number): number {
    for (let span = Math.floor(at / SPAN_CYCLES); ; span++) {
      const slot = span % SPANS;
      if (this.#span[slot] !== span) {
        this.#span[slot] = span;
        this.#used[slot] = 0;
      }
      if (this.#used[slot]! + busyCycles > SPAN_CYCLES) continue;
      this.#used[slot]! += busyCycles;
      return Math.max(at, span * SPAN_CYCLES);
    }
  }
}

/** Threads in the order in which they became free. */
export class FreeThreads {
  readonly #thread: number[];
  readonly #since: number[];

  constructor(threads: number) {
    this.#thread = Array.from({ length: threads }, (_, thread) => thread);
    this.#since = new Array<number>(threads).fill(0);
  }

  /** Since when the first is free. */
  get since(): number {
    return this.#since[0]!;
  }

  take(): number {
    this.#since.shift();
    return this.#thread.shift()!;
  }

  give(thread: number, since: number): void {
    let i = this.#since.length;
    while (i > 0 && this.#since[i - 1]! > since) i--;
    this.#since.splice(i, 0, since);
    this.#thread.splice(i, 0, thread);
  }
}
