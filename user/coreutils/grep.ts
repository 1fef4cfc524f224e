/** grep(1): which lines are selected; the files are found by `grep-files.ts`. */
import type { UserFlow } from '../../kernel/syscall/abi.ts';
import { getopt, type Options } from '../libc/getopt.ts';
import { Exit, type Process, type Tool } from '../libc/process.ts';
import { compileRegex, RegexError } from '../libc/regex/regex.ts';
import type { Stream } from '../libc/stdio.ts';
import { isatty } from '../libc/terminal.ts';
import { decodeText } from '../libc/text.ts';
import { walkFiles } from './grep-files.ts';
import { closeStream, isDirectoryStream, openStream, readLines } from './input.ts';

/** Start and end of a match. */
type Span = readonly [start: number, end: number];
/** Matches in a line, left to right, none empty right after another. */
type Matcher = (line: string) => Span[];

const NO_MATCH = 1;
const TROUBLE = 2;

export const grep: Tool = function* (p, args) {
  const o = yield* getopt(p, args, {
    usage: '[OPTION]... PATTERNS [FILE]...',
    about: 'Search for PATTERNS in each FILE.',
    badUsage: TROUBLE,
    options: [
      { short: 'E', long: 'extended-regexp', help: 'PATTERNS are extended regular expressions' },
      { short: 'F', long: 'fixed-strings', help: 'PATTERNS are strings' },
      { short: 'G', long: 'basic-regexp', help: 'PATTERNS are basic regular expressions' },
      { short: 'P', long: 'perl-regexp', help: 'PATTERNS are Perl regular expressions' },
      { short: 'e', long: 'regexp', arg: 'PATTERNS', help: 'use PATTERNS for matching' },
      { short: 'f', long: 'file', arg: 'FILE', help: 'take PATTERNS from FILE' },
      { short: 'i', long: 'ignore-case', help: 'ignore case distinctions' },
      { short: 'y', help: 'the same as -i' },
      { long: 'no-ignore-case', help: 'do not ignore case distinctions (default)' },
      { short: 'w', long: 'word-regexp', help: 'match only whole words' },
      { short: 'x', long: 'line-regexp', help: 'match only whole lines' },
      { short: 'z', long: 'null-data', help: 'a data line ends in 0 byte, not newline' },
      { short: 's', long: 'no-messages', help: 'suppress error messages' },
      { short: 'v', long: 'invert-match', help: 'select non-matching lines' },
      { short: 'm', long: 'max-count', arg: 'NUM', help: 'stop after NUM selected lines' },
      { short: 'b', long: 'byte-offset', help: 'print the byte offset with output lines' },
      { short: 'n', long: 'line-number', help: 'print line number with output lines' },
      { long: 'line-buffered', help: 'flush output on every line' },
      { short: 'H', long: 'with-filename', help: 'print file name with output lines' },
      { short: 'h', long: 'no-filename', help: 'suppress the file name prefix on output' },
      { long: 'label', arg: 'LABEL', help: 'use LABEL as the standard input file name prefix' },
      { short: 'o', long: 'only-matching', help: 'show only nonempty parts of lines that match' },
      { short: 'q', long: 'quiet', help: 'suppress all normal output' },
      { long: 'silent', help: 'the same as -q' },
      {
        long: 'binary-files',
        arg: 'TYPE',
        help: "assume that binary files are TYPE;\n'binary', 'text', or 'without-match'",
      },
      { short: 'a', long: 'text', help: 'equivalent to --binary-files=text' },
      { short: 'I', help: 'equivalent to --binary-files=without-match' },
      {
        short: 'd',
        long: 'directories',
        arg: 'ACTION',
        help: "how to handle directories: 'read', 'recurse', or 'skip'",
      },
      {
        short: 'D',
        long: 'devices',
        arg: 'ACTION',
        help: "how to handle devices: 'read' or 'skip'",
      },
      { short: 'r', long: 'recursive', help: 'search directories' },
      { short: 'R', long: 'dereference-recursive', help: 'likewise, but follow all symlinks' },
      { long: 'include', arg: 'GLOB', help: 'search only files that match GLOB' },
      { long: 'exclude', arg: 'GLOB', help: 'skip files that match GLOB' },
      { long: 'exclude-dir', arg: 'GLOB', help: 'skip directories that match GLOB' },
      { short: 'L', long: 'files-without-match', help: 'print only names of FILEs without' },
      { short: 'l', long: 'files-with-matches', help: 'print only names of FILEs with matches' },
      { short: 'c', long: 'count', help: 'print only a count of selected lines per FILE' },
      { short: 'T', long: 'initial-tab', help: 'make tabs line up (if needed)' },
      { short: 'Z', long: 'null', help: 'print 0 byte after FILE name' },
      {
        short: 'B',
        long: 'before-context',
        arg: 'NUM',
        help: 'print NUM lines of leading context',
      },
      {
        short: 'A',
        long: 'after-context',
        arg: 'NUM',
        help: 'print NUM lines of trailing context',
      },
      { short: 'C', long: 'context', arg: 'NUM', help: 'print NUM lines of output context' },
      { long: 'color', arg: 'WHEN', optional: true, help: "highlight: 'always', 'never', 'auto'" },
      { long: 'colour', arg: 'WHEN', optional: true, help: 'the same' },
      { short: 'U', long: 'binary', help: '(ignored)' },
    ],
    number: 'context',
    more: 'Exit status is 0 if any line is selected, 1 otherwise; 2 on an error.',
  });
  const patterns = yield* collectPatterns(p, o);
  if (typeof patterns === 'number') return patterns;
  for (const name of ['max-count', 'after-context', 'before-context', 'context']) {
    const text = o.value(name);
    if (text === undefined || /^-?\d+$/.test(text)) continue;
    const what =
      name === 'max-count' ? 'invalid max count' : `${text}: invalid context length argument`;
    yield* p.error(what);
    return TROUBLE;
  }
  let matcher: Matcher;
  try {
    matcher = compile(patterns, o);
  } catch (caught) {
    if (!(caught instanceof RegexError)) throw caught;
    yield* p.error(caught.message);
    return TROUBLE;
  }
  const action = o.value('directories');
  const recursive = o.has('recursive') || o.has('dereference-recursive') || action === 'recurse';
  const roots = o.operands.length === 0 ? [recursive ? '.' : '-'] : o.operands;
  const files = yield* walkFiles(p, roots, {
    recursive,
    followLinks: o.has('dereference-recursive'),
    include: o.values('include'),
    exclude: o.values('exclude'),
    excludeDir: o.values('exclude-dir'),
    // Without an operand the names stand alone; with one they start as it does.
    hidesRoot: o.operands.length === 0,
  });
  const when = o.value('color') ?? o.value('colour');
  const isColored =
    when === 'always' || ((when === 'auto' || when === '') && (yield* isatty(p, 1)));
  const search = new Search(p, o, matcher, {
    names: o.has('with-filename') || (!o.has('no-filename') && (recursive || roots.length > 1)),
    color: isColored,
  });
  let failed = false;
  for (const name of files) {
    const skipsDirectory = action === 'skip';
    const stream = yield* openStream(p, name, o.has('no-messages') ? 'silent' : undefined);
    if (!stream) {
      failed = true;
      continue;
    }
    if (yield* isDirectoryStream(p, stream)) {
      if (!skipsDirectory && !o.has('no-messages')) yield* p.error(`${name}: Is a directory`);
      failed ||= !skipsDirectory;
    } else yield* search.file(stream, name);
    if (stream.error < 0) failed = true;
    yield* closeStream(p, stream);
  }
  if (search.selected && o.has('quiet')) return 0;
  if (failed) return TROUBLE;
  return search.selected ? 0 : NO_MATCH;
};

