/** Changing what is known of a file: mode, owner, size, times; and syncing, which has nothing to do. */
import type { Cred } from '../fs/cred.ts';
import {
  CAP_CHOWN,
  CAP_FSETID,
  inGroup,
  inodePermission,
  isOwnerOrCapable,
  MAY_WRITE,
} from '../fs/cred.ts';
import { AT_EMPTY_PATH, AT_FDCWD, AT_SYMLINK_NOFOLLOW } from '../fs/fcntl.ts';
import type { Path } from '../fs/mount.ts';
import { isDirectory } from '../fs/namei.ts';
import type { Inode } from '../fs/vfs-types.ts';
import { S_IFMT, S_IFREG } from '../fs/vfs-types.ts';
import type { Kernel } from '../machine-types.ts';
import { fromUser } from '../mm/user-copy.ts';
import type { Task } from '../sched/task.ts';
import { errno } from '../types/errno.ts';
import type { Ns } from '../types/units.ts';
import { asInt, fileOf, pathArg } from './fs-args.ts';
import { bootTime } from './fs-layouts.ts';
import { syscall } from './row.ts';

function chmod(kernel: Kernel, cred: Cred, path: Path | number, mode: number): number {
  if (typeof path === 'number') return path;
  const { inode } = path.dentry;
  if (path.mount.readOnly) return -errno.EROFS;
  if (!isOwnerOrCapable(inode, cred)) return -errno.EPERM;
  let bits = mode & 0o7777;
  if (!inGroup(cred, inode.gid) && !cred.capable(CAP_FSETID)) bits &= ~0o2000;
  inode.mode = (inode.mode & S_IFMT) | bits;
  inode.ctime = kernel.vfs.environment.now();
  return 0;
}

/** -1 leaves an id as it is. */
function chown(
  kernel: Kernel,
  cred: Cred,
  path: Path | number,
  uidArg: number,
  gidArg: number,
): number {
  if (typeof path === 'number') return path;
  const { inode } = path.dentry;
  if (path.mount.readOnly) return -errno.EROFS;
  const uid = asInt(uidArg) === -1 ? inode.uid : uidArg >>> 0;
  const gid = asInt(gidArg) === -1 ? inode.gid : gidArg >>> 0;
  if (!cred.capable(CAP_CHOWN)) {
    const owns = cred.fsuid === inode.uid;
    if (!owns || uid !== inode.uid) return -errno.EPERM;
    if (gid !== inode.gid && !inGroup(cred, gid)) return -errno.EPERM;
  }
  inode.uid = uid;
  inode.gid = gid;
  if (!isDirectory(inode)) {
    inode.mode &= ~0o4000;
    if (inode.mode & 0o010) inode.mode &= ~0o2000;
  }
  inode.ctime = kernel.vfs.environment.now();
  return 0;
}

function chownAt(
  kernel: Kernel,
  task: Task,
  dfd: number,
  name: number,
  uid: number,
  gid: number,
  flags: number,
): number {
  if (flags & ~(AT_SYMLINK_NOFOLLOW | AT_EMPTY_PATH)) return -errno.EINVAL;
  const follow = !(flags & AT_SYMLINK_NOFOLLOW);
  const path = pathArg(kernel.vfs, task, dfd, name, follow, (flags & AT_EMPTY_PATH) !== 0);
  return chown(kernel, task.cred, path, uid, gid);
}

function truncate(task: Task, path: Path | number, length: number): number {
  if (length < 0) return -errno.EINVAL;
  if (typeof path === 'number') return path;
  const { inode } = path.dentry;
  if (isDirectory(inode)) return -errno.EISDIR;
  if ((inode.mode & S_IFMT) !== S_IFREG) return -errno.EINVAL;
  const refused = inodePermission(inode, task.cred, MAY_WRITE);
  if (refused < 0) return refused;
  if (path.mount.readOnly) return -errno.EROFS;
  return inode.truncate?.(length) ?? -errno.EINVAL;
}

function ftruncate(task: Task, fd: number, length: number): number {
  if (length < 0) return -errno.EINVAL;
  const file = fileOf(task, fd);
  if (!file) return -errno.EBADF;
  const isRegular = (file.inode.mode & S_IFMT) === S_IFREG;
  if (!isRegular || !file.writable) return -errno.EINVAL;
  return file.inode.truncate?.(length) ?? -errno.EINVAL;
}

/** tv_nsec of "now" and of "leave it" (UAPI linux/stat.h). */
const UTIME_NOW = 0x3fffffff;
const UTIME_OMIT = 0x3ffffffe;

/** One of the two timespecs: a time, 'now' or 'omit'; undefined for a bad one. */
function timeArg(view: DataView, at: number, epoch: number): Ns | 'now' | 'omit' | undefined {
  const seconds = Number(view.getBigInt64(at, true));
  const nanoseconds = Number(view.getBigInt64(at + 8, true));
  if (nanoseconds === UTIME_NOW) return 'now';
  if (nanoseconds === UTIME_OMIT) return 'omit';
  if (nanoseconds < 0 || nanoseconds >= 1e9) return undefined;
  return bootTime(seconds, nanoseconds, epoch);
}

