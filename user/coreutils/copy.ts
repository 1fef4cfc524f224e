/** Copying one file or tree, for cp(1) and for mv(1) across file systems. */
import type { UserFlow } from '../../kernel/syscall/abi.ts';
import { errno } from '../../kernel/types/errno.ts';
import { isDirectory, isSymlink, listNames } from '../libc/directory.ts';
import {
  AT_SYMLINK_NOFOLLOW,
  chmod,
  chown,
  close,
  link,
  lstat,
  mkdir,
  mknod,
  O_CLOEXEC,
  O_CREAT,
  O_RDONLY,
  O_TRUNC,
  O_WRONLY,
  open,
  readlink,
  rename,
  setTimes,
  stat,
  symlink,
  unlink,
  writeAll,
  type Stat,
} from '../libc/files.ts';
import type { Process } from '../libc/process.ts';
import { Stream } from '../libc/stdio.ts';
import { strerror } from '../libc/strerror.ts';

export interface CopyOptions {
  readonly recursive: boolean;
  readonly verbose: boolean;
  readonly force: boolean;
  /** Links are copied as links: always, not those that operands name, or never. */
  readonly links: 'keep' | 'follow operands' | 'follow';
  /** Mode, owner and times go along. */
  readonly preserve: boolean;
  readonly clobber: 'always' | 'never' | 'older' | 'ask';
  /** Instead of a copy: another name of the same file, or a link to it. */
  readonly instead?: 'hard link' | 'symbolic link';
  /** Suffix under which what would be overwritten is kept. */
  readonly backup?: string;
}

const S_IFMT = 0o170000;
const S_IFREG = 0o100000;

/** 0, or 1 after telling what failed. */
export function* copy(
  p: Process,
  from: string,
  to: string,
  options: CopyOptions,
): UserFlow<number> {
  return yield* new Copier(p, options).copy(from, to, true);
}

class Copier {
  readonly #p: Process;
  readonly #options: CopyOptions;
  /** Where files with several names have been copied to. */
  readonly #copied = new Map<string, string>();
  /** The destination of a tree, which may lie inside the source. */
  #destination: string | undefined;

  constructor(p: Process, options: CopyOptions) {
    this.#p = p;
    this.#options = options;
  }

  *copy(from: string, to: string, isOperand: boolean): UserFlow<number> {
    const p = this.#p;
    const { links, verbose, instead } = this.#options;
    const keeps = links === 'keep' || (links === 'follow operands' && !isOperand);
    const source = yield* (keeps ? lstat : stat)(p, from);
    if (typeof source === 'number') return yield* this.#fail(`cannot stat '${from}'`, source);
    if (isDirectory(source.mode)) return yield* this.#directory(from, to, source, isOperand);
    const existing = yield* (keeps ? lstat : stat)(p, to);
    if (typeof existing !== 'number') {
      if (isDirectory(existing.mode)) {
        yield* p.error(`cannot overwrite directory '${to}' with non-directory`);
        return 1;
      }
      if (existing.ino === source.ino && existing.dev === source.dev) {
        yield* p.error(`'${from}' and '${to}' are the same file`);
        return 1;
      }
      const decided = yield* this.#mayOverwrite(to, source, existing);
      if (!decided) return 0;
    }
    if (verbose) yield* p.println(`'${from}' -> '${to}'`);
    if (instead) return yield* this.#link(from, to, instead);
    if (isSymlink(source.mode)) return yield* this.#symlink(from, to, source, existing);
    const key = `${source.dev}:${source.ino}`;
    const other = this.#options.preserve && source.nlink > 1 ? this.#copied.get(key) : undefined;
    if (other !== undefined) return yield* this.#link(other, to, 'hard link');
    this.#copied.set(key, to);
    const status =
      (source.mode & S_IFMT) === S_IFREG || !this.#options.recursive
        ? yield* this.#file(from, to, source)
        : yield* this.#node(to, source);
    if (status === 0 && this.#options.preserve) yield* this.#keepAttributes(to, source);
    return status;
  }

  *#mayOverwrite(to: string, source: Stat, existing: Stat): UserFlow<boolean> {
    const p = this.#p;
    const { clobber, backup } = this.#options;
    if (clobber === 'never') return false;
    const newer = source.mtimeSec - existing.mtimeSec || source.mtimeNsec - existing.mtimeNsec;
    if (clobber === 'older' && newer <= 0) return false;
    if (clobber === 'ask') {
      yield* p.stderr.write(`${p.name}: overwrite '${to}'? `);
      if (!/^[yY]/.test((yield* p.stdin.readLine()) ?? '')) return false;
    }
    if (backup !== undefined) yield* rename(p, to, to + backup);
    return true;
  }