function* collectPatterns(p: Process, o: Options): UserFlow<string[] | number> {
  const patterns = o.values('regexp').flatMap((text) => text.split('\n'));
  for (const file of o.values('file')) {
    const stream = yield* openStream(p, file);
    if (!stream) return TROUBLE;
    patterns.push(...(yield* readLines(stream)));
    yield* closeStream(p, stream);
  }
  if (o.has('regexp') || o.has('file')) return patterns;
  const first = o.operands.shift();
  if (first !== undefined) return first.split('\n');
  yield* p.stderr.write(
    "Usage: grep [OPTION]... PATTERNS [FILE]...\nTry 'grep --help' for more information.\n",
  );
  return TROUBLE;
}

/** Throws RegexError. */
function compile(patterns: readonly string[], o: Options): Matcher {
  const options = {
    extended: o.has('extended-regexp'),
    fixed: o.has('fixed-strings'),
    ignoreCase: (o.has('ignore-case') || o.has('y')) && !o.has('no-ignore-case'),
    word: o.has('word-regexp'),
    line: o.has('line-regexp'),
  };
  if (o.has('perl-regexp')) return perlMatcher(patterns, options);
  const expressions = patterns.map((pattern) => compileRegex(pattern, options));
  const [only] = expressions;
  if (expressions.length === 1 && only) {
    return (line) => Array.from(only.matches(line), ({ start, end }) => [start, end] as const);
  }
  return (line) => {
    const found = expressions.flatMap((expression) =>
      Array.from(expression.matches(line), ({ start, end }) => [start, end] as const),
    );
    found.sort((a, b) => a[0] - b[0] || b[1] - a[1]);
    let reached = -1;
    return found.filter(([from, to]) => {
      if (from < reached) return false;
      reached = to;
      return true;
    });
  };
}

