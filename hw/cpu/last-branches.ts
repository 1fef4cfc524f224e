/** The last branches that were taken, as cores record them (Intel SDM volume 3, 17.4.8). */
export interface BlockBranch {
  /** Blocks that the branch left and entered. */
  readonly from: number;
  readonly to: number;
  readonly mispredicted: boolean;
  /** Cycles since the record before. */
  readonly cycles: number;
}

export class LastBranches {
  readonly #entries: number;
  readonly #from: Int32Array;
  readonly #to: Int32Array;
  readonly #at: Float64Array;
  #count = 0;

  constructor(entries: number) {
    this.#entries = entries;
    this.#from = new Int32Array(Math.max(1, entries));
    this.#to = new Int32Array(Math.max(1, entries));
    this.#at = new Float64Array(Math.max(1, entries));
  }

  add(from: number, to: number, mispredicted: boolean, cycle: number): void {
    if (this.#entries === 0) return;
    const slot = this.#count++ % this.#entries;
    this.#from[slot] = mispredicted ? ~from : from;
    this.#to[slot] = to;
    this.#at[slot] = cycle;
  }

  /** The latest first. */
  read(): readonly BlockBranch[] {
    const kept = Math.min(this.#count, this.#entries);
    return Array.from({ length: kept }, (_, back): BlockBranch => {
      const slot = (this.#count - 1 - back) % this.#entries;
      const from = this.#from[slot]!;
      const before = (slot + this.#entries - 1) % this.#entries;
      const cycles = back + 1 < kept ? this.#at[slot]! - this.#at[before]! : 0;
      return { from: from < 0 ? ~from : from, to: this.#to[slot]!, mispredicted: from < 0, cycles };
    });
  }
}
