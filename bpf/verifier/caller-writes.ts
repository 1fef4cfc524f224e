/**
 * Which places on its callers' stacks a callback writes, by the call that it is called from.
 *
 * A callback runs any number of times, so at its entry a place that it writes may hold what an
 * earlier run left there. Nothing is known to be written at first; what an exploration finds is added,
 * and an exploration that found more than it started with has proved nothing and is done again
 * (`runSound`). A place that no path writes holds at every run what it held before the first.
 */
import type { Checker } from './checker.ts';
import { MAX_FRAMES, MAX_STACK } from './state.ts';

const SLOTS = MAX_STACK / 8;

export class CallerWrites {
  readonly #places = new Set<number>();
  /** Some place was added. */
  grown = false;
  /** Some number was kept across a callback for not being known to be written. */
  relied = false;

  has(callsite: number, frameno: number, slot: number): boolean {
    return this.#places.has(placeOf(callsite, frameno, slot));
  }

  add(callsite: number, frameno: number, slot: number): void {
    const before = this.#places.size;
    this.#places.add(placeOf(callsite, frameno, slot));
    if (this.#places.size > before) this.grown = true;
  }
}

const placeOf = (callsite: number, frameno: number, slot: number): number =>
  (callsite * MAX_FRAMES + frameno) * SLOTS + slot;

/** Slot `slot` of the frame is written: every callback above the frame may do so again. */
export function noteStackWrite(c: Checker, frameno: number, slot: number): void {
  const { callerWrites } = c;
  if (!callerWrites) return;
  const { frames } = c.state;
  for (let above = frameno + 1; above < frames.length; above++) {
    const { inCallback, callsite } = frames[above]!;
    if (inCallback) callerWrites.add(callsite, frameno, slot);
  }
}
