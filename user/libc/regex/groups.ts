/**
 * What each group of an expression matched, once it is known where the whole begins and ends:
 * from left to right each part takes as much as lets the rest still match (POSIX XBD 9.1).
 */
import type { Node } from './ast.ts';
import { holds } from './automaton.ts';

export type Span = readonly [start: number, end: number];

export function matchGroups(
  node: Node,
  count: number,
  text: readonly number[],
  whole: Span,
  lines: boolean,
): (Span | undefined)[] {
  const spans: (Span | undefined)[] = new Array<Span | undefined>(count + 1).fill(undefined);
  new Assigner(text, whole[1], lines, spans).assign(node, whole[0], whole[1]);
  spans[0] = whole;
  return spans;
}

class Assigner {
  readonly #text: readonly number[];
  readonly #limit: number;
  readonly #lines: boolean;
  readonly #spans: (Span | undefined)[];
  /** Ends by node, by place in it (item of a sequence, round of a repetition), by start. */
  readonly #memo = new Map<Node, Map<number, readonly number[]>[]>();

  constructor(text: readonly number[], limit: number, lines: boolean, spans: (Span | undefined)[]) {
    this.#text = text;
    this.#limit = limit;
    this.#lines = lines;
    this.#spans = spans;
  }

  /** `node` matches from `start` to `end`: say how. */
  assign(node: Node, start: number, end: number): void {
    switch (node.kind) {
      case 'group':
        this.#spans[node.index] = [start, end];
        return this.assign(node.item, start, end);
      case 'choice': {
        const branch = node.branches.find((item) => this.#ends(item, start).includes(end))!;
        return this.assign(branch, start, end);
      }
      case 'sequence': {
        let at = start;
        for (const [index, item] of node.items.entries()) {
          const next = this.#ends(item, at).find((to) =>
            this.#endsFrom(node, index + 1, to).includes(end),
          )!;
          this.assign(item, at, next);
          at = next;
        }
        return;
      }
      case 'repeat': {
        let at = start;
        for (let round = 0; at < end || round < node.min; round++) {
          const next = this.#ends(node.item, at).find(
            (to) =>
              (to > at || round < node.min) && this.#endsFrom(node, round + 1, to).includes(end),
          );
          if (next === undefined) return;
          this.assign(node.item, at, next);
          at = next;
        }
        // (a*)* matches nothing once rather than not at all.
        const isEmpty = start === end && node.min === 0 && node.max > 0;
        if (isEmpty && this.#ends(node.item, start).includes(end)) {
          this.assign(node.item, start, end);
        }
      }
    }
  }

  /** Where `node` can end if it starts at `start`, longest first. */
  #ends(node: Node, start: number): readonly number[] {
    switch (node.kind) {
      case 'char':
        return start < this.#limit && node.set.has(this.#text[start]!) ? [start + 1] : [];
      case 'assert':
        return holds(node.what, this.#text, start, this.#lines) ? [start] : [];
      case 'group':
        return this.#ends(node.item, start);
      default:
        return this.#endsFrom(node, 0, start);
    }
  }

  /** The same for what is left of `node` from `place` on. */
  #endsFrom(node: Node, place: number, start: number): readonly number[] {
    // Rounds beyond the smallest number are alike where there is no largest.
    const key = node.kind === 'repeat' && node.max === Infinity ? Math.min(place, node.min) : place;
    let byPlace = this.#memo.get(node);
    if (!byPlace) this.#memo.set(node, (byPlace = []));
    const byStart = (byPlace[key] ??= new Map());
    let ends = byStart.get(start);
    if (!ends) {
      ends = this.#compute(node, key, start);
      byStart.set(start, ends);
    }
    return ends;
  }

  #compute(node: Node, place: number, start: number): readonly number[] {
    switch (node.kind) {
      case 'choice':
        return merge(node.branches.map((branch) => this.#ends(branch, start)));
      case 'sequence': {
        const item = node.items[place];
        if (!item) return [start];
        const firsts = this.#ends(item, start);
        return merge(firsts.map((to) => this.#endsFrom(node, place + 1, to)));
      }
      case 'repeat':
        return this.#repeatEnds(node, place, start);
      default:
        return this.#ends(node, start);
    }
  }

  #repeatEnds(
    node: Extract<Node, { kind: 'repeat' }>,
    round: number,
    start: number,
  ): readonly number[] {
    let at = new Set([start]);
    let rounds = round;
    const out = new Set<number>();
    // Breadth first, a round at a time; a round that gains nothing new ends it.
    while (at.size > 0) {
      if (rounds >= node.min) for (const to of at) out.add(to);
      if (rounds >= node.max) break;
      const next = new Set<number>();
      for (const from of at) {
        for (const to of this.#ends(node.item, from)) {
          if (rounds < node.min || !out.has(to)) next.add(to);
        }
      }
      at = next;
      rounds++;
    }
    return [...out].sort((a, b) => b - a);
  }
}

function merge(lists: readonly (readonly number[])[]): readonly number[] {
  if (lists.length === 1) return lists[0]!;
  return [...new Set(lists.flat())].sort((a, b) => b - a);
}
