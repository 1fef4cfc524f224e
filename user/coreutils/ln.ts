/** ln(1), link(1), readlink(1), realpath(1). */
import type { UserFlow } from '../../kernel/syscall/abi.ts';
import { errno } from '../../kernel/types/errno.ts';
import { isDirectory, isSymlink } from '../libc/directory.ts';
import {
  getcwd,
  link as hardLink,
  lstat,
  readlink as readLink,
  rename,
  stat,
  symlink,
  unlink,
} from '../libc/files.ts';
import { getopt, usageError } from '../libc/getopt.ts';
import { basename, dirname, type Process, type Tool } from '../libc/process.ts';
import { strerror } from '../libc/strerror.ts';
import type { Job } from './destination.ts';
import { backupSuffix, DESTINATION_OPTIONS } from './destination.ts';

export const ln: Tool = function* (p, args) {
  const o = yield* getopt(p, args, {
    usage: '[OPTION]... TARGET [LINK_NAME]\n   or: ln [OPTION]... TARGET... DIRECTORY',
    about: 'Create a link to TARGET with the name LINK_NAME, or links in DIRECTORY.',
    options: [
      { short: 's', long: 'symbolic', help: 'make symbolic links instead of hard links' },
      { short: 'f', long: 'force', help: 'remove existing destination files' },
      { short: 'i', long: 'interactive', help: 'prompt whether to remove destinations' },
      { short: 'L', long: 'logical', help: 'dereference TARGETs that are symbolic links' },
      {
        short: 'n',
        long: 'no-dereference',
        help: 'treat LINK_NAME as a normal file if it is a link',
      },
      { short: 'P', long: 'physical', help: 'make hard links directly to symbolic links' },
      { short: 'r', long: 'relative', help: 'with -s, create links relative to link location' },
      { short: 'v', long: 'verbose', help: 'print name of each linked file' },
      ...DESTINATION_OPTIONS,
    ],
  });
  const jobs = yield* linkJobs(p, o.operands, {
    directory: o.value('target-directory'),
    plain: o.has('no-target-directory'),
    noDereference: o.has('no-dereference'),
  });
  if (!jobs) return 1;
  const symbolic = o.has('symbolic');
  const backup = backupSuffix(o);
  let status = 0;
  for (const { from, to } of jobs) {
    let target = from;
    if (!symbolic) {
      const source = yield* lstat(p, from);
      if (typeof source === 'number' || isDirectory(source.mode)) {
        const text =
          typeof source === 'number'
            ? `failed to access '${from}': ${strerror(source)}`
            : `${from}: hard link not allowed for directory`;
        yield* p.error(text);
        status = 1;
        continue;
      }
    } else if (o.has('relative')) target = yield* relativeTo(p, from, dirname(to));
    const existing = yield* lstat(p, to);
    if (typeof existing !== 'number') {
      if (backup !== undefined) yield* rename(p, to, to + backup);
      else if (o.has('interactive')) {
        yield* p.stderr.write(`${p.name}: replace '${to}'? `);
        if (!/^[yY]/.test((yield* p.stdin.readLine()) ?? '')) continue;
        yield* unlink(p, to);
      } else if (o.has('force')) yield* unlink(p, to);
    }
    const failed = yield* (symbolic ? symlink : hardLink)(p, target, to);
    if (failed < 0) {
      const kind = symbolic ? 'symbolic' : 'hard';
      const arrow = symbolic ? '' : ` => '${from}'`;
      const why = failed === -errno.EEXIST ? '' : arrow;
      yield* p.error(`failed to create ${kind} link '${to}'${why}: ${strerror(failed)}`);
      status = 1;
    } else if (o.has('verbose')) yield* p.println(`'${to}' ${symbolic ? '->' : '=>'} '${target}'`);
  }
  return status;
};