/** Perl's expressions are near enough to JavaScript's. */
function perlMatcher(
  patterns: readonly string[],
  options: { readonly ignoreCase: boolean; readonly word: boolean; readonly line: boolean },
): Matcher {
  const source = patterns.map((pattern) => `(?:${pattern})`).join('|');
  const whole = options.line ? `^(?:${source})$` : options.word ? `\\b(?:${source})\\b` : source;
  let expression: RegExp;
  try {
    expression = new RegExp(whole, `gu${options.ignoreCase ? 'i' : ''}`);
  } catch {
    throw new RegexError(`invalid Perl regular expression: ${patterns.join('\n')}`);
  }
  return (line) =>
    Array.from(line.matchAll(expression), (match) => [match.index, match.index + match[0].length]);
}

interface Line {
  readonly text: string;
  readonly number: number;
  readonly offset: number;
}

class Search {
  /** Any line of any file was selected. */
  selected = false;
  readonly #p: Process;
  readonly #o: Options;
  readonly #matcher: Matcher;
  readonly #style: { readonly names: boolean; readonly color: boolean };
  readonly #limit: number;
  readonly #before: number;
  readonly #after: number;
  readonly #isQuiet: boolean;
  readonly #end: number;
  /** Something has been shown, so that a gap is marked. */
  #hasShown = false;

  constructor(p: Process, o: Options, matcher: Matcher, style: { names: boolean; color: boolean }) {
    this.#p = p;
    this.#o = o;
    this.#matcher = matcher;
    this.#style = style;
    this.#limit = Number(o.value('max-count') ?? Infinity);
    this.#before = Number(o.value('before-context') ?? o.value('context') ?? 0);
    this.#after = Number(o.value('after-context') ?? o.value('context') ?? 0);
    const summaries = ['quiet', 'silent', 'count', 'files-with-matches', 'files-without-match'];
    this.#isQuiet = summaries.some((option) => o.has(option));
    this.#end = o.has('null-data') ? 0 : 10;
  }

