/** grep(1): -i -v -n -r -E -F -c -o -q -l -L -w -x -h -H -s -m -A -B -C -e --color. */
import type { UserFlow } from '../../kernel/syscall/abi.ts';
import { isDirectory, listNames } from '../libc/directory.ts';
import { lstat, stat } from '../libc/files.ts';
import { getopt, usageError, type Options } from '../libc/getopt.ts';
import { Exit, type Process, type Tool } from '../libc/process.ts';
import type { Stream } from '../libc/stdio.ts';
import { isatty } from '../libc/terminal.ts';
import { decodeText } from '../libc/text.ts';
import { eachInput } from './input.ts';
import { posixRegExp } from './regex.ts';

export const grep: Tool = function* (p, args) {
  const o = yield* getopt(p, args, {
    usage: '[OPTION]... PATTERNS [FILE]...',
    about: 'Search for PATTERNS in each FILE.',
    badUsage: 2,
    options: [
      { short: 'E', long: 'extended-regexp', help: 'PATTERNS are extended regular expressions' },
      { short: 'F', long: 'fixed-strings', help: 'PATTERNS are strings' },
      { short: 'G', long: 'basic-regexp', help: 'PATTERNS are basic regular expressions' },
      { short: 'e', long: 'regexp', arg: 'PATTERNS', help: 'use PATTERNS for matching' },
      { short: 'i', long: 'ignore-case', help: 'ignore case distinctions' },
      { short: 'w', long: 'word-regexp', help: 'match only whole words' },
      { short: 'x', long: 'line-regexp', help: 'match only whole lines' },
      { short: 'v', long: 'invert-match', help: 'select non-matching lines' },
      { short: 'm', long: 'max-count', arg: 'NUM', help: 'stop after NUM selected lines' },
      { short: 'n', long: 'line-number', help: 'print line number with output lines' },
      { short: 'H', long: 'with-filename', help: 'print file name with output lines' },
      { short: 'h', long: 'no-filename', help: 'suppress the file name prefix on output' },
      { short: 'o', long: 'only-matching', help: 'show only nonempty parts of lines that match' },
      { short: 'q', long: 'quiet', help: 'suppress all normal output' },
      { short: 's', long: 'no-messages', help: 'suppress error messages' },
      { short: 'r', long: 'recursive', help: 'search directories' },
      { short: 'l', long: 'files-with-matches', help: 'print only names of FILEs with matches' },
      { short: 'L', long: 'files-without-match', help: 'print only names of FILEs without' },
      { short: 'c', long: 'count', help: 'print only a count of selected lines per FILE' },
      { short: 'A', long: 'after-context', arg: 'NUM', help: 'print NUM lines after a match' },
      { short: 'B', long: 'before-context', arg: 'NUM', help: 'print NUM lines before a match' },
      { short: 'C', long: 'context', arg: 'NUM', help: 'print NUM lines around a match' },
      { long: 'color', arg: 'WHEN', optional: true, help: "highlight: 'always', 'never', 'auto'" },
    ],
    more: 'Exit status is 0 if any line is selected, 1 otherwise; 2 on an error.',
  });
  const patterns = o.values('regexp').flatMap((text) => text.split('\n'));
  if (patterns.length === 0) {
    const first = o.operands.shift();
    if (first === undefined) return yield* usageError(p, 'no pattern given', 2);
    patterns.push(...first.split('\n'));
  }
  const expressions: RegExp[] = [];
  for (const pattern of patterns) {
    const expression = posixRegExp(pattern, {
      extended: o.has('extended-regexp'),
      fixed: o.has('fixed-strings'),
      ignoreCase: o.has('ignore-case'),
      word: o.has('word-regexp'),
      line: o.has('line-regexp'),
      global: true,
    });
    if (!expression) return yield* usageError(p, `${pattern}: Invalid regular expression`, 2);
    expressions.push(expression);
  }
  const recursive = o.has('recursive');
  const roots = o.operands.length === 0 && recursive ? ['.'] : o.operands;
  // Without an operand the names stand alone; with one they start as it does.
  const found = recursive ? yield* walk(p, roots) : roots;
  const files = o.operands.length > 0 ? found : found.map((path) => path.replace(/^\.\//, ''));
  const when = o.has('color') ? o.value('color') || 'auto' : 'never';
  const search = new Search(p, o, expressions, {
    names: o.has('with-filename') || (!o.has('no-filename') && (recursive || roots.length > 1)),
    color: when === 'always' || (when === 'auto' && (yield* isatty(p, 1))),
  });
  const failed = yield* eachInput(p, files, (stream, name) => search.file(stream, name));
  if (search.selected && o.has('quiet')) return 0;
  if (failed !== 0) return 2;
  return search.selected ? 0 : 1;
};

/** The regular files below, in order of names. */
function* walk(p: Process, paths: readonly string[], isRoot = true): UserFlow<string[]> {
  const out: string[] = [];
  for (const path of paths) {
    const status = yield* (isRoot ? stat : lstat)(p, path);
    if (typeof status === 'number' || !isDirectory(status.mode)) {
      const isFile = typeof status === 'number' || (status.mode & 0o170000) === 0o100000;
      if (isFile || isRoot) out.push(path);
      continue;
    }
    const names = yield* listNames(p, path);
    if (typeof names === 'number') continue;
    const children = names.map((name) => `${path.replace(/\/$/, '')}/${name}`);
    out.push(...(yield* walk(p, children, false)));
  }
  return out;
}

class Search {
  /** Any line of any file was selected. */
  selected = false;
  readonly #p: Process;
  readonly #o: Options;
  readonly #expressions: readonly RegExp[];
  readonly #style: { readonly names: boolean; readonly color: boolean };

  constructor(
    p: Process,
    o: Options,
    expressions: readonly RegExp[],
    style: { names: boolean; color: boolean },
  ) {
    this.#p = p;
    this.#o = o;
    this.#expressions = expressions;
    this.#style = style;
  }

  *file(stream: Stream, path: string): UserFlow<void> {
    const o = this.#o;
    const name = path === '-' ? '(standard input)' : path;
    const limit = Number(o.value('max-count') ?? Infinity);
    const after = Number(o.value('after-context') ?? o.value('context') ?? 0);
    const before = Number(o.value('before-context') ?? o.value('context') ?? 0);
    const quiet = ['quiet', 'count', 'files-with-matches', 'files-without-match'].some((option) =>
      o.has(option),
    );
    const held: string[] = [];
    let count = 0;
    let toShow = 0;
    let lastShown = 0;
    for (let number = 1; count < limit; number++) {
      const bytes = yield* stream.readLineBytes();
      if (!bytes) break;
      const line = decodeText(bytes).replace(/\n$/, '');
      const matches = this.#matches(line);
      if (matches.length > 0 === o.has('invert-match')) {
        if (toShow > 0 && !quiet) {
          toShow--;
          lastShown = number;
          yield* this.#line(name, number, line, '-', []);
        } else if (before > 0) {
          held.push(line);
          if (held.length > before) held.shift();
        }
        continue;
      }
      count++;
      this.selected = true;
      if (o.has('quiet')) {
        yield* this.#p.stdout.flush();
        throw new Exit(0);
      }
      if (quiet) continue;
      if (lastShown > 0 && before + after > 0 && number - held.length > lastShown + 1) {
        yield* this.#p.println('--');
      }
      for (const [index, text] of held.entries()) {
        yield* this.#line(name, number - held.length + index, text, '-', []);
      }
      held.length = 0;
      yield* this.#line(name, number, line, ':', matches);
      lastShown = number;
      toShow = after;
    }
    yield* this.#summary(name, count);
  }

  *#summary(name: string, count: number): UserFlow<void> {
    const o = this.#o;
    if (o.has('quiet')) return;
    if (o.has('files-with-matches')) {
      if (count > 0) yield* this.#p.println(name);
    } else if (o.has('files-without-match')) {
      if (count === 0) yield* this.#p.println(name);
    } else if (o.has('count')) {
      yield* this.#p.println(`${this.#style.names ? `${name}:` : ''}${count}`);
    }
  }

  /** Start and end of each match, left to right. */
  #matches(line: string): [number, number][] {
    const found: [number, number][] = [];
    for (const expression of this.#expressions) {
      for (const match of line.matchAll(expression)) {
        found.push([match.index, match.index + match[0].length]);
      }
    }
    if (this.#expressions.length === 1) return found;
    found.sort((a, b) => a[0] - b[0] || b[1] - a[1]);
    let end = -1;
    return found.filter(([from, to]) => {
      if (from < end) return false;
      end = to;
      return true;
    });
  }

  *#line(
    name: string,
    number: number,
    line: string,
    mark: string,
    matches: readonly [number, number][],
  ): UserFlow<void> {
    const o = this.#o;
    const p = this.#p;
    const paint = (text: string, code: string): string =>
      this.#style.color ? `\x1b[${code}m\x1b[K${text}\x1b[m\x1b[K` : text;
    let head = '';
    if (this.#style.names) head += paint(name, '35') + paint(mark, '36');
    if (o.has('line-number')) head += paint(String(number), '32') + paint(mark, '36');
    if (o.has('only-matching')) {
      for (const [from, to] of matches) {
        if (to > from) yield* p.println(head + paint(line.slice(from, to), '01;31'));
      }
      return;
    }
    let text = '';
    let end = 0;
    for (const [from, to] of o.has('invert-match') ? [] : matches) {
      text += line.slice(end, from) + (to > from ? paint(line.slice(from, to), '01;31') : '');
      end = to;
    }
    yield* p.println(head + text + line.slice(end));
  }
}
