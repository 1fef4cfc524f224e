/**
 * Shell patterns: * ? [set] and bash's ?(…) *(…) +(…) @(…) !(…). A quoted character is one after a
 * backslash; `quotePattern` makes such text.
 *
 *   matchPattern(pattern, text)                 all of the text
 *   compilePattern(pattern).prefix(text, how)   where the longest or shortest prefix ends
 *
 * Time is bounded by the product of the lengths, however many stars there are.
 */
import { CLASSES, setOf } from '../libc/regex/ast.ts';

export type Reach = 'longest' | 'shortest';

type Item =
  | { readonly kind: 'char'; readonly has: (char: string) => boolean }
  | { readonly kind: 'star' }
  | {
      readonly kind: 'group';
      readonly op: string;
      readonly branches: readonly (readonly Item[])[];
    };

export function quotePattern(text: string): string {
  return text.replace(/[\\*?[\]()|]/g, '\\$&');
}

/** True if an unquoted *, ? or [ is in it, or a group of alternatives. */
export function hasMagic(pattern: string): boolean {
  return /[*?[]|[@+!]\(/.test(pattern.replace(/\\./gs, ''));
}

/** The text that a pattern without magic stands for. */
export function unquotePattern(pattern: string): string {
  return pattern.replace(/\\(.)/gs, '$1');
}

export function escapeRegExp(text: string): string {
  return text.replace(/[.*+?^${}()|[\]\\/]/g, '\\$&');
}

export function matchPattern(pattern: string, text: string, ignoreCase = false): boolean {
  return compilePattern(pattern, ignoreCase).matches([...text]);
}

export function compilePattern(pattern: string, ignoreCase = false): Pattern {
  return new Pattern(new Reader([...pattern], ignoreCase).items(''));
}

/** Texts are arrays of characters; results are indices, or -1. */
export class Pattern {
  readonly #items: readonly Item[];

  constructor(items: readonly Item[]) {
    this.#items = items;
  }

  matches(text: readonly string[]): boolean {
    return new Matcher(this.#items, text, 'whole').from(0) >= 0;
  }

  prefix(text: readonly string[], reach: Reach): number {
    return new Matcher(this.#items, text, reach).from(0);
  }

  /** Where the longest or shortest suffix starts. */
  suffix(text: readonly string[], reach: Reach): number {
    const matcher = new Matcher(this.#items, text, 'whole');
    if (reach === 'longest') {
      for (let at = 0; at <= text.length; at++) if (matcher.from(at) >= 0) return at;
    } else for (let at = text.length; at >= 0; at--) if (matcher.from(at) >= 0) return at;
    return -1;
  }

  /** Start and end of matches from left to right, each as long as can be. */
  *occurrences(text: readonly string[]): Generator<readonly [number, number]> {
    const matcher = new Matcher(this.#items, text, 'longest');
    for (let at = 0; at < text.length;) {
      const end = matcher.from(at);
      if (end > at) {
        yield [at, end];
        at = end;
      } else at++;
    }
  }
}

class Reader {
  readonly #chars: readonly string[];
  readonly #ignoreCase: boolean;
  #at = 0;

  constructor(chars: readonly string[], ignoreCase: boolean) {
    this.#chars = chars;
    this.#ignoreCase = ignoreCase;
  }

  /** Up to one of `stops`, which stays. */
  items(stops: string): Item[] {
    const items: Item[] = [];
    while (this.#at < this.#chars.length) {
      const char = this.#chars[this.#at]!;
      if (stops.includes(char)) break;
      if ('?*+@!'.includes(char) && this.#chars[this.#at + 1] === '(') {
        const group = this.#group(char);
        if (group) {
          items.push(group);
          continue;
        }
      }
      this.#at++;
      if (char === '*') {
        if (items.at(-1)?.kind !== 'star') items.push({ kind: 'star' });
      } else if (char === '?') items.push({ kind: 'char', has: () => true });
      else if (char === '[') items.push(this.#set() ?? this.#char('['));
      else if (char === '\\' && this.#at < this.#chars.length) {
        items.push(this.#char(this.#chars[this.#at++]!));
      } else items.push(this.#char(char));
    }
    return items;
  }

  #char(char: string): Item {
    if (!this.#ignoreCase) return { kind: 'char', has: (other) => other === char };
    const lower = char.toLowerCase();
    return { kind: 'char', has: (other) => other.toLowerCase() === lower };
  }

  /** At `op(`; undefined if nothing closes it. */
  #group(op: string): Item | undefined {
    const start = this.#at;
    this.#at += 2;
    const branches: Item[][] = [];
    for (;;) {
      branches.push(this.items('|)'));
      const stop = this.#chars[this.#at++];
      if (stop === ')') return { kind: 'group', op, branches };
      if (stop === undefined) break;
    }
    this.#at = start;
    return undefined;
  }

  /** After `[`; undefined if it is only a bracket. */
  #set(): Item | undefined {
    const chars = this.#chars;
    let at = this.#at;
    const negated = chars[at] === '!' || chars[at] === '^';
    if (negated) at++;
    let inside = '';
    for (let first = true; ; first = false) {
      let char = chars[at];
      if (char === undefined) return undefined;
      if (char === ']' && !first) break;
      const named = char === '[' && chars[at + 1] === ':' ? chars.indexOf(':', at + 2) : -1;
      if (named > 0 && chars[named + 1] === ']') {
        inside += CLASSES[chars.slice(at + 2, named).join('')] ?? '';
        at = named + 2;
        continue;
      }
      if (char === '\\') char = chars[++at] ?? '\\';
      at++;
      if (chars[at] === '-' && chars[at + 1] !== ']' && chars[at + 1] !== undefined) {
        if (chars[++at] === '\\') at++;
        const last = chars[at++] ?? '-';
        // An empty range matches nothing.
        if (char <= last) inside += `${code(char)}-${code(last)}`;
      } else inside += code(char);
    }
    this.#at = at + 1;
    const set = setOf(inside, negated, this.#ignoreCase);
    return { kind: 'char', has: (char) => set.has(char.codePointAt(0)!) };
  }
}

function code(char: string): string {
  return `\\u{${char.codePointAt(0)!.toString(16)}}`;
}

class Matcher {
  readonly #items: readonly Item[];
  readonly #text: readonly string[];
  readonly #reach: Reach | 'whole';
  /** For each star and group, by where in the text: the end that is reached, -1 for none. */
  readonly #memo = new Map<number, Int32Array>();

  constructor(items: readonly Item[], text: readonly string[], reach: Reach | 'whole') {
    this.#items = items;
    this.#text = text;
    this.#reach = reach;
  }

  from(at: number): number {
    return this.#match(0, at);
  }

  #match(first: number, start: number): number {
    let at = start;
    for (let index = first; index < this.#items.length; index++) {
      const item = this.#items[index]!;
      if (item.kind !== 'char') return this.#branching(index, at);
      if (at >= this.#text.length || !item.has(this.#text[at]!)) return -1;
      at++;
    }
    return this.#reach === 'whole' && at < this.#text.length ? -1 : at;
  }

  #branching(index: number, at: number): number {
    let row = this.#memo.get(index);
    if (!row) {
      row = new Int32Array(this.#text.length + 2).fill(-2);
      this.#memo.set(index, row);
    }
    if (row[at] === -2) {
      const item = this.#items[index]!;
      if (item.kind === 'star') this.#fillStar(index, at, row);
      else if (item.kind === 'group') {
        let best = -1;
        for (const end of groupEnds(item, this.#text, at)) {
          best = this.#better(best, this.#match(index + 1, end));
        }
        row[at] = best;
      }
    }
    return row[at]!;
  }

  /** A star takes nothing, or one more character than the star one further on. */
  #fillStar(index: number, from: number, row: Int32Array): void {
    row[this.#text.length + 1] = -1;
    for (let at = this.#text.length; at >= from; at--) {
      if (row[at] === -2) row[at] = this.#better(this.#match(index + 1, at), row[at + 1]!);
    }
  }

  #better(a: number, b: number): number {
    if (a < 0 || b < 0) return Math.max(a, b);
    return this.#reach === 'shortest' ? Math.min(a, b) : Math.max(a, b);
  }
}

/** Everywhere that a list of items can end if it starts at `start`. */
function endsOf(items: readonly Item[], text: readonly string[], start: number): Set<number> {
  let at = new Set([start]);
  for (const item of items) {
    const next = new Set<number>();
    for (const from of at) {
      if (item.kind === 'star') for (let to = from; to <= text.length; to++) next.add(to);
      else if (item.kind === 'group') for (const to of groupEnds(item, text, from)) next.add(to);
      else if (from < text.length && item.has(text[from]!)) next.add(from + 1);
    }
    at = next;
  }
  return at;
}

function groupEnds(
  group: Extract<Item, { kind: 'group' }>,
  text: readonly string[],
  start: number,
): Set<number> {
  const once = (from: number): Set<number> =>
    new Set(group.branches.flatMap((branch) => [...endsOf(branch, text, from)]));
  switch (group.op) {
    case '@':
      return once(start);
    case '?':
      return once(start).add(start);
    case '!': {
      const matched = once(start);
      const others = new Set<number>();
      for (let end = start; end <= text.length; end++) if (!matched.has(end)) others.add(end);
      return others;
    }
  }
  const reached = new Set(group.op === '*' ? [start] : once(start));
  // Every end is a start of the next round; the set grows while it is walked.
  for (const from of reached) for (const to of once(from)) reached.add(to);
  return reached;
}
