/**
 * open(2): from a name to a File, with all checks that Linux makes on the way.
 *
 *   openAt(vfs, task, start, name, flags, mode)   File or -errno; may sleep (FIFOs)
 *   openInode(vfs, path, flags)                   the driver's part, no checks (also reopening
 *                                                 through /proc/PID/fd)
 */
import type { MaySleep } from '../sched/flow.ts';
import { errno } from '../types/errno.ts';
import type { Cred } from './cred.ts';
import { inGroup, inodePermission, MAY_READ, MAY_WRITE } from './cred.ts';
import {
  MS_NODEV,
  O_ACCMODE,
  O_CLOEXEC,
  O_CREAT,
  O_DIRECTORY,
  O_EXCL,
  O_NOCTTY,
  O_NOFOLLOW,
  O_PATH,
  O_RDWR,
  O_TRUNC,
  O_WRONLY,
} from './fcntl.ts';
import { andThen, File } from './file.ts';
import { isDevice } from './inode.ts';
import type { Path } from './mount.ts';
import { isDirectory, isSymlink, mayCreate, resolve } from './namei.ts';
import type { FileOps, Inode } from './vfs-types.ts';
import { S_IFCHR, S_IFIFO, S_IFMT, S_IFREG, S_IFSOCK } from './vfs-types.ts';
import type { FsTask, Vfs } from './vfs.ts';

/** Flags that say how to open and are not kept (do_dentry_open). */
const ONLY_AT_OPEN = O_CREAT | O_EXCL | O_NOCTTY | O_TRUNC | O_CLOEXEC;

export function openAt(
  vfs: Vfs,
  task: FsTask,
  start: Path,
  name: string,
  flags: number,
  mode: number,
): MaySleep<File | number> {
  const walk = vfs.walkOf(task);
  const wantsNew = (flags & O_CREAT) !== 0 && !(flags & O_PATH);
  const exclusive = wantsNew && (flags & O_EXCL) !== 0;
  const follow = !(flags & O_NOFOLLOW) && !exclusive;
  const resolved = resolve(walk, start, name, { follow });
  if (typeof resolved === 'number') return resolved;
  const { found, parent, last, trailingSlash } = resolved;
  if (wantsNew && trailingSlash) return -errno.EISDIR;
  if (typeof found === 'number') {
    if (found !== -errno.ENOENT || !wantsNew) return found;
    return createAndOpen(vfs, task, parent, last, flags, mode);
  }
  const { inode } = found.dentry;
  if (exclusive) return -errno.EEXIST;
  if (wantsNew && isDirectory(inode)) return -errno.EISDIR;
  if (flags & O_DIRECTORY && !isDirectory(inode)) return -errno.ENOTDIR;
  if (flags & O_PATH) return new File(found, {}, flags & (O_PATH | O_DIRECTORY | O_NOFOLLOW));
  const refused = mayOpen(found, walk.cred, flags);
  if (refused < 0) return refused;
  return andThen(openInode(vfs, found, flags), (file) => {
    if (typeof file !== 'number' && flags & O_TRUNC) {
      const truncated = inode.truncate?.(0) ?? 0;
      if (truncated < 0) {
        file.put();
        return truncated;
      }
    }
    return file;
  });
}

function createAndOpen(
  vfs: Vfs,
  task: FsTask,
  parent: Path,
  last: string,
  flags: number,
  mode: number,
): MaySleep<File | number> {
  const refused = mayCreate(parent, task.cred);
  if (refused < 0) return refused;
  const directory = parent.dentry.inode;
  const made = directory.create?.(last, mode & ~task.fs!.umask & 0o7777) ?? -errno.EACCES;
  if (typeof made === 'number') return made;
  setNewOwner(made, directory, task.cred);
  const dentry = parent.dentry.child(last);
  if (typeof dentry === 'number') return dentry;
  return openInode(vfs, { mount: parent.mount, dentry }, flags);
}

/** Owner of a new inode: the maker; its group is the directory's where that is setgid. */
export function setNewOwner(inode: Inode, directory: Inode, cred: Cred): void {
  inode.uid = cred.fsuid;
  inode.gid = cred.fsgid;
  if (!(directory.mode & 0o2000)) {
    // A group that the maker is not in cannot be given away by way of setgid.
    if (!isDirectory(inode) && inode.mode & 0o2000 && !inGroup(cred, inode.gid)) {
      inode.mode &= ~0o2000;
    }
    return;
  }
  inode.gid = directory.gid;
  if (isDirectory(inode)) inode.mode |= 0o2000;
}

function mayOpen(path: Path, cred: Cred, flags: number): number {
  const { inode } = path.dentry;
  const access = flags & O_ACCMODE;
  let mask = 0;
  if (access !== O_WRONLY) mask |= MAY_READ;
  if (access === O_WRONLY || access === O_RDWR || flags & O_TRUNC) mask |= MAY_WRITE;
  if (isSymlink(inode)) return -errno.ELOOP;
  if (isDirectory(inode) && mask & MAY_WRITE) return -errno.EISDIR;
  if (isDevice(inode) && path.mount.flags & MS_NODEV) return -errno.EACCES;
  const isRegular = (inode.mode & S_IFMT) === S_IFREG;
  if (isRegular && mask & MAY_WRITE && path.mount.readOnly) return -errno.EROFS;
  return inodePermission(inode, cred, mask);
}

export function openInode(vfs: Vfs, path: Path, flags: number): MaySleep<File | number> {
  const kept = flags & ~ONLY_AT_OPEN;
  return andThen(driverOpen(vfs, path.dentry.inode, flags), (ops) =>
    typeof ops === 'number' ? ops : new File(path, ops, kept),
  );
}

function driverOpen(vfs: Vfs, inode: Inode, flags: number): MaySleep<FileOps | number> {
  if (inode.open) return inode.open(flags);
  switch (inode.mode & S_IFMT) {
    case S_IFIFO:
      return vfs.fifo(inode).open(flags);
    case S_IFCHR:
      return vfs.charDevices.get(inode.rdev)?.(flags) ?? -errno.ENXIO;
    case S_IFSOCK:
      return -errno.ENXIO;
    default:
      return isDirectory(inode) ? {} : -errno.ENXIO;
  }
}