  *file(stream: Stream, path: string): UserFlow<void> {
    const o = this.#o;
    const name = path === '-' ? (o.value('label') ?? '(standard input)') : path;
    const held: Line[] = [];
    let count = 0;
    let toShow = 0;
    let lastShown = 0;
    let offset = 0;
    let isBinary = false;
    const asText = o.has('text') || o.value('binary-files') === 'text';
    for (let number = 1; count < this.#limit || toShow > 0; number++) {
      const bytes = yield* stream.readLineBytes(this.#end);
      if (!bytes) break;
      isBinary ||= !asText && this.#end === 10 && bytes.includes(0);
      const whole = decodeText(bytes);
      const line: Line = {
        text: bytes.at(-1) === this.#end ? whole.slice(0, -1) : whole,
        number,
        offset,
      };
      offset += bytes.length;
      const matches = count < this.#limit ? this.#matcher(line.text) : [];
      const isSelected = count < this.#limit && matches.length > 0 !== o.has('invert-match');
      if (isBinary && isSelected && !this.#isQuiet) {
        this.selected ||= !o.has('I');
        if (o.has('I') || o.value('binary-files') === 'without-match') return;
        return yield* this.#p.error(`${name}: binary file matches`);
      }
      if (!isSelected) {
        if (toShow > 0 && !this.#isQuiet) {
          toShow--;
          lastShown = number;
          yield* this.#line(name, line, '-', []);
        } else if (this.#before > 0) {
          held.push(line);
          if (held.length > this.#before) held.shift();
        }
        continue;
      }
      count++;
      this.selected = true;
      if (o.has('quiet') || o.has('silent')) {
        yield* this.#p.stdout.flush();
        throw new Exit(0);
      }
      if (o.has('files-with-matches') || o.has('files-without-match')) break;
      if (this.#isQuiet) continue;
      const first = number - held.length;
      const hasContext = this.#before + this.#after > 0;
      if (hasContext && this.#hasShown && (lastShown === 0 || first > lastShown + 1)) {
        yield* this.#p.println(this.#paint('--', '36'));
      }
      for (const before of held.splice(0)) yield* this.#line(name, before, '-', []);
      yield* this.#line(name, line, ':', matches);
      lastShown = number;
      this.#hasShown = true;
      toShow = this.#after;
    }
    yield* this.#summary(name, count);
  }

  *#summary(name: string, count: number): UserFlow<void> {
    const o = this.#o;
    if (o.has('quiet') || o.has('silent')) return;
    const separator = o.has('null') ? '\0' : undefined;
    if (o.has('files-with-matches')) {
      if (count > 0) yield* this.#p.print(name + (separator ?? '\n'));
    } else if (o.has('files-without-match')) {
      if (count === 0) yield* this.#p.print(name + (separator ?? '\n'));
      // -L succeeds where it lists something.
      this.selected = count === 0 || this.selected;
    } else if (o.has('count')) {
      const head = this.#style.names
        ? this.#paint(name, '35') + (separator ?? this.#paint(':', '36'))
        : '';
      yield* this.#p.println(`${head}${count}`);
    }
  }

  #paint(text: string, code: string): string {
    return this.#style.color ? `\x1b[${code}m\x1b[K${text}\x1b[m\x1b[K` : text;
  }

  /** What stands before a line, or before a part of it that starts `at` so many bytes further on. */
  #head(name: string, line: Line, mark: string, at: number): string {
    const o = this.#o;
    const tab = o.has('initial-tab');
    const parts: string[] = [];
    if (this.#style.names) {
      parts.push(this.#paint(name, '35') + (o.has('null') ? '\0' : this.#paint(mark, '36')));
    }
    if (o.has('line-number')) {
      const digits = tab ? String(line.number).padStart(4) : String(line.number);
      parts.push(this.#paint(digits, '32') + this.#paint(mark, '36'));
    }
    if (o.has('byte-offset')) {
      const digits = tab ? String(line.offset + at).padStart(4) : String(line.offset + at);
      parts.push(this.#paint(digits, '32') + this.#paint(mark, '36'));
    }
    const head = parts.join('');
    return tab && head !== '' ? `${head}\t` : head;
  }

  *#line(name: string, line: Line, mark: string, matches: readonly Span[]): UserFlow<void> {
    const o = this.#o;
    const p = this.#p;
    const end = String.fromCharCode(this.#end);
    const { text } = line;
    if (o.has('only-matching')) {
      if (mark === '-' || o.has('invert-match')) return;
      for (const [from, to] of matches) {
        if (to === from) continue;
        const at = new TextEncoder().encode(text.slice(0, from)).length;
        const part = this.#paint(text.slice(from, to), '01;31');
        yield* p.print(this.#head(name, line, mark, at) + part + end);
      }
      return;
    }
    let out = this.#head(name, line, mark, 0);
    let done = 0;
    for (const [from, to] of o.has('invert-match') ? [] : matches) {
      out += text.slice(done, from);
      if (to > from) out += this.#paint(text.slice(from, to), '01;31');
      done = to;
    }
    yield* p.print(out + text.slice(done) + end);
    if (o.has('line-buffered')) yield* p.stdout.flush();
  }
}
