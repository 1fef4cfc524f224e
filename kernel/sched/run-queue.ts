/**
 * The fair class's queue of one CPU: runnable tasks by virtual run time, smallest first; equals in
 * the order in which they came. The running task is not in it.
 */
import type { Task } from './task.ts';

/** kernel/sched/fair.c of 6.1, before scaling by CPUs: latency, minimum granularity, wake-up. */
const SCHED_LATENCY_NS = 6_000_000;
const MIN_GRANULARITY_NS = 750_000;
const WAKEUP_GRANULARITY_NS = 1_000_000;
const NICE_0_WEIGHT = 1024;

export interface SchedTunables {
  readonly latencyNs: number;
  readonly minGranularityNs: number;
  readonly wakeupGranularityNs: number;
}

/** SCHED_TUNABLESCALING_LOG: times 1 + log2 of the CPUs, up to 8 of them. */
export function tunables(cpuCount: number): SchedTunables {
  const factor = 32 - Math.clz32(Math.min(cpuCount, 8));
  return {
    latencyNs: SCHED_LATENCY_NS * factor,
    minGranularityNs: MIN_GRANULARITY_NS * factor,
    wakeupGranularityNs: WAKEUP_GRANULARITY_NS * factor,
  };
}

/**
 * Weight of a nice value: each step is 1.25 times the next.
 * differs: computed, so it is up to 1% off Linux's rounded table away from nice 0.
 */
export function weightOf(nice: number): number {
  if (nice === 0) return NICE_0_WEIGHT;
  // Powers of 1.25 are exact in a double this far; Math.pow need not be the same everywhere.
  let factor = 1;
  for (let i = Math.abs(nice); i > 0; i--) factor *= 1.25;
  return Math.max(1, Math.round(nice > 0 ? NICE_0_WEIGHT / factor : NICE_0_WEIGHT * factor));
}

/** Run time in the scale of vruntime. */
export function weighted(ns: number, nice: number): number {
  return nice === 0 ? ns : (ns * NICE_0_WEIGHT) / weightOf(nice);
}

export class RunQueue {
  #tasks: Task[] = [];
  #sequence = 0;
  /** Never goes back; newcomers start near it. */
  minVruntime = 0;

  get length(): number {
    return this.#tasks.length;
  }

  get first(): Task | undefined {
    return this.#tasks[0];
  }

  get tasks(): readonly Task[] {
    return this.#tasks;
  }

  totalWeight(current: Task | undefined): number {
    let sum = current ? weightOf(current.nice) : 0;
    for (const task of this.#tasks) sum += weightOf(task.nice);
    return sum;
  }

  add(task: Task): void {
    task.rqSequence = this.#sequence++;
    let low = 0;
    let high = this.#tasks.length;
    while (low < high) {
      const middle = (low + high) >> 1;
      if (this.#tasks[middle]!.vruntime <= task.vruntime) low = middle + 1;
      else high = middle;
    }
    this.#tasks.splice(low, 0, task);
  }

  remove(task: Task): void {
    const index = this.#tasks.indexOf(task);
    if (index >= 0) this.#tasks.splice(index, 1);
  }

  takeFirst(): Task | undefined {
    return this.#tasks.shift();
  }

  updateMin(current: Task | undefined): void {
    const first = this.#tasks[0];
    let min = current ? current.vruntime : Infinity;
    if (first) min = Math.min(min, first.vruntime);
    if (min !== Infinity) this.minVruntime = Math.max(this.minVruntime, min);
  }
}
