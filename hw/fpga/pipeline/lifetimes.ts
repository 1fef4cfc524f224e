/** How long the pipeline must keep what it has computed: until the last stage that uses it. */
import type { Design } from './design.ts';
import { isConst, type Node } from './node.ts';
import type { Schedule } from './stages.ts';

/** The last stage that each node is used in; constants and frames need no registers. */
export function lastUses(design: Design, schedule: Schedule): ReadonlyMap<Node, number> {
  const last = new Map<Node, number>();
  const use = (node: Node, stage: number): void => {
    if (isConst(node)) return;
    last.set(node, Math.max(last.get(node) ?? 0, stage));
  };
  for (const node of schedule.nodes) {
    for (const arg of node.args) use(arg, schedule.stageOf(node));
  }
  const end = schedule.stages - 1;
  for (const node of [design.verdict, design.data, design.end, design.redirect]) use(node, end);
  for (const [at, node] of design.written) use(node, outputStage(design, schedule, at));
  return last;
}

/** Written bytes are put over their frame as it leaves, a cycle later for each. */
export function outputStage({ frameBytes }: Design, { stages }: Schedule, at: number): number {
  return stages + Math.max(0, Math.floor(at / frameBytes));
}
