/** diff(1): normal, unified, context, side by side and brief output; directories with -r. */
import type { UserFlow } from '../../kernel/syscall/abi.ts';
import { isDirectory, listNames } from '../libc/directory.ts';
import { stat, type Stat } from '../libc/files.ts';
import { getopt, usageError, type Options } from '../libc/getopt.ts';
import { basename, type Process, type Tool } from '../libc/process.ts';
import { strerror } from '../libc/strerror.ts';
import { decodeText, textWidth } from '../libc/text.ts';
import { strftime } from '../libc/time.ts';
import { differences, type Change } from './diff-lines.ts';
import { closeStream, openStream } from './input.ts';

const SAME = 0;
const DIFFERENT = 1;
const TROUBLE = 2;

export const diff: Tool = function* (p, args) {
  const o = yield* getopt(p, args, {
    usage: '[OPTION]... FILES',
    about: 'Compare FILES line by line.',
    badUsage: TROUBLE,
    options: [
      { long: 'normal', help: 'output a normal diff (the default)' },
      { short: 'q', long: 'brief', help: 'report only when files differ' },
      { short: 's', long: 'report-identical-files', help: 'report when two files are the same' },
      { short: 'c', help: 'output 3 lines of copied context' },
      { short: 'C', long: 'context', arg: 'NUM', help: 'output NUM lines of copied context' },
      { short: 'u', help: 'output 3 lines of unified context' },
      { short: 'U', long: 'unified', arg: 'NUM', help: 'output NUM lines of unified context' },
      { short: 'y', long: 'side-by-side', help: 'output in two columns' },
      { short: 'W', long: 'width', arg: 'NUM', help: 'output at most NUM print columns' },
      { long: 'suppress-common-lines', help: 'do not output common lines' },
      { long: 'label', arg: 'LABEL', help: 'use LABEL instead of file name and timestamp' },
      { short: 'r', long: 'recursive', help: 'recursively compare any subdirectories found' },
      { short: 'N', long: 'new-file', help: 'treat absent files as empty' },
      { short: 'i', long: 'ignore-case', help: 'ignore case differences in file contents' },
      {
        short: 'b',
        long: 'ignore-space-change',
        help: 'ignore changes in the amount of white space',
      },
      { short: 'w', long: 'ignore-all-space', help: 'ignore all white space' },
      { short: 'B', long: 'ignore-blank-lines', help: 'ignore changes where lines are all blank' },
      { short: 'a', long: 'text', help: 'treat all files as text' },
      {
        long: 'color',
        arg: 'WHEN',
        optional: true,
        help: "color output; WHEN is 'never', 'always', or 'auto'",
      },
    ],
  });
  const [first, second, extra] = o.operands;
  if (first === undefined)
    return yield* usageError(p, `missing operand after '${p.name}'`, TROUBLE);
  if (second === undefined)
    return yield* usageError(p, `missing operand after '${first}'`, TROUBLE);
  if (extra !== undefined) return yield* usageError(p, `extra operand '${extra}'`, TROUBLE);
  return yield* new Differ(p, o).paths(first, second);
};

interface File {
  readonly name: string;
  readonly stat: Stat | undefined;
  readonly lines: readonly string[];
  /** The last line has no newline. */
  readonly lacksEnd: boolean;
  readonly isBinary: boolean;
}

class Differ {
  readonly #p: Process;
  readonly #o: Options;
  readonly #style: 'normal' | 'unified' | 'context' | 'side';
  readonly #context: number;

  constructor(p: Process, o: Options) {
    this.#p = p;
    this.#o = o;
    const unified = o.has('u') || o.has('unified');
    const copied = o.has('c') || o.has('context');
    this.#style = unified
      ? 'unified'
      : copied
        ? 'context'
        : o.has('side-by-side')
          ? 'side'
          : 'normal';
    this.#context = Number(o.value('unified') ?? o.value('context') ?? 3);
  }

