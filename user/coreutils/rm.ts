/** rm(1). */
import type { UserFlow } from '../../kernel/syscall/abi.ts';
import { errno } from '../../kernel/types/errno.ts';
import { isDirectory, listNames } from '../libc/directory.ts';
import { lstat, rmdir, unlink } from '../libc/files.ts';
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
      { short: 'r', long: 'recursive', help: 'remove directories and their contents recursively' },
      { short: 'R', help: 'the same as -r' },
      { short: 'd', long: 'dir', help: 'remove empty directories' },
      { short: 'v', long: 'verbose', help: 'explain what is being done' },
    ],
  });
  if (o.operands.length === 0) {
    return o.has('force') ? 0 : yield* usageError(p, 'missing operand');
  }
  let status = 0;
  for (const path of o.operands) {
    if (['.', '..', '/'].includes(basename(path))) {
      yield* p.error(`refusing to remove '.' or '..' or '/': skipping '${path}'`);
      status = 1;
    } else status = (yield* remove(p, path, o)) || status;
  }
  return status;
};

function* remove(p: Process, path: string, o: Options): UserFlow<number> {
  const status = yield* lstat(p, path);
  if (typeof status === 'number') {
    if (status === -errno.ENOENT && o.has('force')) return 0;
    yield* p.error(`cannot remove '${path}': ${strerror(status)}`);
    return 1;
  }
  const isDir = isDirectory(status.mode);
  const recursive = o.has('recursive') || o.has('R');
  if (isDir && !recursive && !o.has('dir')) {
    yield* p.error(`cannot remove '${path}': Is a directory`);
    return 1;
  }
  if (isDir && recursive) {
    const names = yield* listNames(p, path);
    let failures = 0;
    for (const name of typeof names === 'number' ? [] : names) {
      failures += yield* remove(p, `${path}/${name}`, o);
    }
    if (failures > 0) return 1;
  }
  if (o.has('i') && !(yield* confirm(p, isDir ? 'directory' : 'file', path))) return 0;
  const failed = yield* (isDir ? rmdir : unlink)(p, path);
  if (failed < 0) {
    yield* p.error(`cannot remove '${path}': ${strerror(failed)}`);
    return 1;
  }
  if (o.has('verbose')) yield* p.println(`removed ${isDir ? 'directory ' : ''}'${path}'`);
  return 0;
}

function* confirm(p: Process, what: string, path: string): UserFlow<boolean> {
  yield* p.stderr.write(`${p.name}: remove ${what} '${path}'? `);
  return /^[yY]/.test((yield* p.stdin.readLine()) ?? '');
}
