/** Attributes of files: the stat family, access, readlink, statfs. */
import type { Cred } from '../fs/cred.ts';
import { inodePermission, MAY_EXEC, MAY_WRITE } from '../fs/cred.ts';
import {
  AT_EACCESS,
  AT_EMPTY_PATH,
  AT_FDCWD,
  AT_NO_AUTOMOUNT,
  AT_SYMLINK_NOFOLLOW,
  MS_NOEXEC,
} from '../fs/fcntl.ts';
import type { Path } from '../fs/mount.ts';
import { isDirectory, isSymlink, lookup } from '../fs/namei.ts';
import { S_IFMT, S_IFREG } from '../fs/vfs-types.ts';
import type { Kernel } from '../machine-types.ts';
import { toUser } from '../mm/user-copy.ts';
import type { Task } from '../sched/task.ts';
import { errno } from '../types/errno.ts';
import { fileOf, pathArg, placeArg } from './fs-args.ts';
import { encodeStat, encodeStatfs, encodeStatx } from './fs-layouts.ts';
import { syscall } from './row.ts';
import { encodeText } from '../types/text.ts';

/** AT_STATX_SYNC_TYPE */
const STATX_SYNC_BITS = 0x6000;

function statPath(kernel: Kernel, task: Task, path: Path | number, buffer: number): number {
  if (typeof path === 'number') return path;
  const epoch = kernel.vfs.environment.bootEpochSeconds;
  return toUser(task, buffer, encodeStat(path.dentry.inode, epoch));
}

function statAt(
  kernel: Kernel,
  task: Task,
  dfd: number,
  name: number,
  buffer: number,
  flags: number,
): number {
  if (flags & ~(AT_SYMLINK_NOFOLLOW | AT_NO_AUTOMOUNT | AT_EMPTY_PATH)) return -errno.EINVAL;
  const follow = !(flags & AT_SYMLINK_NOFOLLOW);
  const empty = (flags & AT_EMPTY_PATH) !== 0;
  return statPath(kernel, task, pathArg(kernel.vfs, task, dfd, name, follow, empty), buffer);
}

function readlinkAt(
  kernel: Kernel,
  task: Task,
  dfd: number,
  name: number,
  buffer: number,
  size: number,
): number {
  if (size <= 0) return -errno.EINVAL;
  const path = pathArg(kernel.vfs, task, dfd, name, false, true);
  if (typeof path === 'number') return path;
  const { inode } = path.dentry;
  if (!isSymlink(inode)) return -errno.EINVAL;
  const text = inode.readlink!();
  if (typeof text === 'number') return text;
  const target = encodeText(text).subarray(0, size);
  const refused = toUser(task, buffer, target);
  return refused < 0 ? refused : target.length;
}

/** access(2) asks with the real ids; capabilities count only for a real root. */
function realCred({ cred }: Task): Cred {
  const { uid, gid, groups } = cred;
  const capable = (capability: number) =>
    uid === 0 && ((cred.values.capPermitted >> BigInt(capability)) & 1n) === 1n;
  return { fsuid: uid, fsgid: gid, groups, capable };
}

function accessAt(
  kernel: Kernel,
  task: Task,
  dfd: number,
  name: number,
  mode: number,
  flags: number,
): number {
  if (mode & ~7) return -errno.EINVAL;
  if (flags & ~(AT_EACCESS | AT_SYMLINK_NOFOLLOW | AT_EMPTY_PATH)) return -errno.EINVAL;
  const cred = flags & AT_EACCESS ? task.cred : realCred(task);
  const place = placeArg(task, dfd, name);
  if (typeof place === 'number') return place;
  const follow = !(flags & AT_SYMLINK_NOFOLLOW);
  const path =
    place.name === '' && flags & AT_EMPTY_PATH
      ? place.start
      : lookup(kernel.vfs.walkOf(task, cred), place.start, place.name, { follow });
  if (typeof path === 'number') return path;
  const { inode } = path.dentry;
  const isRegular = (inode.mode & S_IFMT) === S_IFREG;
  if (mode & MAY_EXEC && isRegular && path.mount.flags & MS_NOEXEC) return -errno.EACCES;
  const refused = mode === 0 ? 0 : inodePermission(inode, cred, mode);
  if (refused < 0) return refused;
  const writesContent = isRegular || isDirectory(inode) || isSymlink(inode);
  return mode & MAY_WRITE && writesContent && path.mount.readOnly ? -errno.EROFS : 0;
}

