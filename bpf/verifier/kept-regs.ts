/**
 * Registers of a caller in a checkpoint. Checkpoints are many, calls deep, and callers' registers
 * mostly what they were: so contents are shared with the checkpoint above, and marks are a byte
 * each, as for stacks (kept-stack.ts).
 */
import { UNINIT_REG, type Reg } from './reg.ts';
import { FIRST_SAVED, PRECISE, live, type Regs, type Slot } from './state.ts';

export class KeptRegs implements Regs {
  readonly length: number;
  /** The same registers in the checkpoint above; undefined where the frame is newer. */
  readonly parent: Regs | undefined;
  readonly contents: readonly Reg[];
  /** Of all frames of the state; this one's begin at `#first`. */
  readonly #marks: Uint8Array;
  readonly #first: number;

  constructor(slots: readonly Slot[], above: Regs | undefined, marks: Uint8Array, first: number) {
    this.length = slots.length;
    // Registers that a call leaves alone have the same ancestry; others are read by nobody.
    this.parent = above && isPlaceOf(above, slots[FIRST_SAVED]!.parent) ? above : undefined;
    this.contents = contentsOf(slots, above);
    this.#marks = marks;
    this.#first = first;
    slots.forEach((slot, regno) => {
      marks[first + regno] = slot.live | (slot.precise ? PRECISE : 0);
    });
  }

  at(regno: number): KeptReg {
    return new KeptReg(this, regno);
  }

  marksAt(regno: number): number {
    return this.#marks[this.#first + regno]!;
  }

  setMarks(regno: number, marks: number): void {
    this.#marks[this.#first + regno] = marks;
  }
}

/** A register of a caller in a checkpoint, for whoever looks at one. */
class KeptReg implements Slot {
  readonly regs: KeptRegs;
  readonly #regno: number;

  constructor(regs: KeptRegs, regno: number) {
    this.regs = regs;
    this.#regno = regno;
  }

  /** What was not read when no more marks come is as good as never written. */
  get reg(): Reg {
    const isForgotten = (this.live & (live.DONE | live.READ)) === live.DONE;
    return isForgotten ? UNINIT_REG : this.regs.contents[this.#regno]!;
  }

  get live(): number {
    return this.regs.marksAt(this.#regno) & ~PRECISE;
  }
  set live(marks: number) {
    this.regs.setMarks(this.#regno, marks | (this.regs.marksAt(this.#regno) & PRECISE));
  }

  get precise(): boolean {
    return (this.regs.marksAt(this.#regno) & PRECISE) !== 0;
  }
  set precise(precise: boolean) {
    this.regs.setMarks(this.#regno, this.live | (precise ? PRECISE : 0));
  }

  get parent(): Slot | undefined {
    return this.#regno < FIRST_SAVED ? undefined : this.regs.parent?.at(this.#regno);
  }
}

const isPlaceOf = (regs: Regs, slot: Slot | undefined): boolean =>
  slot instanceof KeptReg
    ? slot.regs === regs
    : slot !== undefined && regs.at(FIRST_SAVED) === slot;

function contentsOf(slots: readonly Slot[], above: Regs | undefined): readonly Reg[] {
  if (above instanceof KeptRegs) {
    const { contents } = above;
    if (slots.every((slot, regno) => slot.reg === contents[regno])) return contents;
  }
  return slots.map((slot) => slot.reg);
}
