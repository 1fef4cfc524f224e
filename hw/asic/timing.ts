/**
 * Packets through a pipe: one enters each clock, all take the same time. Which tables hit makes no
 * difference, so nothing of a packet's run is asked for.
 */
import type { PacketRun, PacketTimes, TimingModel, TimingReport } from '../target.ts';
import type { AsicImage } from './image.ts';
import { INPUT_BUFFER_BYTES } from './params.ts';

export class AsicTiming implements TimingModel {
  readonly needs = {};
  readonly #image: AsicImage;
  readonly #clockHz: number;
  readonly #cycleNs: number;
  /** When the next packet may enter. */
  #freeNs = 0;
  #packets = 0;
  #waited = 0;

  constructor(image: AsicImage, { clockHz }: { readonly clockHz: number }) {
    this.#image = image;
    this.#clockHz = clockHz;
    this.#cycleNs = 1e9 / clockHz;
  }

  /** Every packet that waits has at least its length in the buffer. */
  admits(arrivalNs: number, bytes: number): boolean {
    const waiting = Math.max(0, (this.#freeNs - arrivalNs) / this.#cycleNs);
    return waiting * bytes <= INPUT_BUFFER_BYTES;
  }

  packet({ arrivalNs }: PacketRun, times: PacketTimes): void {
    const beginsNs = Math.max(arrivalNs, this.#freeNs);
    this.#waited += (beginsNs - arrivalNs) / this.#cycleNs;
    this.#freeNs = beginsNs + this.#cycleNs;
    this.#packets++;
    times.lost = false;
    times.doneNs = beginsNs + this.#image.latencyCycles * this.#cycleNs;
  }

  report(): TimingReport {
    const { parserDepth } = this.#image.allocation;
    const breakdown = {
      parser: this.#packets * parserDepth,
      stages: this.#packets * (this.#image.latencyCycles - parserDepth),
    };
    return {
      clockHz: this.#clockHz,
      cycles: breakdown.parser + breakdown.stages,
      instructions: this.#packets * this.#image.allocation.actions.length,
      breakdown,
      counters: { 'cycles waited': this.#waited },
    };
  }
}
