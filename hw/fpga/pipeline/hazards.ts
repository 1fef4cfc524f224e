/**
 * What packets that are in the pipeline at once may do to each other through maps, and what is done
 * about it. A packet that reads what one in front of it is about to write would see the past.
 *
 *   none      no map is read before the stage that writes it
 *   flush     a packet that changes which elements there are sends those behind it back to the
 *             start; nothing that they do has an effect before that stage
 *   interval  the next packet waits until this one has written: there is no other way
 */
import type { Design } from './design.ts';
import { type Node } from './node.ts';
import {
  commitStages,
  conflict,
  isStructural,
  isWrite,
  type Schedule,
  scheduleStages,
} from './stages.ts';

export interface Hazards {
  /** Cycles from one packet's entry to the next one's, at least. */
  readonly interval: number;
  /** Updates and deletions, and the stage that they stand in. */
  readonly flush?: { readonly stage: number; readonly writers: readonly Node[] };
}

export interface Staged {
  readonly schedule: Schedule;
  readonly hazards: Hazards;
}

const ROUNDS = 12;

/** Stages, and what keeps packets apart. */
export function stage(design: Design): Staged {
  return withFlush(design) ?? withInterval(design);
}

function withFlush(design: Design): Staged | undefined {
  const writers = design.accesses.filter(isStructural);
  const bounds = new Map<Node, number>();
  for (let round = 0; round < ROUNDS; round++) {
    const schedule = scheduleStages(design, bounds);
    const last = Math.max(0, ...writers.map((node) => schedule.stageOf(node)));
    if (raise(design, bounds, schedule, writers.length > 0 ? last : 0)) continue;
    if (windowOf(design, schedule, false) > 0) return undefined;
    const flush = { stage: last, writers };
    return { schedule, hazards: { interval: 1, ...(writers.length > 0 && { flush }) } };
  }
  return undefined;
}

/**
 * Writes of the same bytes into one stage, not in front of what reads them, so that packets write in
 * their order; and none in front of what may flush. Returns whether something must move.
 */
function raise(
  { accesses }: Design,
  bounds: Map<Node, number>,
  schedule: Schedule,
  least: number,
): boolean {
  let moved = false;
  for (const write of accesses.filter(isWrite)) {
    const others = accesses.filter((other) => other !== write && conflict(write, other));
    const to = Math.max(least, ...others.map((other) => schedule.stageOf(other)));
    if (schedule.stageOf(write) >= to) continue;
    bounds.set(write, to);
    moved = true;
  }
  return moved;
}

function withInterval(design: Design): Staged {
  const bounds = new Map<Node, number>();
  const schedule = scheduleStages(design, bounds);
  return { schedule, hazards: { interval: windowOf(design, schedule, true) + 1 } };
}

/** Most cycles by which the next packet would come too early. */
function windowOf({ accesses }: Design, schedule: Schedule, structural: boolean): number {
  let most = 0;
  for (const write of accesses.filter(isWrite)) {
    for (const other of accesses) {
      if (!conflict(write, other)) continue;
      // Those behind a change of the keys are flushed.
      if (!structural && (isStructural(write) || isStructural(other))) continue;
      const apart = Math.abs(schedule.stageOf(write) - schedule.stageOf(other));
      // One unit of the memory serves both, and forwards what it has just written.
      const together = write.op === other.op && (write.op === 'store' || write.op === 'rmw');
      if (apart === 0 && together) continue;
      most = Math.max(most, apart + commitStages(write) - 1);
    }
  }
  return most;
}