function setTimes(
  kernel: Kernel,
  cred: Cred,
  path: Path,
  atime: Ns | 'now' | 'omit',
  mtime: Ns | 'now' | 'omit',
): number {
  const { inode } = path.dentry;
  if (atime === 'omit' && mtime === 'omit') return 0;
  if (path.mount.readOnly) return -errno.EROFS;
  // Setting both to now is for anyone who may write; anything else is the owner's.
  const refused = mayTouch(inode, cred, atime === 'now' && mtime === 'now');
  if (refused < 0) return refused;
  const now = kernel.vfs.environment.now();
  const before = inode.mtime;
  if (mtime !== 'omit') inode.mtime = mtime === 'now' ? now : mtime;
  if (atime !== 'omit') inode.atime = atime === 'now' ? now : atime;
  else inode.atime ??= before;
  inode.ctime = now;
  return 0;
}

function mayTouch(inode: Inode, cred: Cred, bothNow: boolean): number {
  if (isOwnerOrCapable(inode, cred)) return 0;
  return bothNow ? inodePermission(inode, cred, MAY_WRITE) : -errno.EPERM;
}

function utimensat(
  kernel: Kernel,
  task: Task,
  dfd: number,
  name: number,
  times: number,
  flags: number,
): number {
  if (flags & ~(AT_SYMLINK_NOFOLLOW | AT_EMPTY_PATH)) return -errno.EINVAL;
  let atime: Ns | 'now' | 'omit' | undefined = 'now';
  let mtime: Ns | 'now' | 'omit' | undefined = 'now';
  if (times !== 0) {
    const view = fromUser(task, times, 32);
    if (!view) return -errno.EFAULT;
    const epoch = kernel.vfs.environment.bootEpochSeconds;
    atime = timeArg(view, 0, epoch);
    mtime = timeArg(view, 16, epoch);
    if (atime === undefined || mtime === undefined) return -errno.EINVAL;
  }
  const follow = !(flags & AT_SYMLINK_NOFOLLOW);
  const path =
    name === 0 && asInt(dfd) !== AT_FDCWD
      ? (fileOf(task, dfd)?.path ?? -errno.EBADF)
      : pathArg(kernel.vfs, task, dfd, name, follow, (flags & AT_EMPTY_PATH) !== 0);
  return typeof path === 'number' ? path : setTimes(kernel, task.cred, path, atime, mtime);
}

/** There is no block device behind any file: the bytes are where they belong already. */
function fsync(task: Task, fd: number): number {
  const file = fileOf(task, fd);
  if (!file) return -errno.EBADF;
  return file.ops.stream ? -errno.EINVAL : 0;
}

export const attributeRows = [
  syscall(74, 'fsync', 'unsigned int fd', (_kernel, task, fd) => fsync(task, fd)),
  syscall(75, 'fdatasync', 'unsigned int fd', (_kernel, task, fd) => fsync(task, fd)),
  syscall(76, 'truncate', 'const char *path, long length', (kernel, task, name, length) =>
    truncate(task, pathArg(kernel.vfs, task, AT_FDCWD, name, true), length),
  ),
  syscall(77, 'ftruncate', 'unsigned int fd, off_t length', (_kernel, task, fd, length) =>
    ftruncate(task, fd, length),
  ),
  syscall(90, 'chmod', 'const char *filename, umode_t mode', (kernel, task, name, mode) =>
    chmod(kernel, task.cred, pathArg(kernel.vfs, task, AT_FDCWD, name, true), mode),
  ),
  syscall(91, 'fchmod', 'unsigned int fd, umode_t mode', (kernel, task, fd, mode) =>
    chmod(kernel, task.cred, fileOf(task, fd)?.path ?? -errno.EBADF, mode),
  ),
  syscall(
    92,
    'chown',
    'const char *filename, uid_t user, gid_t group',
    (kernel, task, name, uid, gid) => chownAt(kernel, task, AT_FDCWD, name, uid, gid, 0),
  ),
  syscall(93, 'fchown', 'unsigned int fd, uid_t user, gid_t group', (kernel, task, fd, uid, gid) =>
    chown(kernel, task.cred, fileOf(task, fd)?.path ?? -errno.EBADF, uid, gid),
  ),
  syscall(
    94,
    'lchown',
    'const char *filename, uid_t user, gid_t group',
    (kernel, task, name, uid, gid) =>
      chownAt(kernel, task, AT_FDCWD, name, uid, gid, AT_SYMLINK_NOFOLLOW),
  ),
  syscall(162, 'sync', '', () => 0),
  syscall(
    260,
    'fchownat',
    'int dfd, const char *filename, uid_t user, gid_t group, int flag',
    (kernel, task, dfd, name, uid, gid, flags) => chownAt(kernel, task, dfd, name, uid, gid, flags),
  ),
  syscall(
    268,
    'fchmodat',
    'int dfd, const char *filename, umode_t mode',
    (kernel, task, dfd, name, mode) =>
      chmod(kernel, task.cred, pathArg(kernel.vfs, task, dfd, name, true), mode),
  ),
  syscall(
    280,
    'utimensat',
    'int dfd, const char *filename, struct __kernel_timespec *utimes, int flags',
    (kernel, task, dfd, name, times, flags) => utimensat(kernel, task, dfd, name, times, flags),
  ),
];
