/**
 * When a block runs, as a condition of the packet: blocks of a program without loops in topological
 * order, and which of them control must pass.
 */
import { buildCfg, type Block } from '../../../bpf/jit/cfg.ts';
import type { VerifiedProgram } from '../../../bpf/program.ts';
import { Refusal } from './refusal.ts';

export interface Flow {
  readonly blocks: readonly Block[];
  /** For each block, whether every way from its immediate dominator leads through it. */
  readonly isCertain: readonly boolean[];
  /** Whether a run may come from the instruction at one slot to that at the other. */
  readonly follows: (from: number, to: number) => boolean;
}

export function flowOf(program: VerifiedProgram): Flow {
  const { blocks } = buildCfg(program, program.subprogs[0]!);
  const looped = blocks.find(({ isLoopHeader }) => isLoopHeader);
  if (looped) throw new Refusal('loop', 'the program has a loop', looped.slots[0]!);
  const after = postDominators(blocks);
  const isCertain = blocks.map(({ index, dominator }) => after[dominator]!.has(index));
  return { blocks, isCertain, follows: reachability(blocks) };
}

function reachability(blocks: readonly Block[]): Flow['follows'] {
  const blockOf = new Map(blocks.flatMap(({ index, slots }) => slots.map((slot) => [slot, index])));
  const reached: Set<number>[] = [];
  for (const { index, successors } of [...blocks].reverse()) {
    reached[index] = new Set([index, ...successors.flatMap((to) => [...reached[to]!])]);
  }
  return (from, to) => {
    const [a, b] = [blockOf.get(from)!, blockOf.get(to)!];
    return a === b ? from <= to : reached[a]!.has(b);
  };
}

/** For each block, those that control passes from it on, itself included. */
function postDominators(blocks: readonly Block[]): ReadonlySet<number>[] {
  const sets: Set<number>[] = [];
  for (let i = blocks.length - 1; i >= 0; i--) {
    const { successors } = blocks[i]!;
    const [first, ...others] = successors.map((to) => sets[to]!);
    const common = first ? [...first].filter((each) => others.every((set) => set.has(each))) : [];
    sets[i] = new Set([i, ...common]);
  }
  return sets;
}
