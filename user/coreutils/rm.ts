/** rm(1), unlink(1). */
import type { UserFlow } from '../../kernel/syscall/abi.ts';
import { errno } from '../../kernel/types/errno.ts';
import { isDirectory, listNames } from '../libc/directory.ts';
import { lstat, rmdir, unlink as unlinkFile } from '../libc/files.ts';
import { getopt, usageError, type Options } from '../libc/getopt.ts';
import { basename, type Process, type Tool } from '../libc/process.ts';
import { strerror } from '../libc/strerror.ts';

export const rm: Tool = function* (p, args) {
  const o = yield* getopt(p, args, {
    usage: '[OPTION]... [FILE]...',
    about: 'Remove (unlink) the FILE(s).',
    options: [
      { short: 'f', long: 'force', help: 'ignore nonexistent files and arguments, never prompt' },
      { short: 'i', help: 'prompt before every removal' },
      { short: 'I', help: 'prompt once before removing more than three files, or recursively' },
      {
        long: 'interactive',
        arg: 'WHEN',
        optional: true,
        help: 'prompt never, once (-I), or always (-i)',
      },
      { long: 'one-file-system', help: '(accepted)' },
      { long: 'preserve-root', help: "do not remove '/' (default)" },
      { long: 'no-preserve-root', help: '(ignored)' },
      { short: 'r', long: 'recursive', help: 'remove directories and their contents recursively' },
      { short: 'R', help: 'the same as -r' },
      { short: 'd', long: 'dir', help: 'remove empty directories' },
      { short: 'v', long: 'verbose', help: 'explain what is being done' },
    ],
  });
  const { operands } = o;
  if (operands.length === 0) {
    return o.has('force') ? 0 : yield* usageError(p, 'missing operand');
  }
  const recursive = o.has('recursive') || o.has('R');
  const asksOnce = o.has('I') || o.value('interactive') === 'once';
  if (asksOnce && (operands.length > 3 || recursive)) {
    const count = operands.length;
    const what = `${count} argument${count === 1 ? '' : 's'}${recursive ? ' recursively' : ''}`;
    yield* p.stderr.write(`${p.name}: remove ${what}? `);
    if (!/^[yY]/.test((yield* p.stdin.readLine()) ?? '')) return 0;
  }
  let status = 0;
  for (const path of operands) {
    if (recursive && /^\/+$/.test(path)) {
      yield* p.error("it is dangerous to operate recursively on '/'");
      status = 1;
    } else if (recursive && ['.', '..'].includes(basename(path))) {
      yield* p.error(`refusing to remove '.' or '..' directory: skipping '${path}'`);
      status = 1;
    } else status = (yield* remove(p, path, o)) || status;
  }
  return status;
};

function* remove(p: Process, path: string, o: Options): UserFlow<number> {
  const status = yield* lstat(p, path);
  if (typeof status === 'number') {
    const isGone = status === -errno.ENOENT || status === -errno.ENOTDIR;
    if (isGone && o.has('force')) return 0;
    yield* p.error(`cannot remove '${path}': ${strerror(status)}`);
    return 1;
  }
  const isDir = isDirectory(status.mode);
  const recursive = o.has('recursive') || o.has('R');
  if (isDir && !recursive && !o.has('dir')) {
    yield* p.error(`cannot remove '${path}': Is a directory`);
    return 1;
  }
  // The last of -f and -i wins.
  const asks = o.given.findLast(({ name }) => ['force', 'i', 'interactive'].includes(name));
  const interactive =
    asks?.name === 'i' || (asks?.name === 'interactive' && /^(always)?$/.test(asks.value));
  if (isDir && recursive) {
    const names = yield* listNames(p, path);
    const entered = typeof names !== 'number' && names.length > 0;
    if (entered && interactive && !(yield* confirm(p, `descend into directory '${path}'?`)))
      return 0;
    let failures = 0;
    for (const name of typeof names === 'number' ? [] : names) {
      failures += yield* remove(p, `${path.replace(/\/+$/, '')}/${name}`, o);
    }
    if (failures > 0) return 1;
  }
  if (interactive && !(yield* confirm(p, `remove ${kindOf(status.mode, status.size)} '${path}'?`)))
    return 0;
  const failed = yield* (isDir ? rmdir : unlinkFile)(p, path);
  if (failed < 0) {
    yield* p.error(`cannot remove '${path}': ${strerror(failed)}`);
    return 1;
  }
  if (o.has('verbose')) yield* p.println(`removed ${isDir ? 'directory ' : ''}'${path}'`);
  return 0;
}

function kindOf(mode: number, size: number): string {
  if (isDirectory(mode)) return 'directory';
  if ((mode & 0o170000) === 0o120000) return 'symbolic link';
  return size === 0 ? 'regular empty file' : 'regular file';
}

function* confirm(p: Process, question: string): UserFlow<boolean> {
  yield* p.stderr.write(`${p.name}: ${question} `);
  return /^[yY]/.test((yield* p.stdin.readLine()) ?? '');
}

export const unlink: Tool = function* (p, args) {
  const o = yield* getopt(p, args, {
    usage: 'FILE',
    about: 'Call the unlink function to remove the specified FILE.',
  });
  const [path, extra] = o.operands;
  if (path === undefined) return yield* usageError(p, 'missing operand');
  if (extra !== undefined) return yield* usageError(p, `extra operand '${extra}'`);
  const failed = yield* unlinkFile(p, path);
  if (failed < 0) yield* p.error(`cannot unlink '${path}': ${strerror(failed)}`);
  return failed < 0 ? 1 : 0;
};
