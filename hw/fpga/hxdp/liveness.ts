/** Which registers are still needed where, and what needs nothing: dead operations. */
import type { Op, OpBlock } from './ops.ts';

/** Registers that are read before they are written from the start of each block on, as masks. */
export function liveIn(blocks: readonly OpBlock[]): Uint16Array {
  const live = new Uint16Array(blocks.length);
  for (let changed = true; changed;) {
    changed = false;
    for (let i = blocks.length - 1; i >= 0; i--) {
      const mask = liveBefore(blocks, live, i, 0);
      if (mask === live[i]) continue;
      live[i] = mask;
      changed = true;
    }
  }
  return live;
}

/** The same before operation `from` of a block. */
export function liveBefore(
  blocks: readonly OpBlock[],
  live: Uint16Array,
  block: number,
  from: number,
): number {
  const { ops, next } = blocks[block]!;
  let mask = next === undefined ? 0 : live[next]!;
  for (let i = ops.length - 1; i >= from; i--) {
    const { writes, reads, target } = ops[i]!;
    mask = (mask & ~writes) | reads;
    if (target !== undefined) mask |= live[target]!;
  }
  return mask;
}

/** Only a register comes of it: no store, no call, no control. */
export const isPure = ({ kind, memory }: Op): boolean =>
  kind === 'compute' && memory.every(({ isStore }) => !isStore);

/** Take out what computes values that nobody reads. Returns how many operations went. */
export function removeDead(blocks: readonly OpBlock[]): number {
  let removed = 0;
  for (let again = true; again;) {
    again = false;
    const live = liveIn(blocks);
    blocks.forEach(({ ops }, block) => {
      for (let i = ops.length - 1; i >= 0; i--) {
        const op = ops[i]!;
        if (!isPure(op) || (op.writes & liveBefore(blocks, live, block, i + 1)) !== 0) continue;
        ops.splice(i, 1);
        removed++;
        again = true;
      }
    });
  }
  return removed;
}
