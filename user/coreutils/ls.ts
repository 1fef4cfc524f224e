/** ls(1): options, and the gathering and sorting of entries; `ls-format.ts` lays them out. */
import type { UserFlow } from '../../kernel/syscall/abi.ts';
import { byBytes, inDirectory, isDirectory, isSymlink } from '../libc/directory.ts';
import { lstat, readlink, stat, type Stat } from '../libc/files.ts';
import { getopt, type Option, type Options } from '../libc/getopt.ts';
import type { Process, Tool } from '../libc/process.ts';
import { strerror } from '../libc/strerror.ts';
import { windowSize } from '../libc/terminal.ts';
import { matchPattern } from '../sh/pattern.ts';
import { formatterFor, quoteForMessage, type Entry, type Formatter } from './ls-format.ts';
import { compareVersions } from './sort-keys.ts';

const OPTIONS: readonly Option[] = [
  { short: 'a', long: 'all', help: 'do not ignore entries starting with .' },
  { short: 'A', long: 'almost-all', help: 'do not list implied . and ..' },
  { long: 'author', help: 'with -l, print the author of each file' },
  { short: 'b', long: 'escape', help: 'print C-style escapes for nongraphic characters' },
  { short: 'B', long: 'ignore-backups', help: 'do not list implied entries ending with ~' },
  { short: 'c', help: 'with -lt: sort by, and show, ctime; else sort by ctime' },
  { short: 'C', help: 'list entries by columns' },
  {
    long: 'color',
    arg: 'WHEN',
    optional: true,
    help: "colour the output: 'always', 'auto', 'never'",
  },
  { short: 'd', long: 'directory', help: 'list directories themselves, not their contents' },
  { short: 'f', help: 'list all entries in directory order' },
  {
    short: 'F',
    long: 'classify',
    arg: 'WHEN',
    optional: true,
    help: 'append indicator (one of */=>@|) to entries',
  },
  { long: 'file-type', help: "likewise, except do not append '*'" },
  {
    long: 'format',
    arg: 'WORD',
    help: 'across -x, commas -m, long -l, single-column -1, vertical -C',
  },
  { long: 'full-time', help: 'like -l --time-style=full-iso' },
  { short: 'g', help: 'like -l, but do not list owner' },
  { long: 'group-directories-first', help: 'group directories before files' },
  { short: 'G', long: 'no-group', help: "in a long listing, don't print group names" },
  { short: 'h', long: 'human-readable', help: 'with -l and -s, print sizes like 1K 234M 2G' },
  { long: 'si', help: 'likewise, but use powers of 1000 not 1024' },
  {
    short: 'H',
    long: 'dereference-command-line',
    help: 'follow symbolic links on the command line',
  },
  { long: 'hide', arg: 'PATTERN', help: 'do not list implied entries matching shell PATTERN' },
  {
    long: 'indicator-style',
    arg: 'WORD',
    help: 'append indicator: none, slash, file-type, classify',
  },
  { short: 'i', long: 'inode', help: 'print the index number of each file' },
  {
    short: 'I',
    long: 'ignore',
    arg: 'PATTERN',
    help: 'do not list implied entries matching shell PATTERN',
  },
  { short: 'k', long: 'kibibytes', help: '(default)' },
  { short: 'l', help: 'use a long listing format' },
  {
    short: 'L',
    long: 'dereference',
    help: 'show information for the file a symbolic link refers to',
  },
  { short: 'm', help: 'fill width with a comma separated list of entries' },
  { short: 'n', long: 'numeric-uid-gid', help: 'like -l, but list numeric user and group IDs' },
  { short: 'N', long: 'literal', help: 'print entry names without quoting' },
  { short: 'o', help: 'like -l, but do not list group information' },
  { short: 'p', help: 'append / indicator to directories' },
  { short: 'q', long: 'hide-control-chars', help: 'print ? instead of nongraphic characters' },
  { long: 'show-control-chars', help: 'show nongraphic characters as-is' },
  { short: 'Q', long: 'quote-name', help: 'enclose entry names in double quotes' },
  {
    long: 'quoting-style',
    arg: 'WORD',
    help: 'literal, shell, shell-always, shell-escape, c, escape',
  },
  { short: 'r', long: 'reverse', help: 'reverse order while sorting' },
  { short: 'R', long: 'recursive', help: 'list subdirectories recursively' },
  { short: 's', long: 'size', help: 'print the allocated size of each file, in blocks' },
  { short: 'S', help: 'sort by file size, largest first' },
  { long: 'sort', arg: 'WORD', help: 'sort by WORD: none, size, time, version, extension, width' },
  { long: 'time', arg: 'WORD', help: 'show time as atime, access, use, ctime, status, birth' },
  { long: 'time-style', arg: 'STYLE', help: 'full-iso, long-iso, iso, locale, or +FORMAT' },
  { short: 't', help: 'sort by time, newest first' },
  { short: 'T', long: 'tabsize', arg: 'COLS', help: '(ignored)' },
  { short: 'u', help: 'with -lt: sort by, and show, access time; else sort by it' },
  { short: 'U', help: 'do not sort; list entries in directory order' },
  { short: 'v', help: 'natural sort of (version) numbers within text' },
  { short: 'w', long: 'width', arg: 'COLS', help: 'set output width to COLS; 0 means no limit' },
  { short: 'x', help: 'list entries by lines instead of by columns' },
  { short: 'X', help: 'sort alphabetically by entry extension' },
  { short: 'Z', long: 'context', help: '(ignored)' },
  { long: 'zero', help: 'end each output line with NUL, not newline' },
  { short: '1', help: 'list one file per line' },
];

