/** chown(1), chgrp(1), cmp(1), du(1). */
import type { UserFlow } from '../../kernel/syscall/abi.ts';
import { isDirectory, isSymlink, listNames } from '../libc/directory.ts';
import { chown as changeOwner, lstat, readFile, stat } from '../libc/files.ts';
import { humanSize } from '../libc/format.ts';
import { getopt, usageError, type Option, type Options } from '../libc/getopt.ts';
import { parseSize } from '../libc/numbers.ts';
import type { Process, Tool } from '../libc/process.ts';
import { strerror } from '../libc/strerror.ts';
import { accounts, groups } from '../libc/system.ts';

/** -1: leave it as it is (chown(2)). */
const UNCHANGED = 0xffffffff;

const OWNER_OPTIONS: readonly Option[] = [
  { short: 'c', long: 'changes', help: 'like verbose but report only when a change is made' },
  { short: 'f', long: 'silent', help: 'suppress most error messages' },
  {
    short: 'h',
    long: 'no-dereference',
    help: 'affect symbolic links instead of any referenced file',
  },
  { short: 'R', long: 'recursive', help: 'operate on files and directories recursively' },
  { long: 'reference', arg: 'RFILE', help: "use RFILE's owner and group" },
  { short: 'v', long: 'verbose', help: 'output a diagnostic for every file processed' },
];

interface Owner {
  readonly uid: number;
  readonly gid: number;
}

function* lookUpUser(p: Process, text: string): UserFlow<number | undefined> {
  const found = (yield* accounts(p)).find(({ name }) => name === text)?.uid;
  return found ?? (/^\d+$/.test(text) ? Number(text) : undefined);
}

function* lookUpGroup(p: Process, text: string): UserFlow<number | undefined> {
  const found = [...(yield* groups(p))].find(([, name]) => name === text)?.[0];
  return found ?? (/^\d+$/.test(text) ? Number(text) : undefined);
}

export const chown: Tool = function* (p, args) {
  const o = yield* getopt(p, args, {
    usage: '[OPTION]... [OWNER][:[GROUP]] FILE...',
    about: 'Change the owner and/or group of each FILE to OWNER and/or GROUP.',
    options: OWNER_OPTIONS,
  });
  return yield* setOwners(p, o, function* (text) {
    const [user = '', group] = text.split(/[:.]/);
    const uid = user === '' ? UNCHANGED : yield* lookUpUser(p, user);
    if (uid === undefined) return `invalid user: '${text}'`;
    const gid = !group ? UNCHANGED : yield* lookUpGroup(p, group);
    return gid === undefined ? `invalid group: '${text}'` : { uid, gid };
  });
};

export const chgrp: Tool = function* (p, args) {
  const o = yield* getopt(p, args, {
    usage: '[OPTION]... GROUP FILE...',
    about: 'Change the group of each FILE to GROUP.',
    options: OWNER_OPTIONS,
  });
  return yield* setOwners(p, o, function* (text) {
    const gid = yield* lookUpGroup(p, text);
    return gid === undefined ? `invalid group: '${text}'` : { uid: UNCHANGED, gid };
  });
};

function* setOwners(
  p: Process,
  o: Options,
  parse: (text: string) => UserFlow<Owner | string>,
): UserFlow<number> {
  const operands = [...o.operands];
  const reference = o.value('reference');
  let owner: Owner | string;
  if (reference !== undefined) {
    const info = yield* stat(p, reference);
    owner =
      typeof info === 'number'
        ? `failed to get attributes of '${reference}': ${strerror(info)}`
        : { uid: info.uid, gid: info.gid };
  } else {
    const who = operands.shift();
    if (who === undefined) return yield* usageError(p, 'missing operand');
    if (operands.length === 0) return yield* usageError(p, `missing operand after '${who}'`);
    owner = yield* parse(who);
  }
  if (typeof owner === 'string') {
    yield* p.error(owner);
    return 1;
  }
  let status = 0;
  for (const path of operands) status = (yield* setOwner(p, path, owner, o)) || status;
  return status;
}

