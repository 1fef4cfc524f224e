/**
 * From a control-flow graph to WASM's nested blocks and loops.
 *
 * Reducible graphs (all that compilers emit) are nested along the dominator tree, as in N. Ramsey,
 * "Beyond Relooper: Recursive Translation of Unstructured Control Flow to Structured Control Flow"
 * (ICFP 2022): a block with several ways in becomes what follows a `block` that those ways leave; a
 * loop's header opens a `loop`. It needs one pass and no label variable. What is irreducible becomes
 * a loop around a `br_table` over all blocks.
 */
import type { Block, Cfg } from './cfg.ts';
import { I32, SELECT, type CodeWriter, type Label, type ValueType } from './code-writer.ts';

/** Writes what the blocks hold. Each is asked for once. */
export interface BlockCode {
  /** The block's instructions without the ending jump. */
  body(block: Block): void;
  /** Push whether its second successor is to be taken (not zero). */
  condition(block: Block): void;
}

/** A function while it is written. */
export interface StructuredCode extends CodeWriter {
  /** A new local. */
  local(type: ValueType): number;
}

export function structure(f: StructuredCode, cfg: Cfg, code: BlockCode): void {
  if (cfg.isReducible) new Nesting(f, cfg.blocks, code).tree(0, undefined);
  else dispatch(f, cfg.blocks, code);
  f.unreachable();
}

class Nesting {
  readonly #f: StructuredCode;
  readonly #blocks: readonly Block[];
  readonly #code: BlockCode;
  /** Blocks in the dominator tree below each, itself included. */
  readonly #sizes: Uint32Array;
  /** What a jump to a block from before it branches to, and one from inside its loop. */
  readonly #forward: Label[] = [];
  readonly #loops: Label[] = [];

  constructor(f: StructuredCode, blocks: readonly Block[], code: BlockCode) {
    this.#f = f;
    this.#blocks = blocks;
    this.#code = code;
    this.#sizes = new Uint32Array(blocks.length).fill(1);
    for (let i = blocks.length - 1; i > 0; i--)
      this.#sizes[blocks[i]!.dominator]! += this.#sizes[i]!;
  }

  /**
   * Write block `index` and all that it dominates. Control that reaches the end goes on at block
   * `following`; without one it must never get there. Recursion is as deep as the nesting that is
   * made, not as long as the program.
   */
  tree(index: number, following: number | undefined): void {
    for (let next: number | undefined = index; next !== undefined;) {
      const block: Block = this.#blocks[next]!;
      if (block.isLoopHeader) {
        this.#loops[block.index] = this.#f.loop();
        this.#rest(this.#withMerges(block, following), following);
        this.#f.end();
        return;
      }
      next = this.#withMerges(block, following);
    }
  }

  #rest(index: number | undefined, following: number | undefined): void {
    if (index !== undefined) this.tree(index, following);
  }

  /**
   * Write the block, and behind the ends of WASM blocks that it can leave the blocks it dominates
   * that have several ways in. Returns the one block that is left to write.
   */
  #withMerges(block: Block, following: number | undefined): number | undefined {
    const merges = block.dominated.filter((child) => this.#blocks[child]!.forwardEdges > 1);
    for (let i = merges.length - 1; i >= 0; i--) this.#forward[merges[i]!] = this.#f.block();
    this.#code.body(block);
    const [first] = merges;
    if (first === undefined) return this.#leave(block, following);
    this.#rest(this.#leave(block, first), first);
    for (let i = 0; i < merges.length - 1; i++) {
      this.#f.end();
      this.tree(merges[i]!, merges[i + 1]);
    }
    this.#f.end();
    return merges.at(-1);
  }

  /** Write the block's ending. Returns the successor that belongs right behind it, if one does. */
  #leave(block: Block, following: number | undefined): number | undefined {
    const { index } = block;
    const [next, taken] = block.successors;
    if (next === undefined) return undefined;
    if (taken === undefined) return this.#go(index, next, following);
    this.#code.condition(block);
    const takenLabel = this.#jumpLabel(index, taken);
    if (takenLabel !== undefined) {
      this.#f.brIf(takenLabel);
      return this.#go(index, next, following);
    }
    const nextLabel = this.#jumpLabel(index, next);
    if (nextLabel !== undefined) {
      this.#f.op(I32.eqz);
      this.#f.brIf(nextLabel);
      return taken;
    }
    // Both belong here: the smaller goes into an `if`, which it always leaves by a jump.
    const nestTaken = this.#sizes[taken]! < this.#sizes[next]!;
    if (!nestTaken) this.#f.op(I32.eqz);
    this.#f.if();
    this.tree(nestTaken ? taken : next, undefined);
    this.#f.end();
    return nestTaken ? next : taken;
  }

  #go(from: number, to: number, following: number | undefined): number | undefined {
    const label = this.#jumpLabel(from, to);
    if (label === undefined) return to;
    // Where control falls anyway no jump is needed.
    if (to !== following || to <= from) this.#f.br(label);
    return undefined;
  }

  /** Undefined where the target has no other way in and is placed right here. */
  #jumpLabel(from: number, to: number): Label | undefined {
    if (to <= from) return this.#loops[to]!;
    return this.#blocks[to]!.forwardEdges > 1 ? this.#forward[to]! : undefined;
  }
}

/** loop { br_table to the block whose index is in a local; each sets it and goes round again } */
function dispatch(f: StructuredCode, blocks: readonly Block[], code: BlockCode): void {
  const target = f.local('i32');
  // The code may be an inlined subprogram's, which is entered again.
  f.i32(0);
  f.localSet(target);
  const again = f.loop();
  const labels = blocks.map(() => f.block()).reverse();
  f.localGet(target);
  f.brTable(labels);
  for (const block of blocks) {
    f.end();
    code.body(block);
    const [next, taken] = block.successors;
    if (next === undefined) continue;
    if (taken === undefined) {
      if (next === block.index + 1) continue;
      f.i32(next);
    } else {
      f.i32(taken);
      f.i32(next);
      code.condition(block);
      f.op(SELECT);
    }
    f.localSet(target);
    f.br(again);
  }
  f.end();
}
