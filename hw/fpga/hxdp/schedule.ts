/**
 * Rows for the lanes: list scheduling of each chain of blocks that control only falls through, with
 * branches side by side where their operands are there (OSDI'20, sections 3.4 and 4.2).
 *
 * A result is forwarded on its lane: who needs it in the next row must be there. Earlier lanes of a
 * row take precedence, so branches stand in program order.
 */
import type { VerifiedProgram } from '../../../bpf/program.ts';
import { dependences, type Dependence } from './dependences.ts';
import { isPure, liveIn } from './liveness.ts';
import type { Op, OpBlock } from './ops.ts';

export interface PlacedOp {
  readonly op: Op;
  readonly lane: number;
}

export interface Row {
  /** In program order; guards have lane -1. */
  readonly ops: PlacedOp[];
}

export interface Schedule {
  readonly rows: readonly Row[];
  /** Blocks that follow each other without a way in between; only the first is jumped to. */
  readonly chains: readonly (readonly number[])[];
  /** Row at which the first block of each chain begins. */
  readonly rowOfBlock: ReadonlyMap<number, number>;
  /** Counted from the beginning of its chain. */
  readonly rowOfOp: ReadonlyMap<Op, number>;
  /** The same of the last row that holds something of a block or of those before it. */
  readonly lastRowOfBlock: ReadonlyMap<number, number>;
}

export interface ScheduleOptions {
  readonly lanes: number;
  readonly parallelBranches: boolean;
}

export function schedule(
  program: VerifiedProgram,
  blocks: readonly OpBlock[],
  options: ScheduleOptions,
): Schedule {
  const rows: Row[] = [];
  const rowOfBlock = new Map<number, number>();
  const rowOfOp = new Map<Op, number>();
  const lastRowOfBlock = new Map<number, number>();
  const chains = chainsOf(blocks);
  const live = liveIn(blocks);
  chains.forEach((chain, i) => {
    rowOfBlock.set(chain[0]!, rows.length);
    const ops = chain.flatMap((block) => blocks[block]!.ops);
    const { next } = blocks[chain.at(-1)!]!;
    // Falling to a chain that stands elsewhere takes a jump.
    if (next !== undefined && chains[i + 1]?.[0] !== next) {
      ops.push({ kind: 'jump', slots: [], reads: 0, writes: 0, memory: [], target: next });
    }
    const own = scheduleChain(program, ops, live, options);
    own.forEach((row, at) => row.ops.forEach(({ op }) => rowOfOp.set(op, at)));
    let last = -1;
    for (const block of chain) {
      for (const op of blocks[block]!.ops) last = Math.max(last, rowOfOp.get(op)!);
      lastRowOfBlock.set(block, last);
    }
    lastRowOfBlock.set(chain.at(-1)!, own.length - 1);
    rows.push(...own);
  });
  return { rows, chains, rowOfBlock, rowOfOp, lastRowOfBlock };
}

/** Blocks in the order of the program, each with what only it falls through to. */
function chainsOf(blocks: readonly OpBlock[]): number[][] {
  const reached = new Set([0]);
  const entries = blocks.map(() => 0);
  const mark = (from: number): void => {
    const { ops, next } = blocks[from]!;
    const targets = ops.flatMap(({ target }) => (target === undefined ? [] : [target]));
    for (const to of [...targets, ...(next === undefined ? [] : [next])]) {
      // A way in by a jump ends a chain: count it as more than one.
      entries[to]! += to === next && !targets.includes(to) ? 1 : 2;
      if (reached.has(to)) continue;
      reached.add(to);
      mark(to);
    }
  };
  mark(0);
  const taken = new Set<number>();
  const chains: number[][] = [];
  blocks.forEach((_, start) => {
    if (!reached.has(start) || taken.has(start)) return;
    const chain: number[] = [];
    for (let at: number | undefined = start; at !== undefined;) {
      taken.add(at);
      chain.push(at);
      const next: number | undefined = blocks[at]!.next;
      at = next !== undefined && entries[next] === 1 && !taken.has(next) ? next : undefined;
    }
    chains.push(chain);
  });
  return chains;
}

const isControl = ({ kind }: Op): boolean =>
  kind === 'branch' || kind === 'jump' || kind === 'exit' || kind === 'guard';

interface Placement {
  readonly row: number;
  readonly lane: number;
}

function scheduleChain(
  program: VerifiedProgram,
  ops: readonly Op[],
  live: Uint16Array,
  options: ScheduleOptions,
): Row[] {
  const needs = dependences(program, ops);
  const placed: (Placement | undefined)[] = ops.map(() => undefined);
  const rows: Row[] = [];
  let left = ops.length;
  for (let row = 0; left > 0; row++) {
    const used: PlacedOp[] = [];
    rows.push({ ops: used });
    // One pass finds all: what waits for something in this row stands behind it.
    ops.forEach((op, i) => {
      if (placed[i] !== undefined) return;
      if (!controlAllows(ops, placed, i, row, live, options)) return;
      const lane = laneFor(op, needs[i]!, placed, row, used, options.lanes);
      if (lane === undefined) return;
      placed[i] = { row, lane };
      used.push({ op, lane });
      left--;
    });
  }
  return rows;
}

/** A lane on which the operation can stand in this row; -1 for one that needs none. */
function laneFor(
  op: Op,
  needs: readonly Dependence[],
  placed: readonly (Placement | undefined)[],
  row: number,
  used: readonly PlacedOp[],
  lanes: number,
): number | undefined {
  let forced: number | undefined;
  for (const { from, rows, forwarded } of needs) {
    const at = placed[from];
    if (at === undefined || at.row + rows > row) return undefined;
    if (!forwarded || at.row !== row - 1 || at.lane < 0) continue;
    if (forced !== undefined && forced !== at.lane) return undefined;
    forced = at.lane;
  }
  if (op.kind === 'guard') return -1;
  if (op.kind === 'call' && used.some((other) => other.op.kind === 'call')) return undefined;
  // Precedence is by lane: control must stand to the right of control before it.
  const controls = used.filter((other) => isControl(other.op)).map(({ lane }) => lane);
  const least = isControl(op) ? Math.max(-1, ...controls) + 1 : 0;
  if (forced !== undefined) {
    const free = forced >= least && !used.some(({ lane }) => lane === forced);
    return free ? forced : undefined;
  }
  for (let lane = least; lane < lanes; lane++) {
    if (!used.some((other) => other.lane === lane)) return lane;
  }
  return undefined;
}

/**
 * Nothing may be left behind a branch that stands in front of it, and only what changes nothing on
 * the other way may overtake one.
 */
function controlAllows(
  ops: readonly Op[],
  placed: readonly (Placement | undefined)[],
  i: number,
  row: number,
  live: Uint16Array,
  { parallelBranches }: ScheduleOptions,
): boolean {
  const op = ops[i]!;
  for (let j = 0; j < i; j++) {
    const earlier = ops[j]!;
    const at = placed[j];
    if (isControl(op)) {
      // All in front of a branch happens in its row at the latest.
      if (at === undefined) return false;
      if (at.row === row && isControl(earlier) && !parallelBranches && earlier.kind !== 'guard') {
        return false;
      }
      continue;
    }
    if (!isControl(earlier) || (at !== undefined && at.row < row)) continue;
    const spoils = earlier.target !== undefined && (live[earlier.target]! & op.writes) !== 0;
    if (!isPure(op) || spoils || op.memory.some(({ space }) => space !== 'stack')) return false;
  }
  return true;
}
