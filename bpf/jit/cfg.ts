/**
 * The control-flow graph of one subprogram: basic blocks in reverse postorder, with dominators.
 *
 *   const cfg = buildCfg(program, subprog)
 *   cfg.blocks[0]          the entry; every block is reachable
 *   cfg.isReducible        every loop has one entry: WASM's blocks and loops can express it
 *
 * Dominators after Cooper, Harvey, Kennedy: "A Simple, Fast Dominance Algorithm" (2001).
 */
import { Bug } from '../../kernel/types/units.ts';
import type { IsaRow } from '../isa/row.ts';
import { rowOf } from '../isa/table.ts';
import type { SubprogInfo, VerifiedProgram } from '../program.ts';

export interface Block {
  /** Position in reverse postorder. */
  readonly index: number;
  /** Slots of its instructions, the ending jump included. */
  readonly slots: readonly number[];
  /** Blocks that it may go to: none (exit), one, or [not taken, taken]. */
  readonly successors: readonly number[];
  /** Edges that come from blocks before this one. */
  forwardEdges: number;
  isLoopHeader: boolean;
  /** Index of the immediate dominator; the entry's is itself. */
  dominator: number;
  /** Blocks that it immediately dominates, in reverse postorder. */
  readonly dominated: number[];
}

export interface Cfg {
  readonly blocks: readonly Block[];
  readonly isReducible: boolean;
}

export function buildCfg(program: VerifiedProgram, subprog: SubprogInfo): Cfg {
  return cfgOf(scan(program, subprog), subprog.start);
}

/** Of any code: blocks by the number of their first instruction. */
export function cfgOf(raw: ReadonlyMap<number, RawBlock>, entry: number): Cfg {
  const order = reversePostorder(raw, entry);
  const indexOf = new Map(order.map(({ start }, index) => [start, index]));
  const blocks = order.map(({ slots, targets }, index): Block => {
    const successors = targets.map((target) => indexOf.get(target)!);
    return {
      index,
      slots,
      // A branch whose two ways lead to one place is no branch.
      successors: successors[0] === successors[1] ? successors.slice(0, 1) : successors,
      forwardEdges: 0,
      isLoopHeader: false,
      dominator: -1,
      dominated: [],
    };
  });
  for (const { index, successors } of blocks) {
    for (const target of successors) {
      if (target > index) blocks[target]!.forwardEdges++;
      else blocks[target]!.isLoopHeader = true;
    }
  }
  findDominators(blocks);
  const isReducible = blocks.every(({ index, successors }) =>
    successors.every((target) => target > index || dominates(blocks, target, index)),
  );
  return { blocks, isReducible };
}

export interface RawBlock {
  readonly start: number;
  readonly slots: number[];
  /** Where it may go on: none, one, or [not taken, taken]. */
  readonly targets: number[];
}

/** Slots that the instruction at `slot` may continue at; undefined if it is no jump. */
function jumpTargets(
  row: IsaRow,
  slot: number,
  off: number,
  imm: number,
): readonly number[] | undefined {
  if (row.kind === 'exit') return [];
  if (row.kind === 'goto') return [slot + 1 + (row.long ? imm : off)];
  if (row.kind === 'branch') return [slot + 1, slot + 1 + off];
  return undefined;
}

function scan(program: VerifiedProgram, subprog: SubprogInfo): Map<number, RawBlock> {
  const { insns } = program;
  const leaders = new Set([subprog.start]);
  for (let slot = subprog.start; slot < subprog.end;) {
    const row = rowAt(program, slot);
    const { off, imm } = insns[slot]!;
    const targets = jumpTargets(row, slot, off, imm);
    if (targets) for (const target of [...targets, slot + 1]) leaders.add(target);
    slot += row.slots;
  }
  const blocks = new Map<number, RawBlock>();
  let block: RawBlock | undefined;
  for (let slot = subprog.start; slot < subprog.end;) {
    if (leaders.has(slot)) {
      block?.targets.push(slot);
      block = { start: slot, slots: [], targets: [] };
      blocks.set(slot, block);
    }
    const row = rowAt(program, slot);
    const { off, imm } = insns[slot]!;
    block!.slots.push(slot);
    const targets = jumpTargets(row, slot, off, imm);
    if (targets) {
      block!.targets.push(...targets);
      block = undefined;
    }
    slot += row.slots;
  }
  return blocks;
}

function rowAt(program: VerifiedProgram, slot: number): IsaRow {
  const row = rowOf(program.insns[slot]!);
  if (row === undefined) throw new Bug(`no instruction at slot ${slot} of a verified program`);
  return row;
}

/** Iterative, since a program may be a hundred thousand blocks long. */
function reversePostorder(blocks: ReadonlyMap<number, RawBlock>, entry: number): RawBlock[] {
  const postorder: RawBlock[] = [];
  const seen = new Set([entry]);
  const first = blockAt(blocks, entry);
  const stack: { block: RawBlock; next: number }[] = [{ block: first, next: 0 }];
  while (stack.length > 0) {
    const top = stack[stack.length - 1]!;
    // The taken side first: the block after a branch then directly follows it in reverse.
    const target = top.block.targets[top.block.targets.length - 1 - top.next++];
    if (target === undefined) {
      postorder.push(top.block);
      stack.pop();
    } else if (!seen.has(target)) {
      seen.add(target);
      stack.push({ block: blockAt(blocks, target), next: 0 });
    }
  }
  return postorder.reverse();
}

function blockAt(blocks: ReadonlyMap<number, RawBlock>, slot: number): RawBlock {
  const block = blocks.get(slot);
  if (block === undefined) throw new Bug(`a jump of a verified program leads to slot ${slot}`);
  return block;
}

function findDominators(blocks: readonly Block[]): void {
  const predecessors: number[][] = blocks.map(() => []);
  for (const { index, successors } of blocks) {
    for (const target of successors) predecessors[target]!.push(index);
  }
  blocks[0]!.dominator = 0;
  for (let changed = true; changed;) {
    changed = false;
    for (let index = 1; index < blocks.length; index++) {
      let dominator = -1;
      for (const from of predecessors[index]!) {
        if (blocks[from]!.dominator < 0) continue;
        dominator = dominator < 0 ? from : commonDominator(blocks, from, dominator);
      }
      if (blocks[index]!.dominator !== dominator) {
        blocks[index]!.dominator = dominator;
        changed = true;
      }
    }
  }
  for (let index = 1; index < blocks.length; index++) {
    blocks[blocks[index]!.dominator]!.dominated.push(index);
  }
}

function commonDominator(blocks: readonly Block[], a: number, b: number): number {
  while (a !== b) {
    while (a > b) a = blocks[a]!.dominator;
    while (b > a) b = blocks[b]!.dominator;
  }
  return a;
}

function dominates(blocks: readonly Block[], above: number, below: number): boolean {
  while (below > above) below = blocks[below]!.dominator;
  return below === above;
}
