/**
 * Where an expression matches: leftmost, then longest, in time linear in the text. The nodes become
 * a list of instructions; all of its threads step over the text at once (Thompson's construction as
 * R. Cox, "Regular Expression Matching: the Virtual Machine Approach", describes it).
 */
import type { Assertion, CharSet, Node } from './ast.ts';
import { RegexError, wordSet } from './parse.ts';

type Instruction =
  | { readonly op: 'char'; readonly set: CharSet }
  | { op: 'split'; first: number; second: number }
  | { op: 'jump'; to: number }
  | { readonly op: 'assert'; readonly what: Assertion }
  /** Note the position: 2 * group where it starts, one more where it ends. */
  | { readonly op: 'save'; readonly slot: number }
  /** Go no further where nothing was matched since `slot` was noted: a round that takes nothing. */
  | { readonly op: 'progress'; readonly slot: number }
  | { readonly op: 'match' };

/** Positions noted by a thread, the latest first. */
interface Saved {
  readonly slot: number;
  readonly at: number;
  readonly before: Saved | undefined;
}

/** Repetitions are written out; this bounds a{1000}{1000}. */
const MAX_INSTRUCTIONS = 100_000;

const WORD_CHARS = wordSet(false);

/** Does `what` hold between `text[at - 1]` and `text[at]`? */
export function holds(
  what: Assertion,
  text: readonly number[],
  at: number,
  lines: boolean,
): boolean {
  const before = at > 0 && WORD_CHARS.has(text[at - 1]!);
  const after = at < text.length && WORD_CHARS.has(text[at]!);
  switch (what) {
    case 'line start':
      return at === 0 || (lines && text[at - 1] === 10);
    case 'line end':
      return at === text.length || (lines && text[at] === 10);
    case 'text start':
      return at === 0;
    case 'text end':
      return at === text.length;
    case 'word edge':
      return before !== after;
    case 'no word edge':
      return before === after;
    case 'word start':
      return !before && after;
    case 'word end':
      return before && !after;
    case 'no word before':
      return !before;
    case 'no word after':
      return !after;
  }
}

export class Automaton {
  readonly #code: Instruction[] = [];
  /** Slots below 0 are for the starts of rounds. */
  #rounds = 0;
  readonly #lines: boolean;

  /** `lines`: ^ and $ also match at newlines. */
  constructor(node: Node, lines: boolean) {
    this.#lines = lines;
    this.#emit(node);
    this.#add({ op: 'match' });
  }

  #add(instruction: Instruction): number {
    if (this.#code.length >= MAX_INSTRUCTIONS) throw new RegexError('Regular expression too big');
    this.#code.push(instruction);
    return this.#code.length - 1;
  }