export const statRows = [
  syscall(
    4,
    'newstat',
    'const char *filename, struct stat *statbuf',
    (kernel, task, name, buffer) => statAt(kernel, task, AT_FDCWD, name, buffer, 0),
  ),
  syscall(5, 'newfstat', 'unsigned int fd, struct stat *statbuf', (kernel, task, fd, buffer) =>
    statPath(kernel, task, fileOf(task, fd)?.path ?? -errno.EBADF, buffer),
  ),
  syscall(
    6,
    'newlstat',
    'const char *filename, struct stat *statbuf',
    (kernel, task, name, buffer) =>
      statAt(kernel, task, AT_FDCWD, name, buffer, AT_SYMLINK_NOFOLLOW),
  ),
  syscall(21, 'access', 'const char *filename, int mode', (kernel, task, name, mode) =>
    accessAt(kernel, task, AT_FDCWD, name, mode, 0),
  ),
  syscall(
    89,
    'readlink',
    'const char *path, char *buf, int bufsiz',
    (kernel, task, name, buffer, size) => readlinkAt(kernel, task, AT_FDCWD, name, buffer, size),
  ),
  syscall(
    137,
    'statfs',
    'const char *pathname, struct statfs *buf',
    (kernel, task, name, buffer) => {
      const path = pathArg(kernel.vfs, task, AT_FDCWD, name, true);
      return typeof path === 'number' ? path : toUser(task, buffer, encodeStatfs(path.mount));
    },
  ),
  syscall(138, 'fstatfs', 'unsigned int fd, struct statfs *buf', (_kernel, task, fd, buffer) => {
    const file = fileOf(task, fd);
    return file ? toUser(task, buffer, encodeStatfs(file.path.mount)) : -errno.EBADF;
  }),
  syscall(
    262,
    'newfstatat',
    'int dfd, const char *filename, struct stat *statbuf, int flag',
    (kernel, task, dfd, name, buffer, flags) => statAt(kernel, task, dfd, name, buffer, flags),
  ),
  syscall(
    267,
    'readlinkat',
    'int dfd, const char *pathname, char *buf, int bufsiz',
    (kernel, task, dfd, name, buffer, size) => readlinkAt(kernel, task, dfd, name, buffer, size),
  ),
  syscall(
    269,
    'faccessat',
    'int dfd, const char *filename, int mode',
    (kernel, task, dfd, name, mode) => accessAt(kernel, task, dfd, name, mode, 0),
  ),
  syscall(
    332,
    'statx',
    'int dfd, const char *filename, unsigned flags, unsigned int mask, struct statx *buffer',
    (kernel, task, dfd, name, flags, _mask, buffer) => {
      const known = AT_SYMLINK_NOFOLLOW | AT_NO_AUTOMOUNT | AT_EMPTY_PATH | STATX_SYNC_BITS;
      if (flags & ~known) return -errno.EINVAL;
      const follow = !(flags & AT_SYMLINK_NOFOLLOW);
      const empty = (flags & AT_EMPTY_PATH) !== 0;
      const path = pathArg(kernel.vfs, task, dfd, name, follow, empty);
      if (typeof path === 'number') return path;
      const epoch = kernel.vfs.environment.bootEpochSeconds;
      return toUser(task, buffer, encodeStatx(path.dentry.inode, path.mount, epoch));
    },
  ),
  syscall(
    439,
    'faccessat2',
    'int dfd, const char *filename, int mode, int flags',
    (kernel, task, dfd, name, mode, flags) => accessAt(kernel, task, dfd, name, mode, flags),
  ),
];
