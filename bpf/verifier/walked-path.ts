/**
 * What a walk back along the path looks for, and what earlier walks found (precision.ts).
 */
import type { AnyState } from './state.ts';
import { join } from './wide.ts';

/** What the backtracking looks for: registers and stack slots (0 to 63), as bit sets. */
export class Wanted {
  regs: number;
  #slots = 0;
  #upperSlots = 0;

  constructor(regs: number) {
    this.regs = regs;
  }

  get isEmpty(): boolean {
    return (this.regs | this.#slots | this.#upperSlots) === 0;
  }

  get hasSlots(): boolean {
    return (this.#slots | this.#upperSlots) !== 0;
  }

  has(slot: number): boolean {
    return ((slot < 32 ? this.#slots : this.#upperSlots) & (1 << slot)) !== 0;
  }

  addSlot(slot: number): void {
    if (slot < 32) this.#slots |= 1 << slot;
    else this.#upperSlots |= 1 << slot;
  }

  removeSlot(slot: number): void {
    if (slot < 32) this.#slots &= ~(1 << slot);
    else this.#upperSlots &= ~(1 << slot);
  }

  /** All that the other looks for, this one does too. */
  includes(other: Wanted): boolean {
    const missing =
      (other.regs & ~this.regs) |
      (other.#slots & ~this.#slots) |
      (other.#upperSlots & ~this.#upperSlots);
    return missing === 0;
  }

  copy(): Wanted {
    const copy = new Wanted(0);
    copy.add(this);
    return copy;
  }

  add(other: Wanted): void {
    this.regs |= other.regs;
    this.#slots |= other.#slots;
    this.#upperSlots |= other.#upperSlots;
  }

  /** `regs=1 stack=4`, in hexadecimal as the log has it. */
  text(regs = 'regs=', slots = 'stack='): string {
    const stack = join(this.#upperSlots, this.#slots);
    return `${regs}${this.regs.toString(16)} ${slots}${stack.toString(16)}`;
  }
}

/** One position in so many is remembered: few enough to cost little, near enough to be met soon. */
export const WALKED_EVERY = 32;

/**
 * What walks along the current path, since its last checkpoint, have looked for so far, and where.
 * A walk that comes by for no more than that would only find what is marked already: it can stop,
 * or else a long block in which every instruction asks for the same value would be walked once for
 * each. (6.1 does walk it, with the same marks in the end.)
 */
export class WalkedPath {
  #state: AnyState | undefined;
  #parent: AnyState | undefined;
  readonly #wanted = new Map<number, Wanted>();

  /** `position`: of an instruction on the path of `state`. True where there is nothing new. */
  covers(state: AnyState, position: number, wanted: Wanted): boolean {
    if (state !== this.#state || state.parent !== this.#parent) {
      this.#state = state;
      this.#parent = state.parent;
      this.#wanted.clear();
    }
    const before = this.#wanted.get(position);
    if (before?.includes(wanted)) return true;
    if (before) before.add(wanted);
    else this.#wanted.set(position, wanted.copy());
    return false;
  }
}