export const ls: Tool = function* (p, args) {
  const o = yield* getopt(p, args, {
    usage: '[OPTION]... [FILE]...',
    about: 'List information about the FILEs (the current directory by default).',
    badUsage: 2,
    options: OPTIONS,
    more: 'Exit status: 0 if OK, 1 if minor problems, 2 if serious trouble.',
  });
  const width = o.value('width');
  if (width !== undefined && !/^\d+$/.test(width)) {
    yield* p.error(`invalid line width: '${width}'`);
    return 2;
  }
  const size = yield* windowSize(p, 1);
  const environment = Number(p.env.get('COLUMNS') ?? 0);
  const formatter = yield* formatterFor(p, o, {
    isTerminal: size !== undefined,
    columnsWide:
      width === undefined ? size?.columns || environment || 80 : Number(width) || Infinity,
  });
  const lister = new Lister(p, o, formatter);
  return yield* lister.run(o.operands);
};

class Lister {
  readonly #p: Process;
  readonly #o: Options;
  readonly #formatter: Formatter;
  #status = 0;
  #printed = false;

  constructor(p: Process, o: Options, formatter: Formatter) {
    this.#p = p;
    this.#o = o;
    this.#formatter = formatter;
  }

  *run(operands: readonly string[]): UserFlow<number> {
    const files: Entry[] = [];
    const directories: Entry[] = [];
    const { isLong, classifies } = this.#formatter;
    const lists = !this.#o.has('directory');
    for (const path of operands.length === 0 ? ['.'] : operands) {
      // A link named on the command line is followed, except where it would be shown as such.
      const follows =
        this.#o.has('dereference') ||
        this.#o.has('dereference-command-line') ||
        (!isLong && !classifies && lists);
      const followed = follows ? yield* stat(this.#p, path) : undefined;
      const status = typeof followed === 'object' ? followed : yield* lstat(this.#p, path);
      if (typeof status === 'number') {
        yield* this.#p.error(`cannot access '${path}': ${strerror(status)}`);
        this.#status = 2;
      } else {
        const entry = { name: path, path, ...(yield* this.#details(path, status)) };
        (isDirectory(status.mode) && lists ? directories : files).push(entry);
      }
    }
    if (files.length > 0) {
      yield* this.#formatter.print(this.#sort(files));
      this.#printed = true;
    }
    const titles = operands.length > 1 || this.#o.has('recursive');
    for (const { path } of this.#sort(directories)) yield* this.#directory(path, titles);
    return this.#status;
  }

  *#directory(path: string, title: boolean): UserFlow<void> {
    const entries = yield* inDirectory(this.#p, path, (found) =>
      this.#gather(
        path,
        found.map(({ name }) => name),
      ),
    );
    if (typeof entries === 'number') {
      yield* this.#p.error(`cannot open directory '${path}': ${strerror(entries)}`);
      this.#status = Math.max(this.#status, title ? 1 : 2);
      return;
    }
    if (title) {
      const shown = this.#formatter.title(path);
      yield* this.#p.print(`${this.#printed ? '\n' : ''}${shown}:\n`);
    } else if (this.#printed) yield* this.#p.print('\n');
    this.#printed = true;
    const sorted = this.#sort(entries);
    yield* this.#formatter.total(sorted);
    yield* this.#formatter.print(sorted);
    if (!this.#o.has('recursive')) return;
    for (const entry of sorted) {
      const isDir = entry.stat && isDirectory(entry.stat.mode);
      if (isDir && entry.name !== '.' && entry.name !== '..') {
        yield* this.#directory(entry.path, true);
      }
    }
  }

  /** While the directory is open, as readdir(3) callers do it. */
  *#gather(directory: string, names: readonly string[]): UserFlow<Entry[]> {
    const o = this.#o;
    const all = o.has('all') || o.has('f');
    const hidden = o.values('ignore');
    const alsoHidden = all || o.has('almost-all') ? [] : o.values('hide');
    const entries: Entry[] = [];
    for (const name of names) {
      if ((name === '.' || name === '..') && !all) continue;
      if (name.startsWith('.') && !all && !o.has('almost-all')) continue;
      if (o.has('ignore-backups') && name.endsWith('~')) continue;
      if ([...hidden, ...alsoHidden].some((pattern) => matchPattern(pattern, name))) continue;
      const path = `${directory.replace(/\/$/, '')}/${name}`;
      entries.push(yield* this.#entry(name, path));
    }
    return entries;
  }

  *#entry(name: string, path: string): UserFlow<Entry> {
    const o = this.#o;
    const sorts = ['S', 't', 'sort', 'group-directories-first', 'recursive'];
    if (!this.#formatter.needsStat && !sorts.some((option) => o.has(option))) {
      return { name, path, stat: undefined };
    }
    const followed = o.has('dereference') ? yield* stat(this.#p, path) : undefined;
    const status = typeof followed === 'object' ? followed : yield* lstat(this.#p, path);
    if (typeof status === 'number') {
      yield* this.#p.error(`cannot access ${quoteForMessage(path)}: ${strerror(status)}`);
      this.#status = Math.max(this.#status, 1);
      return { name, path, stat: undefined };
    }
    return { name, path, ...(yield* this.#details(path, status)) };
  }

  *#details(path: string, status: Stat): UserFlow<Omit<Entry, 'name' | 'path'>> {
    if (!this.#formatter.followsLinks || !isSymlink(status.mode)) return { stat: status };
    const target = yield* readlink(this.#p, path);
    const leadsTo = yield* stat(this.#p, path);
    return {
      stat: status,
      ...(typeof target === 'string' ? { target } : {}),
      ...(typeof leadsTo === 'number' ? { isOrphan: true } : { targetStat: leadsTo }),
    };
  }

  #sort(entries: readonly Entry[]): Entry[] {
    const o = this.#o;
    const word = o.value('sort');
    if (o.has('U') || o.has('f') || word === 'none') return [...entries];
    const sorted = [...entries];
    const time = (entry: Entry): number => (entry.stat ? this.#formatter.timeNs(entry.stat) : 0);
    const extension = (entry: Entry): string => /\.[^.]*$/.exec(entry.name)?.[0] ?? '';
    const byTime =
      o.has('t') || word === 'time' || ((o.has('c') || o.has('u')) && !this.#formatter.isLong);
    const compare = (a: Entry, b: Entry): number => {
      const byName = byBytes(a.name, b.name);
      if (o.has('S') || word === 'size') return (b.stat?.size ?? 0) - (a.stat?.size ?? 0) || byName;
      if (byTime) return time(b) - time(a) || byName;
      if (o.has('v') || word === 'version') return compareVersions(a.name, b.name) || byName;
      if (o.has('X') || word === 'extension') return byBytes(extension(a), extension(b)) || byName;
      if (word === 'width') return a.name.length - b.name.length || byName;
      return byName;
    };
    sorted.sort(compare);
    if (o.has('reverse')) sorted.reverse();
    if (!o.has('group-directories-first')) return sorted;
    const isDir = (entry: Entry): boolean =>
      entry.stat !== undefined && isDirectory((entry.targetStat ?? entry.stat).mode);
    return [...sorted.filter(isDir), ...sorted.filter((entry) => !isDir(entry))];
  }
}
