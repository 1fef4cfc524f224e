/** ls(1): columns or long format, colours on a terminal. */
import type { UserFlow } from '../../kernel/syscall/abi.ts';
import { byBytes, isDirectory, isSymlink, listNames, modeString } from '../libc/directory.ts';
import { lstat, readlink, stat, type Stat } from '../libc/files.ts';
import { columns, humanSize, table } from '../libc/format.ts';
import { getopt, type Options } from '../libc/getopt.ts';
import type { Process, Tool } from '../libc/process.ts';
import { strerror } from '../libc/strerror.ts';
import { groups, userNames } from '../libc/system.ts';
import { windowSize } from '../libc/terminal.ts';
import { CLOCK_REALTIME, clockGettime, strftime } from '../libc/time.ts';

interface Entry {
  readonly name: string;
  readonly path: string;
  readonly stat: Stat | undefined;
  /** Of a symbolic link, in the long format. */
  readonly target?: string;
}

/** Half a Gregorian year: older dates show the year (ls's own rule). */
const RECENT_SECONDS = 31556952 / 2;

export const ls: Tool = function* (p, args) {
  const o = yield* getopt(p, args, {
    usage: '[OPTION]... [FILE]...',
    about: 'List information about the FILEs (the current directory by default).',
    badUsage: 2,
    options: [
      { short: 'a', long: 'all', help: 'do not ignore entries starting with .' },
      { short: 'A', long: 'almost-all', help: 'do not list implied . and ..' },
      { short: 'd', long: 'directory', help: 'list directories themselves, not their contents' },
      { short: 'F', long: 'classify', help: 'append indicator (one of */=@|) to entries' },
      { short: 'h', long: 'human-readable', help: 'with -l and -s, print sizes like 1K 234M 2G' },
      { short: 'i', long: 'inode', help: 'print the index number of each file' },
      { short: 'l', help: 'use a long listing format' },
      { short: 'n', long: 'numeric-uid-gid', help: 'like -l, but list numeric user and group IDs' },
      { short: 'R', long: 'recursive', help: 'list subdirectories recursively' },
      { short: 'r', long: 'reverse', help: 'reverse order while sorting' },
      { short: 'S', help: 'sort by file size, largest first' },
      { short: 't', help: 'sort by time, newest first' },
      { short: 'U', help: 'do not sort' },
      { short: '1', help: 'list one file per line' },
      {
        long: 'color',
        arg: 'WHEN',
        optional: true,
        help: "colour the output: 'always', 'auto', 'never'",
      },
    ],
  });
  const size = yield* windowSize(p, 1);
  const when = o.has('color') ? o.value('color') || 'always' : 'auto';
  const lister = new Lister(p, o, {
    columnsWide: size?.columns ?? 80,
    isColored: when === 'always' || (when === 'auto' && size !== undefined),
    isLong: o.has('l') || o.has('numeric-uid-gid'),
    inColumns: size !== undefined && !o.has('1'),
  });
  return yield* lister.run(o.operands);
};

interface Style {
  readonly columnsWide: number;
  readonly isColored: boolean;
  readonly isLong: boolean;
  readonly inColumns: boolean;
}

class Lister {
  readonly #p: Process;
  readonly #o: Options;
  readonly #style: Style;
  #status = 0;
  #printed = false;
  #users = new Map<number, string>();
  #groups = new Map<number, string>();
  #nowSeconds = 0;

  constructor(p: Process, o: Options, style: Style) {
    this.#p = p;
    this.#o = o;
    this.#style = style;
  }

