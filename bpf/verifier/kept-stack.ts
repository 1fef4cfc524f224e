/**
 * Stacks of states. The current path has a slot object for each 8 bytes of its stack. Checkpoints
 * are many (one in some ten instructions) and mostly alike, so they have less: the contents, which
 * are shared with the checkpoint above where nothing was written since, and a byte of marks for
 * each slot. A `KeptSlot` is made where somebody wants to look at one.
 */
import { UNINIT_REG, type Reg } from './reg.ts';
import { PRECISE, live, type Slot, type Stack, type StackSlot } from './state.ts';

/** A slot of the current path. */
export class PathSlot implements StackSlot {
  reg: Reg = UNINIT_REG;
  live: number = live.NONE;
  precise = false;
  bytes = 0;
  /** The stack in the last checkpoint; undefined where that had no such slot. */
  kept: KeptStack | undefined = undefined;
  readonly #index: number;

  constructor(index: number) {
    this.#index = index;
  }

  get parent(): StackSlot | undefined {
    return this.kept?.at(this.#index);
  }

  copy(): PathSlot {
    const copy = new PathSlot(this.#index);
    copy.reg = this.reg;
    copy.live = this.live;
    copy.precise = this.precise;
    copy.bytes = this.bytes;
    copy.kept = this.kept;
    return copy;
  }
}

export const copyPathSlot = (slot: PathSlot): PathSlot => slot.copy();

interface Contents {
  readonly regs: readonly Reg[];
  readonly bytes: readonly number[];
}

export class KeptStack implements Stack {
  readonly length: number;
  readonly parent: KeptStack | undefined;
  readonly contents: Contents;
  /** Of all stacks of the state; this one's begin at `#first`. */
  readonly #marks: Uint8Array;
  readonly #first: number;

  constructor(slots: readonly PathSlot[], marks: Uint8Array, first: number) {
    this.length = slots.length;
    // Slots are added at the end: the first has been there longest.
    this.parent = slots[0]?.kept;
    this.contents = contentsOf(slots, this.parent?.contents);
    this.#marks = marks;
    this.#first = first;
    slots.forEach((slot, index) => {
      marks[first + index] = slot.live | (slot.precise ? PRECISE : 0);
    });
  }

  at(index: number): KeptSlot | undefined {
    return index < this.length ? new KeptSlot(this, index) : undefined;
  }

  marksAt(index: number): number {
    return this.#marks[this.#first + index]!;
  }

  setMarks(index: number, marks: number): void {
    this.#marks[this.#first + index] = marks;
  }

  /** No more marks will come: what was not read so far is as good as never written. */
  finish(): void {
    for (let index = 0; index < this.length; index++) {
      this.#marks[this.#first + index]! |= live.DONE;
    }
  }

  isForgotten(index: number): boolean {
    return (this.marksAt(index) & (live.DONE | live.READ)) === live.DONE;
  }
}

/** A slot of a checkpoint: its contents never change, its marks do. */
class KeptSlot implements StackSlot {
  readonly #stack: KeptStack;
  readonly #index: number;

  constructor(stack: KeptStack, index: number) {
    this.#stack = stack;
    this.#index = index;
  }

  get reg(): Reg {
    const { regs } = this.#stack.contents;
    return this.#stack.isForgotten(this.#index) ? UNINIT_REG : regs[this.#index]!;
  }

  get bytes(): number {
    const { bytes } = this.#stack.contents;
    return this.#stack.isForgotten(this.#index) ? 0 : bytes[this.#index]!;
  }

  get live(): number {
    return this.#stack.marksAt(this.#index) & ~PRECISE;
  }
  set live(marks: number) {
    const precise = this.#stack.marksAt(this.#index) & PRECISE;
    this.#stack.setMarks(this.#index, marks | precise);
  }

  get precise(): boolean {
    return (this.#stack.marksAt(this.#index) & PRECISE) !== 0;
  }
  set precise(precise: boolean) {
    this.#stack.setMarks(this.#index, this.live | (precise ? PRECISE : 0));
  }

  get parent(): Slot | undefined {
    return this.#stack.parent?.at(this.#index);
  }
}

function contentsOf(slots: readonly PathSlot[], before: Contents | undefined): Contents {
  if (before?.regs.length === slots.length) {
    const { regs, bytes } = before;
    let index = 0;
    while (
      index < slots.length &&
      slots[index]!.reg === regs[index] &&
      slots[index]!.bytes === bytes[index]
    ) {
      index++;
    }
    if (index === slots.length) return before;
  }
  return { regs: slots.map((slot) => slot.reg), bytes: slots.map((slot) => slot.bytes) };
}
