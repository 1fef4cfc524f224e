/**
 * Where tasks go: which CPU wakes one up, which takes work from another, and how long a task may run
 * in one go.
 */
import { Bug } from '../types/units.ts';
import type { Cpu } from './cpu.ts';
import type { SchedTunables } from './run-queue.ts';
import { weightOf } from './run-queue.ts';
import type { Task } from './task.ts';

export class Placement {
  readonly #cpus: readonly Cpu[];
  readonly #tunables: SchedTunables;

  constructor(cpus: readonly Cpu[], tunables: SchedTunables) {
    this.#cpus = cpus;
    this.#tunables = tunables;
  }

  /** Where it ran, if that CPU is idle; else any idle one; else where it ran. */
  select(task: Task): Cpu {
    const idle = this.idleFor(task);
    if (idle) return idle;
    return task.cpusAllowed.has(task.cpu) ? this.#cpus[task.cpu]! : this.idlest(task);
  }

  /** An idle CPU that the task may use, its last one first. */
  idleFor(task: Task): Cpu | undefined {
    const count = this.#cpus.length;
    for (let i = 0; i < count; i++) {
      const cpu = this.#cpus[(task.cpu + i) % count]!;
      if (task.cpusAllowed.has(cpu.id) && isIdle(cpu)) return cpu;
    }
    return undefined;
  }

  /** The CPU with fewest tasks: where new ones start. */
  idlest(task: Task): Cpu {
    let best: Cpu | undefined;
    for (const cpu of this.#cpus) {
      if (!task.cpusAllowed.has(cpu.id)) continue;
      if (!best || cpu.runnable + cpu.incoming < best.runnable + best.incoming) best = cpu;
    }
    if (!best) throw new Bug(`${task.comm} may run on no CPU`);
    return best;
  }

  /** What a CPU without work takes from the one that has most waiting. */
  toPull(cpu: Cpu): { readonly task: Task; readonly from: Cpu } | undefined {
    let from: Cpu | undefined;
    for (const other of this.#cpus) {
      if (other !== cpu && other.queue.length > (from?.queue.length ?? 0)) from = other;
    }
    // The only task of a CPU that is about to run it stays there.
    if (!from || (from.isIdle && from.queue.length < 2)) return undefined;
    const task = from.queue.tasks.findLast((candidate) => candidate.cpusAllowed.has(cpu.id));
    return task && { task, from };
  }

  /** The time that a task may run in one go, by its share of the period (sched_slice). */
  sliceOf(task: Task, cpu: Cpu): number {
    const running = cpu.runnable + (task.onRq ? 0 : 1);
    const { latencyNs, minGranularityNs } = this.#tunables;
    const period = Math.max(latencyNs, running * minGranularityNs);
    const current = cpu.isIdle ? undefined : cpu.current;
    const total = cpu.queue.totalWeight(current) + (task.onRq ? 0 : weightOf(task.nice));
    return (period * weightOf(task.nice)) / total;
  }
}

function isIdle(cpu: Cpu): boolean {
  return cpu.isIdle && cpu.queue.length === 0 && cpu.incoming === 0;
}