function* setOwner(p: Process, path: string, owner: Owner, o: Options): UserFlow<number> {
  const recursive = o.has('recursive');
  const follow = !recursive && !o.has('no-dereference');
  const failed = yield* changeOwner(p, path, owner.uid, owner.gid, follow);
  if (failed < 0) {
    if (!o.has('silent')) yield* p.error(`cannot access '${path}': ${strerror(failed)}`);
    return 1;
  }
  if (o.has('verbose')) yield* p.println(`changed ownership of '${path}'`);
  const info = recursive ? yield* lstat(p, path) : 0;
  if (typeof info === 'number' || !isDirectory(info.mode)) return 0;
  const names = yield* listNames(p, path);
  let status = 0;
  for (const name of typeof names === 'number' ? [] : names) {
    status = (yield* setOwner(p, `${path.replace(/\/+$/, '')}/${name}`, owner, o)) || status;
  }
  return status;
}

export const cmp: Tool = function* (p, args) {
  const o = yield* getopt(p, args, {
    usage: '[OPTION]... FILE1 [FILE2 [SKIP1 [SKIP2]]]',
    about: 'Compare two files byte by byte.',
    badUsage: 2,
    options: [
      { short: 'b', long: 'print-bytes', help: 'print differing bytes' },
      {
        short: 'i',
        long: 'ignore-initial',
        arg: 'SKIP',
        help: 'skip first SKIP bytes of both inputs',
      },
      { short: 'l', long: 'verbose', help: 'output byte numbers and differing byte values' },
      { short: 'n', long: 'bytes', arg: 'LIMIT', help: 'compare at most LIMIT bytes' },
      { short: 's', long: 'quiet', help: 'suppress all normal output' },
      { long: 'silent', help: 'the same as --quiet' },
    ],
  });
  const [first, second = '-', skip1, skip2, extra] = o.operands;
  if (first === undefined) return yield* usageError(p, `missing operand after '${p.name}'`, 2);
  if (extra !== undefined) return yield* usageError(p, `extra operand '${extra}'`, 2);
  const quiet = o.has('quiet') || o.has('silent');
  const skips = (o.value('ignore-initial') ?? '0').split(':');
  const limit = parseSize(o.value('bytes') ?? String(2 ** 40)) ?? Infinity;
  const contents: Uint8Array[] = [];
  for (const [index, path] of [first, second].entries()) {
    const bytes = path === '-' ? yield* p.stdin.readAll() : yield* readFile(p, path);
    if (typeof bytes === 'number') {
      if (!quiet) yield* p.error(`${path}: ${strerror(bytes)}`);
      return 2;
    }
    const skip = parseSize((index === 0 ? skip1 : skip2) ?? skips[index] ?? skips[0]!) ?? 0;
    contents.push(bytes.subarray(skip, skip + limit));
  }
  const [a, b] = contents as [Uint8Array, Uint8Array];
  const shared = Math.min(a.length, b.length);
  const width = String(Math.max(a.length, b.length)).length;
  const octal = (byte: number): string => byte.toString(8).padStart(3);
  const shown = (byte: number): string => {
    const char =
      byte >= 32 && byte < 127
        ? String.fromCharCode(byte)
        : byte < 32
          ? `^${String.fromCharCode(byte + 64)}`
          : `M-${byte}`;
    return `${octal(byte)} ${char}`;
  };
  let line = 1;
  let status = 0;
  for (let at = 0; at < shared; at++) {
    if (a[at] !== b[at]) {
      status = 1;
      if (quiet) return 1;
      if (!o.has('verbose')) {
        const bytes = o.has('print-bytes') ? ` is ${shown(a[at]!)} ${shown(b[at]!)}` : '';
        yield* p.println(`${first} ${second} differ: byte ${at + 1}, line ${line}${bytes}`);
        return 1;
      }
      yield* p.println(`${String(at + 1).padStart(width)} ${octal(a[at]!)} ${octal(b[at]!)}`);
    }
    if (a[at] === 10) line++;
  }
  if (a.length === b.length) return status;
  const [shorter, name] = a.length < b.length ? [a, first] : [b, second];
  if (!quiet) {
    const where =
      shorter.length === 0
        ? 'which is empty'
        : o.has('verbose')
          ? `after byte ${shorter.length}`
          : `after byte ${shorter.length}, ${shorter.at(-1) === 10 ? 'line' : 'in line'} ${shorter.at(-1) === 10 ? line - 1 : line}`;
    yield* p.error(`EOF on ${name} ${where}`);
  }
  return 1;
};

