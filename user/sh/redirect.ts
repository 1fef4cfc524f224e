/** Redirections: applied in a child for good, or around a builtin and taken back. */
import type { UserFlow } from '../../kernel/syscall/abi.ts';
import { errno } from '../../kernel/types/errno.ts';
import {
  close,
  dup2,
  F_DUPFD_CLOEXEC,
  fcntl,
  lstat,
  O_APPEND,
  O_CREAT,
  O_EXCL,
  O_RDONLY,
  O_RDWR,
  O_TRUNC,
  O_WRONLY,
  open,
  pipe,
  writeAll,
} from '../libc/files.ts';
import { strerror } from '../libc/strerror.ts';
import { fork } from '../libc/tasks.ts';
import type { Redirect } from './ast.ts';
import { expandText } from './expand.ts';
import type { Shell } from './shell.ts';
import { ShellError } from './shell.ts';

/** What an fd was before: a copy above 10, or nothing. */
export interface SavedFd {
  readonly fd: number;
  readonly copy: number | undefined;
}

/** Descriptors from here on are the shell's own. */
const SAVED_FD_BASE = 10;
/** A here-document of this size fits a pipe without a reader (pipe(7): 16 pages). */
const PIPE_CAPACITY = 65536;

/** Throws ShellError with the message; `saved` collects what restore needs. */
export function* applyRedirects(
  shell: Shell,
  redirects: readonly Redirect[],
  saved?: SavedFd[],
): UserFlow<void> {
  yield* shell.p.stdout.flush();
  for (const redirect of redirects) yield* applyOne(shell, redirect, saved);
}

export function* restoreRedirects(shell: Shell, saved: readonly SavedFd[]): UserFlow<void> {
  yield* shell.p.stdout.flush();
  for (const { fd, copy } of saved.toReversed()) {
    if (copy === undefined) yield* close(fd);
    else {
      yield* dup2(copy, fd);
      yield* close(copy);
    }
  }
}

function* save(fd: number, saved: SavedFd[] | undefined): UserFlow<void> {
  if (!saved) return;
  const copy = yield* fcntl(fd, F_DUPFD_CLOEXEC, SAVED_FD_BASE);
  saved.push({ fd, copy: copy < 0 ? undefined : copy });
}

/** Make `from` the descriptor `to`, and close `from`. */
function* move(from: number, to: number): UserFlow<void> {
  if (from === to) return;
  yield* dup2(from, to);
  yield* close(from);
}

function* applyOne(shell: Shell, redirect: Redirect, saved?: SavedFd[]): UserFlow<void> {
  const { op } = redirect;
  const target = yield* expandText(shell, redirect.target);
  const fd = redirect.fd ?? (op.startsWith('<') ? 0 : 1);
  switch (op) {
    case '<<':
    case '<<<': {
      const source = yield* documentFd(shell, op === '<<<' ? `${target}\n` : target);
      yield* save(fd, saved);
      return yield* move(source, fd);
    }
    case '<&':
    case '>&': {
      if (target === '-') {
        yield* save(fd, saved);
        yield* close(fd);
        return;
      }
      if (!/^\d+$/.test(target)) {
        if (op === '>&' && redirect.fd === undefined)
          return yield* both(shell, target, false, saved);
        throw new ShellError(`${target}: ambiguous redirect`);
      }
      yield* save(fd, saved);
      const result = yield* dup2(Number(target), fd);
      if (result < 0) throw new ShellError(`${target}: ${strerror(errno.EBADF)}`);
      return;
    }
    case '&>':
    case '&>>':
      return yield* both(shell, target, op === '&>>', saved);
    default: {
      const source = yield* openTarget(shell, op, target);
      yield* save(fd, saved);
      yield* move(source, fd);
    }
  }
}

function* both(
  shell: Shell,
  target: string,
  append: boolean,
  saved: SavedFd[] | undefined,
): UserFlow<void> {
  const source = yield* openTarget(shell, append ? '>>' : '>', target);
  yield* save(1, saved);
  yield* save(2, saved);
  yield* dup2(source, 2);
  yield* move(source, 1);
}

function* openTarget(shell: Shell, op: string, target: string): UserFlow<number> {
  let flags: number;
  switch (op) {
    case '<':
      flags = O_RDONLY;
      break;
    case '<>':
      flags = O_RDWR | O_CREAT;
      break;
    case '>>':
      flags = O_WRONLY | O_CREAT | O_APPEND;
      break;
    case '>':
      flags = O_WRONLY | O_CREAT | O_TRUNC;
      if (shell.options.has('noclobber')) {
        const existing = yield* lstat(shell.p, target);
        if (typeof existing !== 'number' && (existing.mode & 0o170000) === 0o100000) {
          throw new ShellError(`${target}: cannot overwrite existing file`);
        }
        if (typeof existing === 'number') flags |= O_EXCL;
      }
      break;
    default:
      flags = O_WRONLY | O_CREAT | O_TRUNC;
  }
  const fd = yield* open(shell.p, target, flags);
  if (fd < 0) throw new ShellError(`${target}: ${strerror(fd)}`);
  return fd;
}

/** A descriptor that reads `text`: a pipe, with a child that writes what it cannot hold. */
function* documentFd(shell: Shell, text: string): UserFlow<number> {
  const ends = yield* pipe(shell.p);
  if (typeof ends === 'number') throw new ShellError(`cannot make pipe: ${strerror(ends)}`);
  if (new TextEncoder().encode(text).length <= PIPE_CAPACITY) {
    yield* writeAll(shell.p, ends.writeEnd, text);
  } else {
    yield* fork(shell.p, function* (child) {
      yield* close(ends.readEnd);
      yield* writeAll(child, ends.writeEnd, text);
      return 0;
    });
  }
  yield* close(ends.writeEnd);
  return ends.readEnd;
}
