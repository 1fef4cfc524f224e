/**
 * The references that a frame holds: an immutable list. A program may acquire a hundred thousand
 * and each state keeps its own list, so lists share what they have in common: a tree of blocks.
 *
 *   refs.with(ref)        one more, at the end
 *   refs.without(index)   the last one takes the place of the one that goes, as Linux keeps them
 */
import type { Reference } from './state.ts';

const BITS = 5;
const WIDTH = 1 << BITS;

/** Blocks of the lowest level hold references, others hold blocks. */
type Block = readonly (Reference | Block)[];

export class HeldRefs implements Iterable<Reference> {
  static readonly NONE = new HeldRefs(0, [], 0);

  readonly length: number;
  readonly #root: Block;
  /** Levels of blocks above the lowest. */
  readonly #levels: number;

  private constructor(length: number, root: Block, levels: number) {
    this.length = length;
    this.#root = root;
    this.#levels = levels;
  }

  at(index: number): Reference {
    let block = this.#root;
    for (let level = this.#levels; level > 0; level--) {
      block = block[(index >>> (level * BITS)) % WIDTH] as Block;
    }
    return block[index % WIDTH] as Reference;
  }

  with(ref: Reference): HeldRefs {
    const { length } = this;
    const isFull = length === WIDTH << (this.#levels * BITS);
    const levels = this.#levels + (isFull ? 1 : 0);
    const root = isFull ? [this.#root] : this.#root;
    return new HeldRefs(length + 1, replaced(root, levels, length, ref), levels);
  }

  without(index: number): HeldRefs {
    const last = this.length - 1;
    const root =
      index === last ? this.#root : replaced(this.#root, this.#levels, index, this.at(last));
    return new HeldRefs(last, root, this.#levels);
  }

  /** -1 where it is not held. */
  indexOf(id: number): number {
    for (let index = 0; index < this.length; index++) if (this.at(index).id === id) return index;
    return -1;
  }

  equals(other: HeldRefs): boolean {
    if (this === other) return true;
    if (this.length !== other.length) return false;
    // The newest are the likeliest to differ.
    for (let index = this.length - 1; index >= 0; index--) {
      const a = this.at(index);
      const b = other.at(index);
      if (a === b) continue;
      if (a.id !== b.id || a.insn !== b.insn || a.callbackFrame !== b.callbackFrame) return false;
    }
    return true;
  }

  *[Symbol.iterator](): Generator<Reference> {
    for (let index = 0; index < this.length; index++) yield this.at(index);
  }
}

/** The tree with another reference at the index, which may be one behind the last. */
function replaced(block: Block, level: number, index: number, ref: Reference): Block {
  const copy = block.slice();
  const at = (index >>> (level * BITS)) % WIDTH;
  const below = copy[at] as Block | undefined;
  copy[at] = level === 0 ? ref : replaced(below ?? [], level - 1, index, ref);
  return copy;
}
