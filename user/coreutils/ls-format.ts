/** How ls shows entries: long lines, columns down or across, commas; names quoted and coloured. */
import type { UserFlow } from '../../kernel/syscall/abi.ts';
import { modeString } from '../libc/directory.ts';
import type { Stat } from '../libc/files.ts';
import { columns, columnsAcross, humanSize, table } from '../libc/format.ts';
import type { Options } from '../libc/getopt.ts';
import type { Process } from '../libc/process.ts';
import { groups, userNames } from '../libc/system.ts';
import { padLeft, textWidth } from '../libc/text.ts';
import { CLOCK_REALTIME, clockGettime, strftime } from '../libc/time.ts';
import { quoteAnsi } from '../sh/quote.ts';
import { linkColor, modeColor } from './ls-colors.ts';

export interface Entry {
  readonly name: string;
  readonly path: string;
  readonly stat: Stat | undefined;
  /** Of a symbolic link: its text, and what it leads to. */
  readonly target?: string;
  readonly targetStat?: Stat;
  readonly isOrphan?: true;
}

/** Half a Gregorian year: older dates show the year (ls's own rule). */
const RECENT_SECONDS = 31556952 / 2;

type Layout = 'long' | 'columns' | 'across' | 'commas' | 'lines';
type Quoting = 'literal' | 'shell' | 'c' | 'escape' | 'shell-always';

interface Terminal {
  readonly isTerminal: boolean;
  readonly columnsWide: number;
}

const FORMATS: Readonly<Record<string, Layout>> = {
  across: 'across',
  horizontal: 'across',
  commas: 'commas',
  long: 'long',
  verbose: 'long',
  'single-column': 'lines',
  vertical: 'columns',
};

export function* formatterFor(p: Process, o: Options, terminal: Terminal): UserFlow<Formatter> {
  let layout: Layout = terminal.isTerminal ? 'columns' : 'lines';
  for (const { name, value } of o.given) {
    if (['l', 'numeric-uid-gid', 'g', 'o', 'full-time'].includes(name)) layout = 'long';
    else if (name === 'C') layout = 'columns';
    else if (name === 'x') layout = 'across';
    else if (name === 'm') layout = 'commas';
    else if (name === 'format') layout = FORMATS[value] ?? layout;
    else if ((name === '1' || name === 'zero') && layout !== 'long') layout = 'lines';
  }
  const isNumeric = o.has('numeric-uid-gid');
  const isLong = layout === 'long';
  const names = isLong && !isNumeric;
  return new Formatter(p, o, layout, terminal, {
    users: names ? yield* userNames(p) : new Map<number, string>(),
    groups: names ? yield* groups(p) : new Map<number, string>(),
    nowSeconds: isLong ? Number((yield* clockGettime(p, CLOCK_REALTIME)) / 1_000_000_000n) : 0,
  });
}

interface Names {
  readonly users: ReadonlyMap<number, string>;
  readonly groups: ReadonlyMap<number, string>;
  readonly nowSeconds: number;
}

export class Formatter {
  readonly #p: Process;
  readonly #o: Options;
  readonly #layout: Layout;
  readonly #terminal: Terminal;
  readonly #names: Names;
  readonly #isColored: boolean;
  readonly #quoting: Quoting;
  readonly #indicators: 'none' | 'slash' | 'file-type' | 'classify';
  readonly #end: string;

  constructor(p: Process, o: Options, layout: Layout, terminal: Terminal, names: Names) {
    this.#p = p;
    this.#o = o;
    this.#layout = layout;
    this.#terminal = terminal;
    this.#names = names;
    const when = o.has('color') ? o.value('color') || 'always' : 'auto';
    this.#isColored = when === 'always' || (when === 'auto' && terminal.isTerminal);
    this.#quoting = quotingOf(o, terminal.isTerminal);
    this.#indicators = indicatorsOf(o, terminal.isTerminal);
    this.#end = o.has('zero') ? '\0' : '\n';
  }

  get isLong(): boolean {
    return this.#layout === 'long';
  }

  get classifies(): boolean {
    return this.#indicators === 'classify';
  }