  *paths(left: string, right: string, command?: string): UserFlow<number> {
    const a = left === '-' ? undefined : yield* stat(this.#p, left);
    const b = right === '-' ? undefined : yield* stat(this.#p, right);
    const isDir = (status: Stat | number | undefined): boolean =>
      typeof status === 'object' && isDirectory(status.mode);
    if (isDir(a) && isDir(b)) return yield* this.#directories(left, right);
    // A file against a directory means the file of that name in it.
    if (isDir(a) && b !== undefined && command === undefined)
      return yield* this.paths(`${left.replace(/\/$/, '')}/${basename(right)}`, right);
    if (isDir(b) && a !== undefined && command === undefined)
      return yield* this.paths(left, `${right.replace(/\/$/, '')}/${basename(left)}`);
    const files: File[] = [];
    let failed = false;
    for (const [name, status] of [
      [left, a],
      [right, b],
    ] as const) {
      const file = yield* this.#read(name, status);
      if (file) files.push(file);
      else failed = true;
    }
    if (failed) return TROUBLE;
    return yield* this.#files(files[0]!, files[1]!, command);
  }

  *#read(name: string, status: Stat | number | undefined): UserFlow<File | undefined> {
    if (typeof status === 'number' && this.#o.has('new-file')) {
      return { name, stat: undefined, lines: [], lacksEnd: false, isBinary: false };
    }
    const stream = yield* openStream(this.#p, name);
    if (!stream) return undefined;
    const bytes = yield* stream.readAll();
    const { error } = stream;
    yield* closeStream(this.#p, stream);
    if (error < 0) {
      yield* this.#p.error(`${name}: ${strerror(error)}`);
      return undefined;
    }
    const text = decodeText(bytes);
    const lines = text.split('\n');
    const lacksEnd = lines.at(-1) !== '';
    if (!lacksEnd) lines.pop();
    const isBinary = !this.#o.has('text') && bytes.subarray(0, 8192).includes(0);
    return {
      name,
      stat: typeof status === 'object' ? status : undefined,
      lines,
      lacksEnd,
      isBinary,
    };
  }

  *#directories(left: string, right: string): UserFlow<number> {
    const p = this.#p;
    const a = yield* listNames(p, left);
    const b = yield* listNames(p, right);
    if (typeof a === 'number' || typeof b === 'number') {
      const [path, error] = typeof a === 'number' ? [left, a] : [right, b as number];
      yield* p.error(`${path}: ${strerror(error)}`);
      return TROUBLE;
    }
    let status = SAME;
    for (const name of [...new Set([...a, ...b])].sort()) {
      const [x, y] = [`${left.replace(/\/$/, '')}/${name}`, `${right.replace(/\/$/, '')}/${name}`];
      const isMissing = !a.includes(name) || !b.includes(name);
      if (isMissing && !this.#o.has('new-file')) {
        yield* p.println(`Only in ${a.includes(name) ? left : right}: ${name}`);
        status = Math.max(status, DIFFERENT);
        continue;
      }
      const [s, t] = [yield* stat(p, x), yield* stat(p, y)];
      const bothDirs =
        typeof s === 'object' &&
        typeof t === 'object' &&
        isDirectory(s.mode) &&
        isDirectory(t.mode);
      if (bothDirs && !this.#o.has('recursive')) {
        yield* p.println(`Common subdirectories: ${x} and ${y}`);
        continue;
      }
      const flags = ['r', 'u', 'N', 'q', 'i', 'w', 'b', 'B', 'c', 'a'];
      const long: Record<string, string> = {
        r: 'recursive',
        N: 'new-file',
        q: 'brief',
        i: 'ignore-case',
        w: 'ignore-all-space',
        b: 'ignore-space-change',
        B: 'ignore-blank-lines',
        a: 'text',
      };
      const shown = this.#o.given
        .map((option) => flags.find((flag) => option.name === flag || option.name === long[flag]))
        .filter((flag) => flag !== undefined)
        .map((flag) => ` -${flag}`)
        .join('');
      status = Math.max(status, yield* this.paths(x, y, `diff${shown} ${x} ${y}`));
    }
    return status;
  }

  #key(line: string): string {
    let key = line;
    if (this.#o.has('ignore-case')) key = key.toLowerCase();
    if (this.#o.has('ignore-all-space')) return key.replace(/\s+/g, '');
    if (this.#o.has('ignore-space-change')) return key.replace(/\s+/g, ' ').trimEnd();
    return key;
  }

  *#files(a: File, b: File, command: string | undefined): UserFlow<number> {
    const p = this.#p;
    const mark = (file: File, line: string, index: number): string =>
      // A line without its newline is another line.
      this.#key(line) + (file.lacksEnd && index === file.lines.length - 1 ? '\0' : '');
    let changes = differences(
      a.lines.map((line, index) => mark(a, line, index)),
      b.lines.map((line, index) => mark(b, line, index)),
    );
    if (this.#o.has('ignore-blank-lines')) {
      const isBlank = (line: string): boolean => line.trim() === '';
      changes = changes.filter(
        ({ from, removed, to, added }) =>
          !(
            a.lines.slice(from, from + removed).every(isBlank) &&
            b.lines.slice(to, to + added).every(isBlank)
          ),
      );
    }
    if (changes.length === 0) {
      if (this.#o.has('report-identical-files'))
        yield* p.println(`Files ${a.name} and ${b.name} are identical`);
      if (this.#style === 'side') yield* this.#sideBySide(a, b, changes);
      return SAME;
    }
    if (this.#o.has('brief')) {
      yield* p.println(`Files ${a.name} and ${b.name} differ`);
      return DIFFERENT;
    }
    if (a.isBinary || b.isBinary) {
      yield* p.println(`Binary files ${a.name} and ${b.name} differ`);
      return TROUBLE;
    }
    if (command !== undefined) yield* p.println(command);
    if (this.#style === 'normal') yield* this.#normal(a, b, changes);
    else if (this.#style === 'unified') yield* this.#unified(a, b, changes);
    else if (this.#style === 'context') yield* this.#copied(a, b, changes);
    else yield* this.#sideBySide(a, b, changes);
    return DIFFERENT;
  }

  *#line(file: File, index: number, head: string): UserFlow<void> {
    yield* this.#p.println(head + file.lines[index]!);
    if (file.lacksEnd && index === file.lines.length - 1) {
      yield* this.#p.println('\\ No newline at end of file');
    }
  }

  *#normal(a: File, b: File, changes: readonly Change[]): UserFlow<void> {
    const range = (start: number, count: number): string =>
      count > 1 ? `${start + 1},${start + count}` : String(count === 0 ? start : start + 1);
    for (const { from, removed, to, added } of changes) {
      const letter = removed === 0 ? 'a' : added === 0 ? 'd' : 'c';
      yield* this.#p.println(`${range(from, removed)}${letter}${range(to, added)}`);
      for (let at = from; at < from + removed; at++) yield* this.#line(a, at, '< ');
      if (letter === 'c') yield* this.#p.println('---');
      for (let at = to; at < to + added; at++) yield* this.#line(b, at, '> ');
    }
  }

  /** Changes that are close enough to share their context. */
  #hunks(changes: readonly Change[]): Change[][] {
    const hunks: Change[][] = [];
    for (const change of changes) {
      const last = hunks.at(-1)?.at(-1);
      const gap = last ? change.from - (last.from + last.removed) : Infinity;
      if (gap <= 2 * this.#context) hunks.at(-1)!.push(change);
      else hunks.push([change]);
    }
    return hunks;
  }

  *#heads(a: File, b: File, marks: readonly [string, string]): UserFlow<void> {
    const labels = this.#o.values('label');
    for (const [index, file] of [a, b].entries()) {
      const { stat: info } = file;
      const time = info
        ? strftime('%Y-%m-%d %H:%M:%S.%N %z', info.mtimeSec, info.mtimeNsec)
        : strftime('%Y-%m-%d %H:%M:%S.%N %z', 0, 0);
      yield* this.#p.println(`${marks[index]} ${labels[index] ?? `${file.name}\t${time}`}`);
    }
  }

  *#unified(a: File, b: File, changes: readonly Change[]): UserFlow<void> {
    yield* this.#heads(a, b, ['---', '+++']);
    const range = (start: number, count: number): string =>
      count === 1 ? String(start + 1) : `${count === 0 ? start : start + 1},${count}`;
    for (const hunk of this.#hunks(changes)) {
      const [first, last] = [hunk[0]!, hunk.at(-1)!];
      const before = Math.min(this.#context, first.from);
      const after = Math.min(this.#context, a.lines.length - (last.from + last.removed));
      const start = { a: first.from - before, b: first.to - before };
      const count = {
        a: last.from + last.removed + after - start.a,
        b: last.to + last.added + after - start.b,
      };
      yield* this.#p.println(`@@ -${range(start.a, count.a)} +${range(start.b, count.b)} @@`);
      let at = start.a;
      for (const { from, removed, to, added } of hunk) {
        for (; at < from; at++) yield* this.#line(a, at, ' ');
        for (; at < from + removed; at++) yield* this.#line(a, at, '-');
        for (let other = to; other < to + added; other++) yield* this.#line(b, other, '+');
      }
      for (; at < start.a + count.a; at++) yield* this.#line(a, at, ' ');
    }
  }

  *#copied(a: File, b: File, changes: readonly Change[]): UserFlow<void> {
    yield* this.#heads(a, b, ['***', '---']);
    for (const hunk of this.#hunks(changes)) {
      yield* this.#p.println('***************');
      const [first, last] = [hunk[0]!, hunk.at(-1)!];
      const before = Math.min(this.#context, first.from);
      const after = Math.min(this.#context, a.lines.length - (last.from + last.removed));
      const sides = [
        {
          file: a,
          start: first.from - before,
          end: last.from + last.removed + after,
          mark: '-',
          stars: '***',
          tail: '****',
        },
        {
          file: b,
          start: first.to - before,
          end: last.to + last.added + after,
          mark: '+',
          stars: '---',
          tail: '----',
        },
      ];
      for (const [index, { file, start, end, mark, stars, tail }] of sides.entries()) {
        const range = end - start <= 1 ? String(end) : `${start + 1},${end}`;
        yield* this.#p.println(`${stars} ${range} ${tail}`);
        const touched = hunk.some((change) => (index === 0 ? change.removed : change.added) > 0);
        if (!touched) continue;
        for (let at = start; at < end; at++) {
          const change = hunk.find(({ from, removed, to, added }) =>
            index === 0 ? at >= from && at < from + removed : at >= to && at < to + added,
          );
          const head = !change ? '  ' : change.removed > 0 && change.added > 0 ? '! ' : `${mark} `;
          yield* this.#line(file, at, head);
        }
      }
    }
  }

  *#sideBySide(a: File, b: File, changes: readonly Change[]): UserFlow<void> {
    const width = Number(this.#o.value('width') ?? 130);
    // Where the columns are: the second one at a tab stop (GNU diffutils' rule).
    const second = Math.floor((width + TAB + 3) / (2 * TAB)) * TAB;
    const half = Math.max(0, Math.min(second - 3, width - second));
    const gutter = Math.floor((half + second - 1) / 2);
    const hides = this.#o.has('suppress-common-lines');
    const clip = (text: string): string => {
      let out = '';
      for (const char of text) {
        if (textWidth(out + char) > half) break;
        out += char;
      }
      return out;
    };
    const row = (left: string, mark: string, right: string): string => {
      const text = clip(left);
      const at = textWidth(text);
      if (mark === ' ') return right === '' ? text : text + blanks(at, second) + clip(right);
      const head = text + blanks(at, gutter) + mark;
      return mark === '<' ? head : head + blanks(gutter + 1, second) + clip(right);
    };
    let at = 0;
    let other = 0;
    const p = this.#p;
    const common = function* (until: number): UserFlow<void> {
      for (; at < until; at++, other++) {
        if (!hides) yield* p.println(row(a.lines[at]!, ' ', b.lines[other]!));
      }
    };
    for (const { from, removed, to, added } of changes) {
      yield* common(from);
      for (let i = 0; i < Math.max(removed, added); i++) {
        const mark = i >= removed ? '>' : i >= added ? '<' : '|';
        const [left, right] = [
          i < removed ? a.lines[from + i]! : '',
          i < added ? b.lines[to + i]! : '',
        ];
        yield* p.println(row(left, mark, right));
      }
      at = from + removed;
      other = to + added;
    }
    yield* common(a.lines.length);
  }
}

const TAB = 8;

/** Tabs as far as they go, then spaces. */
function blanks(from: number, to: number): string {
  let out = '';
  let at = from;
  while (at < to) {
    const next = (Math.floor(at / TAB) + 1) * TAB;
    out += next <= to ? '\t' : ' ';
    at = next <= to ? next : at + 1;
  }
  return out;
}
