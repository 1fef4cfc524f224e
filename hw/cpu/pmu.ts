/**
 * A core's performance monitoring: the counters that perf_event_open(2) names, and its last branches,
 * as the kernel's perf events read them (CounterSource of hw/target.ts).
 *
 *   const pmu = new Pmu(core, stream)
 *   pmu.counter(PERF_TYPE_HARDWARE, 0n)?.()    cycles so far
 */
import type { BranchRecord, CounterSource } from '../target.ts';
import type { CodeStream } from './code-stream.ts';
import type { Core } from './core.ts';

/** UAPI linux/perf_event.h */
const PERF_TYPE_HARDWARE = 0;
const PERF_TYPE_HW_CACHE = 3;

type Read = (core: Core) => number;

/** By PERF_COUNT_HW_*. */
const HARDWARE: readonly (Read | undefined)[] = [
  ({ cycles }) => cycles,
  ({ counts }) => counts.insns,
  // Cache references and misses are those of the last level.
  ({ memory }) => memory.counts.lastLoads,
  ({ memory }) => memory.counts.lastMisses,
  ({ counts }) => counts.branches,
  ({ counts }) => counts.mispredicts,
];

/** By `cache | operation << 8 | result << 16`: loads of L1D and of the last level, branches. */
const CACHES: ReadonlyMap<number, Read> = new Map<number, Read>([
  [0x0_00_00, ({ memory }) => memory.counts.l1Loads],
  [0x1_00_00, ({ memory }) => memory.counts.l1Misses],
  [0x0_00_02, ({ memory }) => memory.counts.lastLoads],
  [0x1_00_02, ({ memory }) => memory.counts.lastMisses],
  [0x0_00_05, ({ counts }) => counts.branches],
  [0x1_00_05, ({ counts }) => counts.mispredicts],
]);

export class Pmu implements CounterSource {
  readonly #core: Core;
  readonly #stream: CodeStream;

  constructor(core: Core, stream: CodeStream) {
    this.#core = core;
    this.#stream = stream;
  }

  counter(type: number, config: bigint): (() => bigint) | undefined {
    const number = Number(config);
    const read =
      type === PERF_TYPE_HARDWARE
        ? HARDWARE[number]
        : type === PERF_TYPE_HW_CACHE
          ? CACHES.get(number)
          : undefined;
    const core = this.#core;
    return read && (() => BigInt(Math.floor(read(core))));
  }

  lastBranches(): readonly BranchRecord[] {
    return this.#core.lastBranches.read().flatMap(({ from, to, mispredicted, cycles }) => {
      const left = this.#stream.blockOf(from)?.insns.at(-1)?.address;
      const entered = this.#stream.blockOf(to)?.insns[0]?.address;
      // Out of the program: where that leads, the model does not know.
      if (left === undefined || entered === undefined) return [];
      return [{ from: left, to: entered, mispredicted, cycles: Math.round(cycles) }];
    });
  }
}