  get needsStat(): boolean {
    return (
      this.isLong ||
      this.#isColored ||
      this.#indicators !== 'none' ||
      this.#o.has('inode') ||
      this.#o.has('size') ||
      this.#o.has('c') ||
      this.#o.has('u')
    );
  }

  /** Is it shown where links lead? */
  get followsLinks(): boolean {
    return this.isLong || this.#isColored;
  }

  timeNs(status: Stat): number {
    const [seconds, nanoseconds] = this.#time(status);
    return seconds * 1e9 + nanoseconds;
  }

  #time(status: Stat): [seconds: number, nanoseconds: number] {
    const word = this.#o.value('time') ?? '';
    if (this.#o.has('c') || /^(ctime|status)$/.test(word))
      return [status.ctimeSec, status.ctimeNsec];
    if (this.#o.has('u') || /^(atime|access|use)$/.test(word))
      return [status.atimeSec, status.atimeNsec];
    return [status.mtimeSec, status.mtimeNsec];
  }

  title(path: string): string {
    return this.#quote(path);
  }

  *total(entries: readonly Entry[]): UserFlow<void> {
    if (!this.isLong && !this.#o.has('size')) return;
    const blocks = entries.reduce((sum, entry) => sum + (entry.stat?.blocks ?? 0), 0);
    yield* this.#p.print(`total ${this.#blocks(blocks)}${this.#end}`);
  }

  *print(entries: readonly Entry[]): UserFlow<void> {
    if (entries.length === 0) return;
    const lines = this.isLong ? this.#long(entries) : this.#short(entries);
    for (const line of lines) yield* this.#p.print(line + this.#end);
  }

  /** Inode and blocks before the name. */
  #prefix(entry: Entry, widths: { inode: number; blocks: number }): string {
    let out = '';
    if (this.#o.has('inode')) out += `${padLeft(entry.stat?.ino ?? '?', widths.inode)} `;
    if (this.#o.has('size')) out += `${padLeft(this.#blocksOf(entry), widths.blocks)} `;
    return out;
  }

  #blocksOf(entry: Entry): string {
    return entry.stat ? this.#blocks(entry.stat.blocks) : '?';
  }

  #blocks(blocks: number): string {
    if (this.#o.has('si')) return humanSize(blocks * 512, 1000);
    return this.#o.has('human-readable') ? humanSize(blocks * 512) : String(Math.ceil(blocks / 2));
  }

  #short(entries: readonly Entry[]): string[] {
    const isAligned = this.#layout === 'columns' || this.#layout === 'across';
    const width = (text: (entry: Entry) => string): number =>
      this.#layout === 'commas' ? 0 : Math.max(...entries.map((entry) => text(entry).length));
    const widths = {
      inode: width((entry) => String(entry.stat?.ino ?? '?')),
      blocks: width((entry) => this.#blocksOf(entry)),
    };
    // Names in quotes stand out by a column, so the others keep it free.
    const isIndented =
      this.#quoting === 'shell' &&
      isAligned &&
      this.#terminal.isTerminal &&
      entries.some((entry) => this.#quote(entry.name) !== entry.name);
    const space = (entry: Entry): string =>
      isIndented && this.#quote(entry.name) === entry.name ? ' ' : '';
    const plain = entries.map(
      (entry) =>
        this.#prefix(entry, widths) +
        space(entry) +
        this.#quote(entry.name) +
        this.#indicator(entry),
    );
    const shown = (index: number): string => {
      const entry = entries[index]!;
      return this.#prefix(entry, widths) + space(entry) + this.#shown(entry);
    };
    switch (this.#layout) {
      case 'columns':
        return columns(plain, this.#terminal.columnsWide, shown);
      case 'across':
        return columnsAcross(plain, this.#terminal.columnsWide, shown);
      case 'commas':
        return commaLines(
          plain.map((text, index) => [textWidth(text), shown(index)]),
          this.#terminal.columnsWide,
        );
      default:
        return plain.map((_, index) => shown(index));
    }
  }

  #long(entries: readonly Entry[]): string[] {
    const o = this.#o;
    const isIndented =
      this.#quoting === 'shell' &&
      this.#terminal.isTerminal &&
      entries.some((entry) => this.#quote(entry.name) !== entry.name);
    const anyDevice = entries.some(({ stat }) => stat && isDevice(stat));
    const rows = entries.map((entry) => {
      const { stat } = entry;
      const space = isIndented && this.#quote(entry.name) === entry.name ? ' ' : '';
      const name = space + this.#shown(entry) + this.#arrow(entry);
      const head: string[] = [];
      if (o.has('inode')) head.push(String(stat?.ino ?? '?'));
      if (o.has('size')) head.push(this.#blocksOf(entry));
      head.push(stat ? modeString(stat.mode) : '??????????', String(stat?.nlink ?? '?'));
      const owner = stat ? (this.#names.users.get(stat.uid) ?? String(stat.uid)) : '?';
      const group = stat ? (this.#names.groups.get(stat.gid) ?? String(stat.gid)) : '?';
      if (!o.has('g')) head.push(owner);
      if (!o.has('o') && !o.has('no-group')) head.push(group);
      if (o.has('author')) head.push(owner);
      return {
        head,
        size: stat ? this.#size(stat, anyDevice) : '?',
        date: stat ? this.#date(stat) : '?',
        name,
      };
    });
    const numeric = o.has('numeric-uid-gid');
    const lead = Number(o.has('inode')) + Number(o.has('size'));
    // Inode and blocks, the number of links, and numbers for owners stand at the right.
    const isRight = (column: number): boolean =>
      column < lead || column === lead + 1 || (numeric && column > lead + 1);
    const heads = table(
      rows.map(({ head }) => [...head, '']),
      isRight,
    );
    const sizeWidth = Math.max(...rows.map(({ size }) => size.length));
    const dateWidth = Math.max(...rows.map(({ date }) => date.length));
    return rows.map(({ size, date, name }, index) => {
      const when = date === '?' ? padLeft(date, dateWidth) : date.padEnd(dateWidth);
      return `${heads[index]}${padLeft(size, sizeWidth)} ${when} ${name}`;
    });
  }

  #arrow(entry: Entry): string {
    if (entry.target === undefined) return '';
    const code = this.#isColored
      ? entry.isOrphan
        ? linkColor(true)
        : modeColor(entry.targetStat!.mode, entry.target)
      : '';
    const indicator = entry.targetStat ? this.#indicatorOf(entry.targetStat.mode) : '';
    return ` -> ${painted(this.#quote(entry.target), code)}${indicator}`;
  }

  #size(status: Stat, anyDevice: boolean): string {
    if (isDevice(status)) {
      const major = Math.floor(status.rdev / 256) % 4096;
      const minor = (status.rdev % 256) + Math.floor(status.rdev / 2 ** 20) * 256;
      return `${major}, ${padLeft(minor, anyDevice ? 3 : 0)}`;
    }
    if (this.#o.has('si')) return humanSize(status.size, 1000);
    return this.#o.has('human-readable') ? humanSize(status.size) : String(status.size);
  }

  #date(status: Stat): string {
    const [seconds, nanoseconds] = this.#time(status);
    const style = this.#o.has('full-time') ? 'full-iso' : (this.#o.value('time-style') ?? 'locale');
    const age = this.#names.nowSeconds - seconds;
    const isRecent = age >= 0 && age < RECENT_SECONDS;
    switch (style.replace(/^posix-/, '')) {
      case 'full-iso':
        return strftime('%Y-%m-%d %H:%M:%S.%N %z', seconds, nanoseconds);
      case 'long-iso':
        return strftime('%Y-%m-%d %H:%M', seconds);
      case 'iso':
        return strftime(isRecent ? '%m-%d %H:%M' : '%Y-%m-%d ', seconds);
    }
    if (style.startsWith('+')) {
      const [old, recent] = style.slice(1).split('\n');
      return strftime((isRecent ? (recent ?? old) : old)!, seconds, nanoseconds);
    }
    return strftime(isRecent ? '%b %e %H:%M' : '%b %e  %Y', seconds);
  }

  #shown(entry: Entry): string {
    const name = this.#quote(entry.name);
    if (!this.#isColored || !entry.stat) return name + this.#indicator(entry);
    const isLink = (entry.stat.mode & 0o170000) === 0o120000;
    const code = isLink
      ? linkColor(entry.isOrphan ?? false)
      : modeColor(entry.stat.mode, entry.name);
    return painted(name, code) + this.#indicator(entry);
  }

  #indicator(entry: Entry): string {
    if (!entry.stat) return '';
    const isLink = (entry.stat.mode & 0o170000) === 0o120000;
    // In the long format the arrow says it.
    if (isLink && this.isLong) return '';
    return this.#indicatorOf(entry.stat.mode);
  }

  #indicatorOf(mode: number): string {
    const type = mode & 0o170000;
    if (this.#indicators === 'none') return '';
    if (type === 0o040000) return '/';
    if (this.#indicators === 'slash') return '';
    const marks: Record<number, string> = { 0o120000: '@', 0o010000: '|', 0o140000: '=' };
    if (marks[type] !== undefined) return marks[type];
    return this.#indicators === 'classify' && type === 0o100000 && mode & 0o111 ? '*' : '';
  }

  #quote(name: string): string {
    switch (this.#quoting) {
      case 'c':
        return `"${name.replace(/[\\"]/g, '\\$&').replace(/\n/g, '\\n').replace(/\t/g, '\\t')}"`;
      case 'escape':
        return name.replace(/[\\ ]/g, '\\$&').replace(/\n/g, '\\n').replace(/\t/g, '\\t');
      case 'shell':
        return shellQuoted(name);
      case 'shell-always':
        return `'${name.replaceAll("'", "'\\''")}'`;
      default: {
        const hides = this.#o.has('hide-control-chars') || this.#terminal.isTerminal;
        return hides && !this.#o.has('show-control-chars')
          ? name.replace(/[\x00-\x1f\x7f]/g, '?')
          : name;
      }
    }
  }
}

export function quoteForMessage(path: string): string {
  return `'${path.replaceAll("'", "'\\''")}'`;
}

function shellQuoted(name: string): string {
  if (
    /^[^\s'"\\$&;()<>|*?[\]`!#~=^\x00-\x1f\x7f][^\s'"\\$&;()<>|*?[`!^\x00-\x1f\x7f]*$/.test(name)
  ) {
    return name;
  }
  if (/[\x00-\x1f\x7f]/.test(name)) return quoteAnsi(name);
  if (name.includes("'") && !/["\\$`!]/.test(name)) return `"${name}"`;
  return `'${name.replaceAll("'", "'\\''")}'`;
}

function painted(text: string, code: string): string {
  return code === '' ? text : `\x1b[0m\x1b[${code}m${text}\x1b[0m`;
}

function isDevice(status: Stat): boolean {
  return [0o020000, 0o060000].includes(status.mode & 0o170000);
}

function quotingOf(o: Options, isTerminal: boolean): Quoting {
  if (o.has('quote-name')) return 'c';
  if (o.has('escape')) return 'escape';
  if (o.has('literal') || o.has('hide-control-chars')) return 'literal';
  const word = o.value('quoting-style');
  if (word === undefined) return isTerminal ? 'shell' : 'literal';
  if (word === 'c' || word === 'escape' || word === 'literal') return word;
  return word.includes('always') ? 'shell-always' : 'shell';
}

function indicatorsOf(
  o: Options,
  isTerminal: boolean,
): 'none' | 'slash' | 'file-type' | 'classify' {
  const when = o.value('classify');
  if (o.has('classify') && (when !== 'auto' || isTerminal) && when !== 'never') return 'classify';
  if (o.has('file-type')) return 'file-type';
  if (o.has('p')) return 'slash';
  const word = o.value('indicator-style');
  return word === 'slash' || word === 'file-type' || word === 'classify' ? word : 'none';
}

/** Names after each other, as many as fit. */
function commaLines(
  names: readonly (readonly [width: number, text: string])[],
  limit: number,
): string[] {
  const lines: string[] = [];
  let line = '';
  let used = 0;
  for (const [index, [width, text]] of names.entries()) {
    const comma = index < names.length - 1 ? 1 : 0;
    if (used > 0 && used + 1 + width + comma >= limit) {
      lines.push(line);
      line = '';
      used = 0;
    }
    line += (used > 0 ? ' ' : '') + text + (comma ? ',' : '');
    used += (used > 0 ? 1 : 0) + width + comma;
  }
  return [...lines, line];
}
