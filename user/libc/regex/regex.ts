/**
 * POSIX regular expressions as glibc has them: leftmost, then longest.
 *
 *   const regex = compileRegex(source, {extended, ignoreCase, word})   throws RegexError
 *   regex.find(text, from)      where it matches, and what its groups matched
 *   regex.test(text)
 *   regex.matches(text)         all matches, none empty right after another
 *
 * Expressions in which a backtracking matcher gives the same answer in good time go to JavaScript's;
 * alternatives and repeated groups go to the automaton.
 */
import type { Node } from './ast.ts';
import { Automaton } from './automaton.ts';
import { parseRegex, RegexError } from './parse.ts';

export { RegexError };

export interface RegexOptions {
  readonly extended?: boolean;
  /** The source is plain text. */
  readonly fixed?: boolean;
  readonly ignoreCase?: boolean;
  /** ^ and $ match at newlines inside the text. */
  readonly multiline?: boolean;
  /** Only whole words, or the whole line. */
  readonly word?: boolean;
  readonly line?: boolean;
}

export interface Match {
  readonly start: number;
  readonly end: number;
  /** Text of the whole and of each group; undefined where a group took no part. */
  readonly groups: readonly (string | undefined)[];
}

export class Regex {
  readonly groups: number;
  readonly #multiline: boolean;
  readonly #native: RegExp | undefined;
  readonly #automaton: Automaton | undefined;

