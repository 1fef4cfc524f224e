/**
 * An open file: what a descriptor stands for, shared by dup and fork.
 *
 *   new File(path, ops, flags)        one reference; `path` may be of an anonymous inode
 *   file.get(), file.put()            references; the last put releases ops
 *   vfsRead, vfsWrite, vfsSeek        with the file's own position
 *   vfsPread, vfsPwrite               at a given position
 *
 * All return -errno on failure. Reads give kernel-side copies; the syscall layer moves them.
 */
import type { MaySleep } from '../sched/flow.ts';
import { isFlow } from '../sched/flow.ts';
import { errno } from '../types/errno.ts';
import { Bug } from '../types/units.ts';
import {
  MAX_RW_COUNT,
  O_ACCMODE,
  O_APPEND,
  O_PATH,
  O_RDONLY,
  O_WRONLY,
  SEEK_CUR,
  SEEK_DATA,
  SEEK_END,
  SEEK_HOLE,
  SEEK_SET,
} from './fcntl.ts';
import type { Path } from './mount.ts';
import { isDirectory } from './namei.ts';
import type { DirectoryEntry, FileOps, Inode } from './vfs-types.ts';

export class File {
  readonly path: Path;
  readonly ops: FileOps;
  /** O_*: access mode and status flags. */
  flags: number;
  position = 0;
  /** Directories: what getdents64 goes through, as it was when `position` was last 0. */
  listing: readonly DirectoryEntry[] | undefined;
  /** Run when the last reference goes, before ops.release (epoll forgets the file here). */
  readonly onRelease = new Set<() => void>();
  #references = 1;

  constructor(path: Path, ops: FileOps, flags: number) {
    this.path = path;
    this.ops = ops;
    this.flags = flags;
    path.mount.users++;
  }

  get inode(): Inode {
    return this.path.dentry.inode;
  }

  get readable(): boolean {
    return (this.flags & O_ACCMODE) !== O_WRONLY && !(this.flags & O_PATH);
  }

  get writable(): boolean {
    return (this.flags & O_ACCMODE) !== O_RDONLY && !(this.flags & O_PATH);
  }

  get(): this {
    if (this.#references === 0) throw new Bug('file used after its last close');
    this.#references++;
    return this;
  }

  put(): void {
    if (this.#references === 0) throw new Bug('file closed twice');
    if (--this.#references > 0) return;
    this.path.mount.users--;
    for (const forget of this.onRelease) forget();
    this.ops.release?.();
  }
}

/** `use` the result of something that may have slept. */
export function andThen<T, U>(value: MaySleep<T>, use: (value: T) => U): MaySleep<U> {
  if (!isFlow(value)) return use(value);
  return (function* () {
    return use(yield* value);
  })();
}

export function vfsRead(file: File, count: number): MaySleep<Uint8Array | number> {
  return andThen(vfsPread(file, count, file.position), (data) => {
    if (typeof data !== 'number' && !file.ops.stream) file.position += data.length;
    return data;
  });
}

export function vfsPread(
  file: File,
  count: number,
  position: number,
): MaySleep<Uint8Array | number> {
  if (!file.readable) return -errno.EBADF;
  if (isDirectory(file.inode)) return -errno.EISDIR;
  if (!file.ops.read) return -errno.EINVAL;
  return file.ops.read(Math.min(count, MAX_RW_COUNT), position, file.flags);
}

export function vfsWrite(file: File, data: Uint8Array): MaySleep<number> {
  const position = file.flags & O_APPEND ? file.inode.size : file.position;
  return andThen(vfsPwrite(file, data, position), (written) => {
    if (written > 0 && !file.ops.stream) file.position = position + written;
    return written;
  });
}

/** As in Linux, O_APPEND wins over the position given. */
export function vfsPwrite(file: File, data: Uint8Array, position: number): MaySleep<number> {
  if (!file.writable) return -errno.EBADF;
  if (!file.ops.write) return -errno.EINVAL;
  const at = file.flags & O_APPEND && !file.ops.stream ? file.inode.size : position;
  return file.ops.write(data, at, file.flags);
}

/** The new position. */
export function vfsSeek(file: File, offset: number, whence: number): number {
  if (file.flags & O_PATH) return -errno.EBADF;
  if (file.ops.seek) return file.ops.seek(offset, whence);
  if (file.ops.stream) return -errno.ESPIPE;
  const size = file.inode.size;
  let position: number;
  switch (whence) {
    case SEEK_SET:
      position = offset;
      break;
    case SEEK_CUR:
      position = file.position + offset;
      break;
    case SEEK_END:
      position = size + offset;
      break;
    case SEEK_DATA: // Files without holes: data up to the end, then one virtual hole.
    case SEEK_HOLE:
      if (offset < 0 || offset >= size) return -errno.ENXIO;
      position = whence === SEEK_DATA ? offset : size;
      break;
    default:
      return -errno.EINVAL;
  }
  if (position < 0) return -errno.EINVAL;
  file.position = position;
  return position;
}