  #emit(node: Node): void {
    switch (node.kind) {
      case 'char':
        this.#add({ op: 'char', set: node.set });
        return;
      case 'assert':
        this.#add({ op: 'assert', what: node.what });
        return;
      case 'group':
        this.#add({ op: 'save', slot: 2 * node.index });
        this.#emit(node.item);
        this.#add({ op: 'save', slot: 2 * node.index + 1 });
        return;
      case 'sequence':
        for (const item of node.items) this.#emit(item);
        return;
      case 'choice':
        return this.#emitChoice(node.branches);
      case 'repeat':
        for (let i = 0; i < node.min; i++) this.#emit(node.item);
        if (node.max === Infinity) this.#emitStar(node.item);
        else this.#emitOptional(node.item, node.max - node.min);
        return;
      case 'back':
        throw new RegexError('Invalid back reference');
    }
  }

  #emitChoice(branches: readonly Node[]): void {
    const jumps: { to: number }[] = [];
    for (const [index, branch] of branches.entries()) {
      if (index === branches.length - 1) {
        this.#emit(branch);
        break;
      }
      const split: Instruction = { op: 'split', first: 0, second: 0 };
      split.first = this.#add(split) + 1;
      this.#emit(branch);
      const jump: Instruction = { op: 'jump', to: 0 };
      jumps.push(jump);
      split.second = this.#add(jump) + 1;
    }
    for (const jump of jumps) jump.to = this.#code.length;
  }

  #emitStar(item: Node): void {
    const split: Instruction = { op: 'split', first: 0, second: 0 };
    const at = this.#add(split);
    split.first = at + 1;
    this.#emitRound(item);
    split.second = this.#add({ op: 'jump', to: at }) + 1;
  }

  #emitRound(item: Node): void {
    if (item.kind === 'char') return this.#emit(item);
    const slot = --this.#rounds;
    this.#add({ op: 'save', slot });
    this.#emit(item);
    this.#add({ op: 'progress', slot });
  }

  #emitOptional(item: Node, count: number): void {
    const splits: { second: number }[] = [];
    for (let i = 0; i < count; i++) {
      const split: Instruction = { op: 'split', first: 0, second: 0 };
      split.first = this.#add(split) + 1;
      splits.push(split);
      this.#emitRound(item);
    }
    for (const split of splits) split.second = this.#code.length;
  }

  /** Start and end of the leftmost longest match that starts at `from` or later. */
  find(text: readonly number[], from: number): { start: number; end: number } | undefined {
    const code = this.#code;
    // Threads are kept in the order of their starts, so the first to reach a place is leftmost.
    let threads: number[] = [];
    let starts: number[] = [];
    const seen = new Int32Array(code.length).fill(-1);
    let start = -1;
    let end = -1;
    for (let at = from; ; at++) {
      const next: number[] = [];
      const nextStarts: number[] = [];
      const stack: number[] = [];
      const enter = (pc: number, begun: number): void => {
        stack.push(pc);
        while (stack.length > 0) {
          const here = stack.pop()!;
          if (seen[here] === at) continue;
          seen[here] = at;
          const instruction = code[here]!;
          switch (instruction.op) {
            case 'jump':
              stack.push(instruction.to);
              break;
            case 'save':
            case 'progress':
              stack.push(here + 1);
              break;
            case 'split':
              stack.push(instruction.second, instruction.first);
              break;
            case 'assert':
              if (holds(instruction.what, text, at, this.#lines)) stack.push(here + 1);
              break;
            case 'match':
              if (start < 0 || begun <= start) {
                start = begun;
                end = at;
              }
              break;
            default:
              next.push(here);
              nextStarts.push(begun);
          }
        }
      };
      for (const [index, pc] of threads.entries()) {
        const begun = starts[index]!;
        if (start >= 0 && begun > start) break;
        const instruction = code[pc]!;
        if (instruction.op === 'char' && instruction.set.has(text[at - 1]!)) enter(pc + 1, begun);
      }
      if (start < 0) enter(0, at);
      threads = next;
      starts = nextStarts;
      if (at >= text.length || (threads.length === 0 && start >= 0)) break;
    }
    return start < 0 ? undefined : { start, end };
  }

  /**
   * What `count` groups match in a match from `start` to `end`: of the ways to match, the one that
   * takes earlier alternatives and more rounds, as glibc does.
   */
  groups(
    text: readonly number[],
    start: number,
    end: number,
    count: number,
  ): (readonly [number, number] | undefined)[] {
    const code = this.#code;
    let threads: { readonly pc: number; readonly saved: Saved | undefined }[] = [];
    const seen = new Int32Array(code.length).fill(-1);
    let result: Saved | undefined;
    for (let at = start; at <= end; at++) {
      const next: typeof threads = [];
      const enter = (first: number, noted: Saved | undefined): void => {
        const stack = [{ pc: first, saved: noted }];
        while (stack.length > 0) {
          const { pc, saved } = stack.pop()!;
          if (seen[pc] === at) continue;
          seen[pc] = at;
          const instruction = code[pc]!;
          switch (instruction.op) {
            case 'jump':
              stack.push({ pc: instruction.to, saved });
              break;
            case 'split':
              stack.push({ pc: instruction.second, saved }, { pc: instruction.first, saved });
              break;
            case 'save':
              stack.push({ pc: pc + 1, saved: { slot: instruction.slot, at, before: saved } });
              break;
            case 'progress':
              if (savedAt(saved, instruction.slot) !== at) stack.push({ pc: pc + 1, saved });
              break;
            case 'assert':
              if (holds(instruction.what, text, at, this.#lines)) stack.push({ pc: pc + 1, saved });
              break;
            case 'match':
              if (at === end) result ??= saved;
              break;
            default:
              next.push({ pc, saved });
          }
        }
      };
      if (at === start) enter(0, undefined);
      for (const { pc, saved } of threads) {
        const instruction = code[pc]!;
        if (instruction.op === 'char' && instruction.set.has(text[at - 1]!)) enter(pc + 1, saved);
      }
      threads = next;
    }
    const slots = new Array<number | undefined>(2 * count + 2).fill(undefined);
    for (; result; result = result.before) {
      if (result.slot >= 0) slots[result.slot] ??= result.at;
    }
    return Array.from({ length: count + 1 }, (_, group) => {
      const from = group === 0 ? start : slots[2 * group];
      const to = group === 0 ? end : slots[2 * group + 1];
      return from === undefined || to === undefined || from > to ? undefined : [from, to];
    });
  }
}

function savedAt(saved: Saved | undefined, slot: number): number {
  let entry = saved;
  while (entry && entry.slot !== slot) entry = entry.before;
  return entry?.at ?? -1;
}
