/**
 * When packets enter the pipeline and leave it, in cycles: what the emitted hardware does, cycle by cycle.
 * Frames come one a cycle; a packet enters once the last of its frames is in the ring.
 */
import type { Hazards } from './hazards.ts';
import { FETCH_CYCLES, RESTART_CYCLES } from './params.ts';

export class PipelineClock {
  /** Of the last packet: its first frame is in stage 0. */
  entry = -1;
  /** Its first frame, or what tells of its drop, is at the output. */
  leaves = -1;
  /** Cycles that it came later for the interval, and for a flush. */
  waited = 0;
  flushed = 0;
  /** Packets that were in the pipeline already when they were flushed. */
  reruns = 0;
  readonly #stages: number;
  readonly #hazards: Hazards;
  #writtenAt = -1;
  /** The next packet enters no sooner, for its predecessor's frames; for the interval. */
  #framesDone = 0;
  #intervalDone = 0;
  #flushDone = 0;
  /** Until when those behind a writer enter in vain, and how far they would have got. */
  #flushAt = -1;
  #inVain = 0;

  constructor(stages: number, hazards: Hazards) {
    this.#stages = stages;
    this.#hazards = hazards;
  }

  /**
   * @param arrival cycle at which its first frame may be written
   * @param writes it changes which elements a map has
   */
  packet(arrival: number, frames: number, writes: boolean): void {
    const { interval, flush } = this.#hazards;
    this.#writtenAt = Math.max(arrival, this.#writtenAt + 1) + frames - 1;
    const ready = Math.max(this.#writtenAt + FETCH_CYCLES, this.#framesDone);
    const spaced = Math.max(ready, this.#intervalDone);
    this.#countRerun(spaced, frames);
    this.entry = Math.max(spaced, this.#flushDone);
    this.waited = spaced - ready;
    this.flushed = this.entry - spaced;
    this.leaves = this.entry + this.#stages;
    this.#framesDone = this.entry + frames;
    this.#intervalDone = this.entry + interval;
    if (!writes || !flush) return;
    this.#flushAt = this.entry + flush.stage;
    this.#flushDone = this.#flushAt + 1 + RESTART_CYCLES;
    this.#inVain = this.#framesDone;
  }

  #countRerun(spaced: number, frames: number): void {
    const entry = Math.max(spaced, this.#inVain);
    if (entry > this.#flushAt) return;
    this.reruns++;
    this.#inVain = entry + frames;
  }
}