  *run(operands: readonly string[]): UserFlow<number> {
    if (this.#style.isLong) {
      this.#nowSeconds = Number((yield* clockGettime(this.#p, CLOCK_REALTIME)) / 1_000_000_000n);
      if (!this.#o.has('numeric-uid-gid')) {
        this.#users = yield* userNames(this.#p);
        this.#groups = yield* groups(this.#p);
      }
    }
    const files: Entry[] = [];
    const directories: string[] = [];
    for (const path of operands.length === 0 ? ['.'] : operands) {
      // A link named on the command line is followed, except in the long format.
      const follow = !this.#style.isLong && !this.#o.has('directory');
      const followed = follow ? yield* stat(this.#p, path) : undefined;
      const status = typeof followed === 'object' ? followed : yield* lstat(this.#p, path);
      if (typeof status === 'number') {
        yield* this.#p.error(`cannot access '${path}': ${strerror(status)}`);
        this.#status = 2;
      } else if (isDirectory(status.mode) && !this.#o.has('directory')) directories.push(path);
      else files.push(yield* this.#entry(path, path));
    }
    if (files.length > 0) yield* this.#list(this.#sort(files));
    const titles = operands.length > 1 || this.#o.has('recursive');
    for (const path of this.#sortPaths(directories)) yield* this.#directory(path, titles);
    return this.#status;
  }

  *#directory(path: string, title: boolean): UserFlow<void> {
    const listed = yield* listNames(this.#p, path);
    if (typeof listed === 'number') {
      yield* this.#p.error(`cannot open directory '${path}': ${strerror(listed)}`);
      this.#status = Math.max(this.#status, path === '.' ? 2 : 1);
      return;
    }
    let names = listed;
    if (this.#o.has('all')) names = ['.', '..', ...names];
    else if (!this.#o.has('almost-all')) names = names.filter((name) => !name.startsWith('.'));
    const entries: Entry[] = [];
    for (const name of names) {
      entries.push(yield* this.#entry(name, `${path.replace(/\/$/, '')}/${name}`));
    }
    if (title) yield* this.#p.print(`${this.#printed ? '\n' : ''}${path}:\n`);
    else if (this.#printed) yield* this.#p.print('\n');
    this.#printed = true;
    const sorted = this.#sort(entries);
    if (this.#style.isLong) {
      const blocks = entries.reduce((sum, entry) => sum + (entry.stat?.blocks ?? 0), 0);
      yield* this.#p.println(`total ${this.#size(blocks * 512, Math.ceil(blocks / 2))}`);
    }
    yield* this.#list(sorted);
    if (!this.#o.has('recursive')) return;
    for (const entry of sorted) {
      const isDir = entry.stat && isDirectory(entry.stat.mode);
      if (isDir && entry.name !== '.' && entry.name !== '..') {
        yield* this.#directory(entry.path, true);
      }
    }
  }

  *#entry(name: string, path: string): UserFlow<Entry> {
    const o = this.#o;
    const { isLong, isColored } = this.#style;
    const needsStat =
      isLong || isColored || ['S', 't', 'classify', 'inode', 'recursive'].some((x) => o.has(x));
    if (!needsStat) return { name, path, stat: undefined };
    const status = yield* lstat(this.#p, path);
    if (typeof status === 'number') return { name, path, stat: undefined };
    if (!isLong || !isSymlink(status.mode)) return { name, path, stat: status };
    const target = yield* readlink(this.#p, path);
    return { name, path, stat: status, ...(typeof target === 'string' ? { target } : {}) };
  }

  #sort(entries: readonly Entry[]): Entry[] {
    const o = this.#o;
    const sorted = [...entries];
    const time = (entry: Entry): number =>
      (entry.stat?.mtimeSec ?? 0) * 1e9 + (entry.stat?.mtimeNsec ?? 0);
    if (!o.has('U')) sorted.sort((a, b) => byName(a.name, b.name));
    if (o.has('S')) sorted.sort((a, b) => (b.stat?.size ?? 0) - (a.stat?.size ?? 0));
    if (o.has('t')) sorted.sort((a, b) => time(b) - time(a));
    return o.has('reverse') ? sorted.reverse() : sorted;
  }

  #sortPaths(paths: readonly string[]): string[] {
    const sorted = [...paths].sort(byName);
    return this.#o.has('reverse') ? sorted.reverse() : sorted;
  }

  *#list(entries: readonly Entry[]): UserFlow<void> {
    this.#printed = true;
    const inode = (entry: Entry): string =>
      this.#o.has('inode') ? `${entry.stat?.ino ?? '?'} ` : '';
    if (this.#style.isLong) {
      for (const line of this.#longLines(entries)) yield* this.#p.println(line);
      return;
    }
    if (!this.#style.inColumns) {
      for (const entry of entries) yield* this.#p.println(inode(entry) + this.#shown(entry));
      return;
    }
    const plain = entries.map((entry) => inode(entry) + entry.name + this.#indicator(entry));
    const lines = columns(
      plain,
      this.#style.columnsWide,
      (index) => inode(entries[index]!) + this.#shown(entries[index]!),
    );
    for (const line of lines) yield* this.#p.println(line);
  }

  #longLines(entries: readonly Entry[]): string[] {
    const rows = entries.map((entry) => {
      const status = entry.stat;
      if (!status) return ['??????????', '?', '?', '?', '?', '?', entry.name];
      const isDevice = [0o020000, 0o060000].includes(status.mode & 0o170000);
      const cells = [
        modeString(status.mode),
        String(status.nlink),
        this.#users.get(status.uid) ?? String(status.uid),
        this.#groups.get(status.gid) ?? String(status.gid),
        isDevice ? deviceNumbers(status.rdev) : this.#size(status.size, status.size),
        this.#date(status.mtimeSec),
        this.#shown(entry) + (entry.target === undefined ? '' : ` -> ${entry.target}`),
      ];
      return this.#o.has('inode') ? [String(status.ino), ...cells] : cells;
    });
    const shift = this.#o.has('inode') ? 1 : 0;
    return table(rows, (column) => [1 + shift, 4 + shift].includes(column) || column < shift);
  }

  #size(bytes: number, plain: number): string {
    return this.#o.has('human-readable') ? humanSize(bytes) : String(plain);
  }

  #date(seconds: number): string {
    const age = this.#nowSeconds - seconds;
    return strftime(age >= 0 && age < RECENT_SECONDS ? '%b %e %H:%M' : '%b %e  %Y', seconds);
  }

  #shown(entry: Entry): string {
    const code = this.#style.isColored && entry.stat ? colorOf(entry.stat.mode, entry.name) : '';
    const name = code === '' ? entry.name : `\x1b[0m\x1b[${code}m${entry.name}\x1b[0m`;
    return name + this.#indicator(entry);
  }

  #indicator(entry: Entry): string {
    if (!this.#o.has('classify') || !entry.stat) return '';
    const { mode } = entry.stat;
    const marks: Record<number, string> = {
      0o040000: '/',
      0o120000: '@',
      0o010000: '|',
      0o140000: '=',
    };
    return marks[mode & 0o170000] ?? (mode & 0o111 ? '*' : '');
  }
}

/** As in the C locale of a terminal user: dots and case do not matter much, bytes decide ties. */
function byName(a: string, b: string): number {
  return byBytes(a, b);
}

function deviceNumbers(rdev: number): string {
  const major = Math.floor(rdev / 256) % 4096;
  const minor = (rdev % 256) + Math.floor(rdev / 2 ** 20) * 256;
  return `${major}, ${String(minor).padStart(3)}`;
}

/** The defaults of dircolors(1) that depend on the type alone. */
function colorOf(mode: number, _name: string): string {
  switch (mode & 0o170000) {
    case 0o040000:
      if ((mode & 0o1002) === 0o1002) return '30;42';
      if (mode & 0o002) return '34;42';
      return '01;34';
    case 0o120000:
      return '01;36';
    case 0o020000:
    case 0o060000:
      return '40;33;01';
    case 0o010000:
      return '40;33';
    case 0o140000:
      return '01;35';
    default:
      return mode & 0o111 ? '01;32' : '';
  }
}