export const du: Tool = function* (p, args) {
  const o = yield* getopt(p, args, {
    usage: '[OPTION]... [FILE]...',
    about: 'Summarize device usage of the set of FILEs, recursively for directories.',
    options: [
      { short: '0', long: 'null', help: 'end each output line with NUL, not newline' },
      { short: 'a', long: 'all', help: 'write counts for all files, not just directories' },
      { long: 'apparent-size', help: 'print apparent sizes rather than device usage' },
      { short: 'b', long: 'bytes', help: "equivalent to '--apparent-size --block-size=1'" },
      { short: 'c', long: 'total', help: 'produce a grand total' },
      {
        short: 'd',
        long: 'max-depth',
        arg: 'N',
        help: 'print the total for a directory only if it is N or fewer levels below',
      },
      { short: 'h', long: 'human-readable', help: 'print sizes in human readable format' },
      { short: 'k', help: 'like --block-size=1K' },
      { short: 'L', long: 'dereference', help: 'dereference all symbolic links' },
      { short: 'm', help: 'like --block-size=1M' },
      { short: 's', long: 'summarize', help: 'display only a total for each argument' },
      {
        short: 'S',
        long: 'separate-dirs',
        help: 'for directories do not include size of subdirectories',
      },
      { short: 'x', long: 'one-file-system', help: 'skip directories on different file systems' },
    ],
  });
  const counter = new Counter(p, o);
  let status = 0;
  let total = 0;
  for (const path of o.operands.length === 0 ? ['.'] : o.operands) {
    const bytes = yield* counter.usage(path, 0, undefined);
    if (bytes === undefined) status = 1;
    total += bytes ?? 0;
  }
  if (o.has('total')) yield* counter.print(total, 'total');
  return status || counter.status;
};

class Counter {
  status = 0;
  readonly #p: Process;
  readonly #o: Options;
  /** Files with several names count once. */
  readonly #seen = new Set<string>();

  constructor(p: Process, o: Options) {
    this.#p = p;
    this.#o = o;
  }

  *print(bytes: number, name: string): UserFlow<void> {
    const o = this.#o;
    const unit = o.has('bytes') ? 1 : o.has('m') ? 1 << 20 : 1024;
    const size = o.has('human-readable') ? humanSize(bytes) : String(Math.ceil(bytes / unit));
    yield* this.#p.print(`${size}\t${name}${o.has('null') ? '\0' : '\n'}`);
  }

  /** Bytes at and below `path`; undefined where it cannot be seen. */
  *usage(path: string, depth: number, device: number | undefined): UserFlow<number | undefined> {
    const o = this.#o;
    const p = this.#p;
    const followed = o.has('dereference') ? yield* stat(p, path) : undefined;
    const info = typeof followed === 'object' ? followed : yield* lstat(p, path);
    if (typeof info === 'number') {
      yield* p.error(`cannot access '${path}': ${strerror(info)}`);
      return undefined;
    }
    if (o.has('one-file-system') && device !== undefined && info.dev !== device) return 0;
    const key = `${info.dev}:${info.ino}`;
    const isDir = isDirectory(info.mode) && !isSymlink(info.mode);
    if ((info.nlink > 1 || isDir) && this.#seen.has(key)) return 0;
    this.#seen.add(key);
    const isApparent = o.has('apparent-size') || o.has('bytes');
    const own = isApparent ? info.size : info.blocks * 512;
    let below = 0;
    let nested = 0;
    if (isDir) {
      const names = yield* listNames(p, path);
      if (typeof names === 'number') {
        yield* p.error(`cannot read directory '${path}': ${strerror(names)}`);
        this.status = 1;
      }
      for (const name of typeof names === 'number' ? [] : names) {
        const child = `${path.replace(/\/+$/, '')}/${name}`;
        const bytes = (yield* this.usage(child, depth + 1, device ?? info.dev)) ?? 0;
        below += bytes;
        const childInfo = o.has('separate-dirs') ? yield* lstat(p, child) : 0;
        if (typeof childInfo !== 'number' && isDirectory(childInfo.mode)) nested += bytes;
      }
    }
    const most = o.has('summarize') ? 0 : Number(o.value('max-depth') ?? Infinity);
    const isShown = depth <= most && (depth === 0 || isDir || o.has('all'));
    if (isShown) yield* this.print(own + below - nested, path);
    return own + below;
  }
}
