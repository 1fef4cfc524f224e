/** What the file system calls share: paths, descriptors and buffers among their arguments. */
import { AT_FDCWD } from '../fs/fcntl.ts';
import type { File } from '../fs/file.ts';
import type { Path } from '../fs/mount.ts';
import { isDirectory, lookup } from '../fs/namei.ts';
import type { Vfs } from '../fs/vfs.ts';
import { bytesFromUser, toUser, userString } from '../mm/user-copy.ts';
import type { MaySleep } from '../sched/flow.ts';
import { isFlow } from '../sched/flow.ts';
import type { Task } from '../sched/task.ts';
import { errno } from '../types/errno.ts';

/** Descriptors and flags are ints; registers may carry them sign- or zero-extended. */
export const asInt = (value: number): number => value | 0;

export function fileOf(task: Task, fd: number): File | undefined {
  return task.files!.get(asInt(fd));
}

/** Where a relative name starts: the cwd or an open directory. Not asked of absolute names. */
export function startOf(task: Task, dfd: number, name: string): Path | number {
  const fs = task.fs!;
  if (name.startsWith('/')) return fs.root;
  if (asInt(dfd) === AT_FDCWD) return fs.cwd;
  const file = fileOf(task, dfd);
  if (!file) return -errno.EBADF;
  return name === '' || isDirectory(file.inode) ? file.path : -errno.ENOTDIR;
}

/** A name from user memory with the directory it starts from. */
export interface NamedPlace {
  readonly start: Path;
  readonly name: string;
}

export function placeArg(task: Task, dfd: number, address: number): NamedPlace | number {
  const name = userString(task, address);
  if (typeof name === 'number') return name;
  const start = startOf(task, dfd, name);
  return typeof start === 'number' ? start : { start, name };
}

/** Where a name from user memory leads; '' means dfd itself if `emptyAllowed` (AT_EMPTY_PATH). */
export function pathArg(
  vfs: Vfs,
  task: Task,
  dfd: number,
  address: number,
  follow: boolean,
  emptyAllowed = false,
): Path | number {
  const place = placeArg(task, dfd, address);
  if (typeof place === 'number') return place;
  if (place.name === '' && emptyAllowed) return place.start;
  return lookup(vfs.walkOf(task), place.start, place.name, { follow });
}

/** Hand what was read to the process: the count, or -EFAULT. */
export function deliver(
  task: Task,
  address: number,
  data: MaySleep<Uint8Array | number>,
): MaySleep<number> {
  const finish = (bytes: Uint8Array | number): number => {
    if (typeof bytes === 'number') return bytes;
    const refused = bytes.length === 0 ? 0 : toUser(task, address, bytes);
    return refused < 0 ? refused : bytes.length;
  };
  if (!isFlow(data)) return finish(data);
  return (function* () {
    return finish(yield* data);
  })();
}

export interface IoVector {
  readonly address: number;
  readonly sizeBytes: number;
}

/** UIO_MAXIOV */
const MAX_VECTORS = 1024;

/** struct iovec[]: 16 bytes each. */
export function vectorsArg(task: Task, address: number, count: number): IoVector[] | number {
  if (count < 0 || count > MAX_VECTORS) return -errno.EINVAL;
  const bytes = bytesFromUser(task, address, count * 16);
  if (!bytes) return -errno.EFAULT;
  const view = new DataView(bytes.buffer, bytes.byteOffset);
  const vectors: IoVector[] = [];
  for (let at = 0; at < count * 16; at += 16) {
    const sizeBytes = Number(view.getBigInt64(at + 8, true));
    if (sizeBytes < 0) return -errno.EINVAL;
    vectors.push({ address: Number(view.getBigUint64(at, true)), sizeBytes });
  }
  return vectors;
}