  constructor(node: Node, groups: number, options: RegexOptions) {
    this.groups = groups;
    this.#multiline = options.multiline ?? false;
    // differs: with a back-reference the first alternative that matches counts, not the longest.
    const isQuick = isPlain(node) && starsIn(node) <= MAX_NATIVE_STARS;
    if (isQuick || hasBack(node)) {
      const source = nativeSource(node, this.#multiline);
      this.#native = new RegExp(source, `gsu${options.ignoreCase ? 'i' : ''}`);
    } else this.#automaton = new Automaton(node, this.#multiline);
  }

  test(text: string): boolean {
    if (this.#automaton) return this.#automaton.find(codesOf(text), 0) !== undefined;
    this.#native!.lastIndex = 0;
    return this.#native!.test(text);
  }

  /** Offsets are in UTF-16 units, as a string has them. */
  find(text: string, from = 0): Match | undefined {
    if (this.#native) {
      this.#native.lastIndex = from;
      const match = this.#native.exec(text);
      if (!match) return undefined;
      return { start: match.index, end: match.index + match[0].length, groups: [...match] };
    }
    const codes = codesOf(text);
    const isAligned = codes.length === text.length;
    const first = isAligned ? from : [...text.slice(0, from)].length;
    const found = this.#automaton!.find(codes, first);
    if (!found) return undefined;
    const offset = (index: number): number =>
      isAligned ? index : String.fromCodePoint(...codes.slice(0, index)).length;
    const spans = this.#automaton!.groups(codes, found.start, found.end, this.groups);
    return {
      start: offset(found.start),
      end: offset(found.end),
      groups: spans.map((span) => span && text.slice(offset(span[0]), offset(span[1]))),
    };
  }

  *matches(text: string): Generator<Match> {
    let from = 0;
    let lastEnd = -1;
    while (from <= text.length) {
      const match = this.find(text, from);
      if (!match) return;
      const isEmpty = match.start === match.end;
      if (!isEmpty || match.start !== lastEnd) yield match;
      lastEnd = match.end;
      from = isEmpty ? match.end + stepAt(text, match.end) : match.end;
    }
  }
}

export function compileRegex(source: string, options: RegexOptions = {}): Regex {
  let node: Node;
  let groups = 0;
  if (options.fixed) {
    const literal = source.replace(/[\\.[*^$]/g, '\\$&');
    ({ node } = parseRegex(literal, { ignoreCase: options.ignoreCase ?? false }));
  } else ({ node, groups } = parseRegex(source, options));
  if (options.word) {
    node = between({ kind: 'assert', what: 'no word before' }, node, 'no word after');
  }
  if (options.line) node = between({ kind: 'assert', what: 'line start' }, node, 'line end');
  return new Regex(node, groups, options);
}

function between(first: Node, node: Node, last: 'no word after' | 'line end'): Node {
  return { kind: 'sequence', items: [first, node, { kind: 'assert', what: last }] };
}

/** Backtracking over n stars can take the text's length to the power of n + 1. */
const MAX_NATIVE_STARS = 3;

function starsIn(node: Node): number {
  if (node.kind === 'repeat') return node.max === Infinity ? 1 : 0;
  if (node.kind === 'group') return starsIn(node.item);
  if (node.kind !== 'sequence') return 0;
  return node.items.reduce((sum, item) => sum + starsIn(item), 0);
}

/** Only single characters repeat, and nothing is chosen: greedy is longest, and quick enough. */
function isPlain(node: Node): boolean {
  switch (node.kind) {
    case 'char':
    case 'assert':
      return true;
    case 'group':
      return isPlain(node.item);
    case 'sequence':
      return node.items.every(isPlain);
    case 'repeat':
      return node.item.kind === 'char' && (node.max === Infinity || node.max < 1000);
    default:
      return false;
  }
}

function hasBack(node: Node): boolean {
  switch (node.kind) {
    case 'back':
      return true;
    case 'group':
    case 'repeat':
      return hasBack(node.item);
    case 'sequence':
      return node.items.some(hasBack);
    case 'choice':
      return node.branches.some(hasBack);
    default:
      return false;
  }
}

const WORD_BEFORE = '(?<=[\\p{L}\\p{Nl}0-9_])';
const NO_WORD_BEFORE = '(?<![\\p{L}\\p{Nl}0-9_])';
const WORD_AFTER = '(?=[\\p{L}\\p{Nl}0-9_])';
const NO_WORD_AFTER = '(?![\\p{L}\\p{Nl}0-9_])';
const WORD_EDGE = `(?:${WORD_BEFORE}${NO_WORD_AFTER}|${NO_WORD_BEFORE}${WORD_AFTER})`;

function nativeSource(node: Node, lines: boolean): string {
  switch (node.kind) {
    case 'char':
      return node.set.source;
    case 'group':
      return `(${nativeSource(node.item, lines)})`;
    case 'sequence':
      return node.items.map((item) => nativeSource(item, lines)).join('');
    case 'choice':
      return `(?:${node.branches.map((branch) => nativeSource(branch, lines)).join('|')})`;
    case 'repeat': {
      const { min, max } = node;
      const counts = max === Infinity ? `{${min},}` : `{${min},${max}}`;
      return `(?:${nativeSource(node.item, lines)})${counts}`;
    }
    case 'back':
      return `\\${node.index}(?:)`;
    case 'assert':
      switch (node.what) {
        case 'line start':
          return lines ? '(?<![^\\n])' : '^';
        case 'line end':
          return lines ? '(?![^\\n])' : '$';
        case 'text start':
          return '^';
        case 'text end':
          return '$';
        case 'word edge':
          return WORD_EDGE;
        case 'no word edge':
          return `(?!${WORD_EDGE})`;
        case 'word start':
          return NO_WORD_BEFORE + WORD_AFTER;
        case 'word end':
          return WORD_BEFORE + NO_WORD_AFTER;
        case 'no word before':
          return NO_WORD_BEFORE;
        case 'no word after':
          return NO_WORD_AFTER;
      }
  }
}

function codesOf(text: string): number[] {
  const codes: number[] = [];
  for (let at = 0; at < text.length;) {
    const code = text.codePointAt(at)!;
    codes.push(code);
    at += code > 0xffff ? 2 : 1;
  }
  return codes;
}

/** Length of the character at `at`, at least 1. */
function stepAt(text: string, at: number): number {
  return (text.codePointAt(at) ?? 0) > 0xffff ? 2 : 1;
}