function* linkJobs(
  p: Process,
  operands: readonly string[],
  how: { directory: string | undefined; plain: boolean; noDereference: boolean },
): UserFlow<Job[] | undefined> {
  const [first] = operands;
  if (first === undefined) return yield* usageError(p, 'missing file operand');
  const into = (where: string, from: string): Job => ({
    from,
    to: `${where.replace(/\/+$/, '')}/${basename(from)}`,
  });
  if (how.directory !== undefined) return operands.map((from) => into(how.directory!, from));
  if (operands.length === 1) return [{ from: first, to: `./${basename(first)}` }];
  const last = operands.at(-1)!;
  const status = yield* (how.noDereference ? lstat : stat)(p, last);
  const isDir = !how.plain && typeof status !== 'number' && isDirectory(status.mode);
  if (isDir) return operands.slice(0, -1).map((from) => into(last, from));
  if (operands.length === 2) return [{ from: first, to: last }];
  yield* p.error(`target '${last}' is not a directory`);
  return undefined;
}

export const link: Tool = function* (p, args) {
  const o = yield* getopt(p, args, {
    usage: 'FILE1 FILE2',
    about: 'Call the link function to create a link named FILE2 to an existing FILE1.',
  });
  const [from, to, extra] = o.operands;
  if (from === undefined) return yield* usageError(p, 'missing operand');
  if (to === undefined) return yield* usageError(p, `missing operand after '${from}'`);
  if (extra !== undefined) return yield* usageError(p, `extra operand '${extra}'`);
  const failed = yield* hardLink(p, from, to);
  if (failed < 0) yield* p.error(`cannot create link '${to}' to '${from}': ${strerror(failed)}`);
  return failed < 0 ? 1 : 0;
};

export const readlink: Tool = function* (p, args) {
  const o = yield* getopt(p, args, {
    usage: '[OPTION]... FILE...',
    about: 'Print value of a symbolic link or canonical file name.',
    options: [
      { short: 'f', long: 'canonicalize', help: 'follow every link; all but the last must exist' },
      { short: 'e', long: 'canonicalize-existing', help: 'follow every link; all must exist' },
      { short: 'm', long: 'canonicalize-missing', help: 'follow every link; none need exist' },
      { short: 'n', long: 'no-newline', help: 'do not output the trailing delimiter' },
      { short: 'q', long: 'quiet', help: '(default)' },
      { short: 's', long: 'silent', help: '(default)' },
      { short: 'v', long: 'verbose', help: 'report error messages' },
      { short: 'z', long: 'zero', help: 'end each output line with NUL, not newline' },
    ],
  });
  if (o.operands.length === 0) return yield* usageError(p, 'missing operand');
  const mode = o.given.findLast(({ name }) => name.startsWith('canonicalize'))?.name;
  const end = o.has('no-newline') && o.operands.length === 1 ? '' : o.has('zero') ? '\0' : '\n';
  let status = 0;
  for (const path of o.operands) {
    const text = mode ? yield* canonical(p, path, EXISTENCE[mode]) : yield* readLink(p, path);
    if (typeof text !== 'number') yield* p.print(text + end);
    else {
      if (o.has('verbose')) yield* p.error(`${path}: ${strerror(text)}`);
      status = 1;
    }
  }
  return status;
};

/** How much of a path must exist. */
type Existence = 'all' | 'all but the last' | 'none';
const EXISTENCE: Readonly<Record<string, Existence>> = {
  canonicalize: 'all but the last',
  'canonicalize-existing': 'all',
  'canonicalize-missing': 'none',
};

/** ELOOP's limit (include/linux/namei.h, MAXSYMLINKS). */
const MAX_LINKS = 40;