  *#link(from: string, to: string, how: 'hard link' | 'symbolic link'): UserFlow<number> {
    if (this.#options.force) yield* unlink(this.#p, to);
    const failed = yield* (how === 'hard link' ? link : symlink)(this.#p, from, to);
    if (failed >= 0) return 0;
    return yield* this.#fail(`cannot create ${how} '${to}' to '${from}'`, failed);
  }

  *#symlink(from: string, to: string, source: Stat, existing: Stat | number): UserFlow<number> {
    const p = this.#p;
    const target = yield* readlink(p, from);
    if (typeof target === 'number') {
      return yield* this.#fail(`cannot read symbolic link '${from}'`, target);
    }
    if (typeof existing !== 'number') yield* unlink(p, to);
    const failed = yield* symlink(p, target, to);
    if (failed < 0) return yield* this.#fail(`cannot create symbolic link '${to}'`, failed);
    if (this.#options.preserve) {
      yield* chown(p, to, source.uid, source.gid, false);
      yield* this.#keepTimes(to, source, AT_SYMLINK_NOFOLLOW);
    }
    return 0;
  }

  *#node(to: string, source: Stat): UserFlow<number> {
    const failed = yield* mknod(this.#p, to, source.mode, source.rdev);
    return failed < 0 ? yield* this.#fail(`cannot create special file '${to}'`, failed) : 0;
  }

  *#file(from: string, to: string, source: Stat): UserFlow<number> {
    const p = this.#p;
    const input = yield* open(p, from, O_RDONLY | O_CLOEXEC);
    if (input < 0) return yield* this.#fail(`cannot open '${from}' for reading`, input);
    const flags = O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC;
    let output = yield* open(p, to, flags, source.mode & 0o777);
    if (output < 0 && output !== -errno.ENOENT && this.#options.force) {
      yield* unlink(p, to);
      output = yield* open(p, to, flags, source.mode & 0o777);
    }
    if (output < 0) {
      yield* close(input);
      const slash = to.endsWith('/') ? -errno.ENOTDIR : output;
      return yield* this.#fail(`cannot create regular file '${to}'`, slash);
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
    if (readError < 0) return yield* this.#fail(`error reading '${from}'`, readError);
    return failed < 0 ? yield* this.#fail(`error writing '${to}'`, failed) : 0;
  }

  *#directory(from: string, to: string, source: Stat, isOperand: boolean): UserFlow<number> {
    const p = this.#p;
    if (!this.#options.recursive) {
      yield* p.error(`-r not specified; omitting directory '${from}'`);
      return 1;
    }
    const existing = yield* stat(p, to);
    if (typeof existing !== 'number' && !isDirectory(existing.mode)) {
      yield* p.error(`cannot overwrite non-directory '${to}' with directory '${from}'`);
      return 1;
    }
    if (isOperand) this.#destination = undefined;
    if (typeof existing === 'number') {
      const made = yield* mkdir(p, to, 0o777);
      if (made < 0) return yield* this.#fail(`cannot create directory '${to}'`, made);
      yield* chmod(p, to, (source.mode & 0o777) | 0o700);
      if (this.#options.verbose) yield* p.println(`'${from}' -> '${to}'`);
    }
    if (isOperand) {
      const made = yield* stat(p, to);
      if (typeof made !== 'number') this.#destination = `${made.dev}:${made.ino}`;
    }
    // Read now, so that a destination inside the source is seen.
    const names = yield* listNames(p, from);
    if (typeof names === 'number') return yield* this.#fail(`cannot access '${from}'`, names);
    let status = 0;
    for (const name of names) {
      const child = yield* lstat(p, `${from}/${name}`);
      if (typeof child !== 'number' && `${child.dev}:${child.ino}` === this.#destination) {
        yield* p.error(`cannot copy a directory, '${from}', into itself, '${to}'`);
        status = 1;
        continue;
      }
      status = (yield* this.copy(`${from}/${name}`, `${to}/${name}`, false)) || status;
    }
    if (this.#options.preserve) yield* this.#keepAttributes(to, source);
    else if (typeof existing === 'number') yield* chmod(p, to, source.mode & 0o777);
    return status;
  }

  *#keepAttributes(to: string, source: Stat): UserFlow<void> {
    yield* chown(this.#p, to, source.uid, source.gid);
    yield* chmod(this.#p, to, source.mode & 0o7777);
    yield* this.#keepTimes(to, source, 0);
  }

  *#keepTimes(to: string, source: Stat, flags: number): UserFlow<void> {
    const accessed = { seconds: source.atimeSec, nanoseconds: source.atimeNsec };
    const modified = { seconds: source.mtimeSec, nanoseconds: source.mtimeNsec };
    yield* setTimes(this.#p, to, accessed, modified, flags);
  }

  *#fail(what: string, error: number): UserFlow<number> {
    yield* this.#p.error(`${what}: ${strerror(error)}`);
    return 1;
  }
}
