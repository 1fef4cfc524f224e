/** Copying one file or tree, for cp(1) and for mv(1) across file systems. */
import type { UserFlow } from '../../kernel/syscall/abi.ts';
import { errno } from '../../kernel/types/errno.ts';
import { isDirectory, isSymlink, listNames } from '../libc/directory.ts';
import {
  chmod,
  close,
  lstat,
  mkdir,
  O_CLOEXEC,
  O_CREAT,
  O_RDONLY,
  O_TRUNC,
  O_WRONLY,
  open,
  readlink,
  stat,
  symlink,
  unlink,
  writeAll,
} from '../libc/files.ts';
import { basename, type Process } from '../libc/process.ts';
import { Stream } from '../libc/stdio.ts';
import { strerror } from '../libc/strerror.ts';

export interface CopyOptions {
  readonly recursive: boolean;
  readonly verbose: boolean;
  readonly force: boolean;
  /** Links are copied as links. */
  readonly keepLinks: boolean;
}

/** 0, or 1 after telling what failed. */
export function* copy(
  p: Process,
  from: string,
  to: string,
  options: CopyOptions,
): UserFlow<number> {
  const source = yield* (options.keepLinks ? lstat : stat)(p, from);
  if (typeof source === 'number') return yield* fail(p, `cannot stat '${from}'`, source);
  if (isDirectory(source.mode)) {
    if (!options.recursive) {
      yield* p.error(`-r not specified; omitting directory '${from}'`);
      return 1;
    }
    return yield* copyDirectory(p, from, to, source.mode, options);
  }
  const existing = yield* stat(p, to);
  const isSame =
    typeof existing !== 'number' && existing.ino === source.ino && existing.dev === source.dev;
  if (isSame) {
    yield* p.error(`'${from}' and '${to}' are the same file`);
    return 1;
  }
  if (options.verbose) yield* p.println(`'${from}' -> '${to}'`);
  if (isSymlink(source.mode)) {
    const target = yield* readlink(p, from);
    if (typeof target === 'number') return yield* fail(p, `cannot read '${from}'`, target);
    if (options.force) yield* unlink(p, to);
    const failed = yield* symlink(p, target, to);
    return failed < 0 ? yield* fail(p, `cannot create symbolic link '${to}'`, failed) : 0;
  }
  return yield* copyFile(p, from, to, source.mode, options);
}

function* copyFile(
  p: Process,
  from: string,
  to: string,
  mode: number,
  options: CopyOptions,
): UserFlow<number> {
  const input = yield* open(p, from, O_RDONLY | O_CLOEXEC);
  if (input < 0) return yield* fail(p, `cannot open '${from}' for reading`, input);
  const flags = O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC;
  let output = yield* open(p, to, flags, mode & 0o777);
  if (output === -errno.EACCES && options.force) {
    yield* unlink(p, to);
    output = yield* open(p, to, flags, mode & 0o777);
  }
  if (output < 0) {
    yield* close(input);
    return yield* fail(p, `cannot create regular file '${to}'`, output);
  }
  const reader = new Stream(p, input, 'full');
  let failed = 0;
  while (failed >= 0) {
    const chunk = yield* reader.readChunk();
    if (chunk.length === 0) break;
    failed = yield* writeAll(p, output, chunk);
  }
  const readError = reader.error;
  reader.dispose();
  yield* close(input);
  yield* close(output);
  if (readError < 0) return yield* fail(p, `error reading '${from}'`, readError);
  return failed < 0 ? yield* fail(p, `error writing '${to}'`, failed) : 0;
}

function* copyDirectory(
  p: Process,
  from: string,
  to: string,
  mode: number,
  options: CopyOptions,
): UserFlow<number> {
  const names = yield* listNames(p, from);
  if (typeof names === 'number') return yield* fail(p, `cannot access '${from}'`, names);
  const made = yield* mkdir(p, to, 0o777);
  if (made < 0 && made !== -errno.EEXIST) {
    return yield* fail(p, `cannot create directory '${to}'`, made);
  }
  if (made >= 0) yield* chmod(p, to, mode & 0o777);
  if (options.verbose) yield* p.println(`'${from}' -> '${to}'`);
  let status = 0;
  for (const name of names) {
    status = (yield* copy(p, `${from}/${name}`, `${to}/${name}`, options)) || status;
  }
  return status;
}

function* fail(p: Process, what: string, error: number): UserFlow<number> {
  yield* p.error(`${what}: ${strerror(error)}`);
  return 1;
}

/** Operands `SOURCE DEST` or `SOURCE... DIRECTORY` as pairs; undefined after an error was told. */
export function* pairs(
  p: Process,
  operands: readonly string[],
): UserFlow<{ from: string; to: string }[] | undefined> {
  const destination = operands.at(-1)!;
  const status = yield* stat(p, destination);
  const isDir = typeof status !== 'number' && isDirectory(status.mode);
  if (operands.length > 2 && !isDir) {
    yield* p.error(
      `target '${destination}': ${typeof status === 'number' ? strerror(status) : 'Not a directory'}`,
    );
    return undefined;
  }
  return operands.slice(0, -1).map((from) => ({
    from,
    to: isDir ? `${destination.replace(/\/+$/, '')}/${basename(from)}` : destination,
  }));
}