/** `follows`: links are resolved, not just dots. */
export function* canonical(
  p: Process,
  path: string,
  existence: Existence = 'all but the last',
  follows = true,
): UserFlow<string | number> {
  if (path === '') return -errno.ENOENT;
  let rest = (path.startsWith('/') ? path : `${yield* getcwd(p)}/${path}`).split('/');
  let out = '';
  let links = 0;
  while (rest.length > 0) {
    const name = rest.shift()!;
    if (name === '' || name === '.') continue;
    if (name === '..') {
      out = out.slice(0, Math.max(0, out.lastIndexOf('/')));
      continue;
    }
    const isLast = rest.every((left) => left === '' || left === '.');
    const status = yield* lstat(p, `${out}/${name}`);
    if (typeof status === 'number') {
      const mayMiss = existence === 'none' || (existence === 'all but the last' && isLast);
      if (!mayMiss) return status;
    } else if (follows && isSymlink(status.mode)) {
      if (++links > MAX_LINKS) return -errno.ELOOP;
      const target = yield* readLink(p, `${out}/${name}`);
      if (typeof target === 'number') return target;
      rest = [...target.split('/'), ...rest];
      if (target.startsWith('/')) out = '';
      continue;
    } else if (
      !isLast &&
      existence !== 'none' &&
      !isDirectory(status.mode) &&
      !isSymlink(status.mode)
    ) {
      return -errno.ENOTDIR;
    }
    out += `/${name}`;
  }
  return out || '/';
}

/** The path to `path` from the directory `base`. */
function* relativeTo(p: Process, path: string, base: string): UserFlow<string> {
  const to = yield* canonical(p, path, 'none');
  const from = yield* canonical(p, base, 'none');
  if (typeof to === 'number' || typeof from === 'number') return path;
  return relativePath(from, to);
}

function relativePath(from: string, to: string): string {
  const source = from.split('/').filter((part) => part !== '');
  const target = to.split('/').filter((part) => part !== '');
  let shared = 0;
  while (shared < source.length && source[shared] === target[shared]) shared++;
  const parts = [...source.slice(shared).map(() => '..'), ...target.slice(shared)];
  return parts.join('/') || '.';
}

export const realpath: Tool = function* (p, args) {
  const o = yield* getopt(p, args, {
    usage: '[OPTION]... FILE...',
    about: 'Print the resolved absolute file name.',
    options: [
      { short: 'e', long: 'canonicalize-existing', help: 'all components of the path must exist' },
      { short: 'm', long: 'canonicalize-missing', help: 'no path components need exist' },
      { short: 'L', long: 'logical', help: "resolve '..' components before symlinks" },
      { short: 'P', long: 'physical', help: 'resolve symlinks as encountered (default)' },
      { short: 'q', long: 'quiet', help: 'suppress most error messages' },
      { long: 'relative-to', arg: 'DIR', help: 'print the resolved path relative to DIR' },
      { long: 'relative-base', arg: 'DIR', help: 'print absolute paths unless paths below DIR' },
      { short: 's', long: 'strip', help: "don't expand symlinks" },
      { long: 'no-symlinks', help: 'the same as -s' },
      { short: 'z', long: 'zero', help: 'end each output line with NUL, not newline' },
    ],
  });
  if (o.operands.length === 0) return yield* usageError(p, 'missing operand');
  const existence = o.has('canonicalize-existing')
    ? 'all'
    : o.has('canonicalize-missing')
      ? 'none'
      : 'all but the last';
  const follows = !o.has('strip') && !o.has('no-symlinks');
  const base = o.value('relative-to') ?? o.value('relative-base');
  const from = base === undefined ? undefined : yield* canonical(p, base, existence, follows);
  let status = 0;
  for (const path of o.operands) {
    const text = yield* canonical(p, path, existence, follows);
    if (typeof text === 'number') {
      if (!o.has('quiet')) yield* p.error(`${path}: ${strerror(text)}`);
      status = 1;
      continue;
    }
    const isBelow = typeof from === 'string' && (text === from || text.startsWith(`${from}/`));
    const isRelative = typeof from === 'string' && (o.has('relative-to') || isBelow);
    yield* p.print((isRelative ? relativePath(from, text) : text) + (o.has('zero') ? '\0' : '\n'));
  }
  return status;
};
