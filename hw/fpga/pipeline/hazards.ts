/**
 * What packets that are in the pipeline at once may do to each other through maps, and what is done
 * about it. A packet that reads what one in front of it is about to write would see the past.
 *
 *   none     no map is read before the stage that writes it
 *   flush    a packet that changes which elements there are sends those behind it, which have read
 *            already, back to the start; nothing they do has an effect in front of that stage
 *   interval the next packet waits until this one has written: there is no other way
 */
import type { Design } from './design.ts';
import type { Node } from './graph.ts';
import { commitStages, conflict, isStructural, isWrite, type Schedule, scheduleStages } from './stages.ts';

export interface Hazards {
  /** Cycles from one packet's entry to the next one's, at least. */
  readonly interval: number;
  readonly flush?: {
    /** The first stage that reads what may change, and the one that changes it. */
    readonly readStage: number;
    readonly writeStage: number;
    readonly writers: readonly Node[];
  };
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

/** Writes of the same bytes stand in one stage, so that packets write in their order. */
function align(design: Design, bounds: Map<Node, number>, schedule: Schedule): boolean {
  let changed = false;
  const raise = (node: Node, to: number): void => {
    if (schedule.stageOf(node) >= to) return;
    bounds.set(node, to);
    changed = true;
  };
  for (const a of design.accesses) {
    for (const b of design.accesses) {
      if (a === b || !isWrite(a) || !conflict(a, b) || commute(a, b)) continue;
      // Behind what reads it, so that no packet overtakes; beside what writes it.
      raise(a, schedule.stageOf(b));
    }
  }
  return changed;
}

/** Additions, if nobody looks at the sums between them. */
const commute = (a: Node, b: Node): boolean => {
  const [x, y] = [a.access!, b.access!];
  const isSum = a.op === 'rmw' && b.op === 'rmw' && x.operation === y.operation;
  return isSum && x.operation !== 'xchg' && !x.fetch && !y.fetch && x.from === y.from;
};

function withFlush(design: Design): Staged | undefined {
  const writers = design.accesses.filter(isStructural);
  const bounds = new Map<Node, number>();
  for (let round = 0; round < ROUNDS; round++) {
    const schedule = scheduleStages(design, bounds);
    let settled = !align(design, bounds, schedule);
    const writeStage = Math.max(0, ...writers.map((node) => schedule.stageOf(node)));
    if (writers.length > 0) {
      for (const node of design.accesses) {
        if (!isWrite(node) || schedule.stageOf(node) >= writeStage) continue;
        bounds.set(node, writeStage);
        settled = false;
      }
    }
    if (!settled) continue;
    if (windowOf(design, schedule, (write) => !isStructural(write)) > 0) return undefined;
    if (writers.length === 0) return { schedule, hazards: { interval: 1 } };
    if (writers.some((node) => schedule.stageOf(node) !== writeStage)) return undefined;
    const readers = design.accesses.filter(
      (node) => !isStructural(node) && writers.some((writer) => conflict(writer, node)),
    );
    const readStage = Math.min(writeStage, ...readers.map((node) => schedule.stageOf(node)));
    return { schedule, hazards: { interval: 1, flush: { readStage, writeStage, writers } } };
  }
  return undefined;
}

function withInterval(design: Design): Staged {
  const schedule = scheduleStages(design, new Map());
  return { schedule, hazards: { interval: Math.max(1, windowOf(design, schedule, () => true) + 1) } };
}

/** Most stages between an access and a conflicting one, whichever comes first. */
function windowOf(design: Design, schedule: Schedule, counts: (write: Node) => boolean): number {
  let most = 0;
  for (const write of design.accesses) {
    if (!isWrite(write) || !counts(write)) continue;
    for (const other of design.accesses) {
      if (!conflict(write, other) || commute(write, other)) continue;
      const apart = schedule.stageOf(write) - schedule.stageOf(other);
      const seen = Math.abs(apart) + commitStages(write) - 1;
      const alone = other === write && (write.op === 'store' || write.op === 'rmw');
      if (alone || (apart === 0 && write.op !== 'update' && write.op !== 'delete')) continue;
      most = Math.max(most, seen);
    }
  }
  return most;
}
