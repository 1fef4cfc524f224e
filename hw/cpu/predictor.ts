/**
 * Which way conditional branches go: a small TAGE (Seznec and Michaud, JILP 2006). A table of
 * two-bit counters by address, and two tables of tagged counters by address and 8 or 24 ways that
 * branches went before; the longest history that has an entry decides.
 */

const BASE_ENTRIES = 4096;
const TAGGED_ENTRIES = 2048;
const TAG_BITS = 10;
const TAG_MASK = (1 << TAG_BITS) - 1;
/** Three-bit counters: taken from 4 on. */
const WEAKLY_TAKEN = 4;
const STRONGEST = 7;
const HISTORIES = [8, 24] as const;

interface TaggedTable {
  readonly mask: number;
  readonly tags: Int16Array;
  readonly counters: Uint8Array;
  readonly useful: Uint8Array;
}

export class BranchPredictor {
  readonly #base = new Uint8Array(BASE_ENTRIES).fill(1);
  readonly #tables: readonly TaggedTable[] = HISTORIES.map((bits) => ({
    mask: (1 << bits) - 1,
    tags: new Int16Array(TAGGED_ENTRIES).fill(-1),
    counters: new Uint8Array(TAGGED_ENTRIES),
    useful: new Uint8Array(TAGGED_ENTRIES),
  }));
  #history = 0;

  /** The branch at `place` went that way; whether it was predicted. */
  branch(place: number, taken: boolean): boolean {
    const [short, long] = this.#tables as [TaggedTable, TaggedTable];
    const shortAt = this.#index(short, place);
    const longAt = this.#index(long, place);
    const shortTag = this.#tag(short, place);
    const longTag = this.#tag(long, place);
    const inLong = long.tags[longAt] === longTag;
    const inShort = short.tags[shortAt] === shortTag;
    const baseAt = place & (BASE_ENTRIES - 1);
    const base = this.#base[baseAt]! >= 2;
    const byShort = inShort ? short.counters[shortAt]! >= WEAKLY_TAKEN : base;
    const predicted = inLong ? long.counters[longAt]! >= WEAKLY_TAKEN : byShort;
    const right = predicted === taken;
    if (inLong) train(long, longAt, taken, right, byShort !== predicted);
    else if (inShort) train(short, shortAt, taken, right, base !== predicted);
    else this.#base[baseAt] = counted(this.#base[baseAt]!, taken, 3);
    if (!right && !inLong) {
      if (inShort || !this.#allocate(short, shortAt, shortTag, taken)) {
        this.#allocate(long, longAt, longTag, taken);
      }
    }
    this.#history = ((this.#history << 1) | (taken ? 1 : 0)) & 0xff_ffff;
    return right;
  }

  #index({ mask }: TaggedTable, place: number): number {
    const history = this.#history & mask;
    const folded = history ^ (history >>> 11) ^ (history >>> 5);
    return ((Math.imul(place, 0x9e37_79b1) >>> 12) ^ folded) & (TAGGED_ENTRIES - 1);
  }

  #tag({ mask }: TaggedTable, place: number): number {
    return (place ^ (Math.imul(this.#history & mask, 0x85eb_ca6b) >>> 17)) & TAG_MASK;
  }

  /** False where a useful entry is in the way; it becomes less so. */
  #allocate(table: TaggedTable, at: number, tag: number, taken: boolean): boolean {
    if (table.useful[at]! > 0) {
      table.useful[at]!--;
      return false;
    }
    table.tags[at] = tag;
    table.counters[at] = taken ? WEAKLY_TAKEN : WEAKLY_TAKEN - 1;
    return true;
  }
}

function train(
  { counters, useful }: TaggedTable,
  at: number,
  taken: boolean,
  right: boolean,
  otherwiseDifferent: boolean,
): void {
  counters[at] = counted(counters[at]!, taken, STRONGEST);
  if (otherwiseDifferent)
    useful[at] = right ? Math.min(3, useful[at]! + 1) : Math.max(0, useful[at]! - 1);
}

const counted = (counter: number, up: boolean, most: number): number =>
  up ? Math.min(most, counter + 1) : Math.max(0, counter - 1);
