/**
 * Names: making, removing, linking, renaming. Each takes the walker's task, a directory that
 * relative names start from, and returns 0 or -errno.
 *
 *   mkdirAt, mknodAt, symlinkAt, linkAt, unlinkAt, rmdirAt, renameAt
 */
import { errno } from '../types/errno.ts';
import type { Cred } from './cred.ts';
import { CAP_DAC_READ_SEARCH, CAP_MKNOD, inodePermission, MAY_WRITE } from './cred.ts';
import { RENAME_NOREPLACE } from './fcntl.ts';
import type { Path } from './mount.ts';
import type { Resolved } from './namei.ts';
import { isDirectory, lookup, mayCreate, mayDelete, resolve } from './namei.ts';
import { setNewOwner } from './open.ts';
import type { Inode } from './vfs-types.ts';
import { S_IFBLK, S_IFCHR, S_IFDIR, S_IFIFO, S_IFMT, S_IFREG, S_IFSOCK } from './vfs-types.ts';
import type { FsTask, Vfs } from './vfs.ts';

const isDots = (last: string): boolean => last === '' || last === '.' || last === '..';

/** The place for a new entry: its directory and name, or -errno (-EEXIST if it is taken). */
function placeForNew(
  vfs: Vfs,
  task: FsTask,
  start: Path,
  name: string,
  slashAllowed: boolean,
): Resolved | number {
  // Only a directory may be asked for with a trailing slash; it is no part of the new name.
  const bare = name.replace(/\/+$/, '') || name;
  const resolved = resolve(vfs.walkOf(task), start, bare, { follow: false });
  if (typeof resolved === 'number') return resolved;
  if (typeof resolved.found !== 'number' || isDots(resolved.last)) return -errno.EEXIST;
  if (resolved.found !== -errno.ENOENT) return resolved.found;
  if (bare !== name && !slashAllowed) return -errno.ENOENT;
  const refused = mayCreate(resolved.parent, task.cred);
  return refused < 0 ? refused : resolved;
}

/** Give a fresh inode its owner; passes errors on. */
function adopt(made: Inode | number | undefined, parent: Path, cred: Cred): number {
  if (made === undefined) return -errno.EPERM;
  if (typeof made === 'number') return made;
  setNewOwner(made, parent.dentry.inode, cred);
  return 0;
}

export function mkdirAt(vfs: Vfs, task: FsTask, start: Path, name: string, mode: number): number {
  const place = placeForNew(vfs, task, start, name, true);
  if (typeof place === 'number') return place;
  const made = place.parent.dentry.inode.mkdir?.(place.last, mode & ~task.fs!.umask & 0o1777);
  return adopt(made, place.parent, task.cred);
}

export function mknodAt(
  vfs: Vfs,
  task: FsTask,
  start: Path,
  name: string,
  mode: number,
  rdev: number,
): number {
  const type = mode & S_IFMT || S_IFREG;
  if (type === S_IFDIR) return -errno.EPERM;
  if (![S_IFREG, S_IFIFO, S_IFSOCK, S_IFCHR, S_IFBLK].includes(type)) return -errno.EINVAL;
  const place = placeForNew(vfs, task, start, name, false);
  if (typeof place === 'number') return place;
  const isNode = type === S_IFCHR || type === S_IFBLK;
  if (isNode && !task.cred.capable(CAP_MKNOD)) return -errno.EPERM;
  const { inode } = place.parent.dentry;
  const permissions = mode & ~task.fs!.umask & 0o7777;
  const made =
    type === S_IFREG
      ? inode.create?.(place.last, permissions)
      : inode.mknod?.(place.last, type | permissions, isNode ? rdev : 0);
  return adopt(made, place.parent, task.cred);
}

export function symlinkAt(
  vfs: Vfs,
  task: FsTask,
  target: string,
  start: Path,
  name: string,
): number {
  if (target === '') return -errno.ENOENT;
  const place = placeForNew(vfs, task, start, name, false);
  if (typeof place === 'number') return place;
  const made = place.parent.dentry.inode.symlink?.(place.last, target);
  return adopt(made, place.parent, task.cred);
}

export function linkAt(
  vfs: Vfs,
  task: FsTask,
  from: Path | number,
  start: Path,
  name: string,
): number {
  if (typeof from === 'number') return from;
  const place = placeForNew(vfs, task, start, name, false);
  if (typeof place === 'number') return place;
  const { inode } = from.dentry;
  if (from.mount !== place.parent.mount) return -errno.EXDEV;
  if (isDirectory(inode)) return -errno.EPERM;
  // An inode whose last name is gone cannot come back; /proc/PID/fd would allow asking.
  if (inode.nlink === 0 && !task.cred.capable(CAP_DAC_READ_SEARCH)) return -errno.ENOENT;
  return place.parent.dentry.inode.link?.(place.last, inode) ?? -errno.EPERM;
}

export function unlinkAt(vfs: Vfs, task: FsTask, start: Path, name: string): number {
  const resolved = resolve(vfs.walkOf(task), start, name.replace(/\/+$/, '') || name, {
    follow: false,
  });
  if (typeof resolved === 'number') return resolved;
  const { found, parent, last } = resolved;
  if (isDots(last)) return -errno.EISDIR;
  if (typeof found === 'number') return found;
  const { inode } = found.dentry;
  if (name.endsWith('/')) return isDirectory(inode) ? -errno.EISDIR : -errno.ENOTDIR;
  const victim = parent.dentry.inode.lookup!(last);
  if (typeof victim === 'number') return victim;
  const refused = mayDelete(parent, victim, task.cred, false);
  if (refused < 0) return refused;
  if (found.mount !== parent.mount) return -errno.EBUSY;
  return parent.dentry.inode.unlink?.(last) ?? -errno.EPERM;
}

export function rmdirAt(vfs: Vfs, task: FsTask, start: Path, name: string): number {
  const resolved = resolve(vfs.walkOf(task), start, name.replace(/\/+$/, '') || name, {
    follow: false,
  });
  if (typeof resolved === 'number') return resolved;
  const { found, parent, last } = resolved;
  if (last === '.') return -errno.EINVAL;
  if (last === '..') return -errno.ENOTEMPTY;
  if (last === '') return -errno.EBUSY;
  if (typeof found === 'number') return found;
  const victim = parent.dentry.inode.lookup!(last);
  if (typeof victim === 'number') return victim;
  const refused = mayDelete(parent, victim, task.cred, true);
  if (refused < 0) return refused;
  if (found.mount !== parent.mount) return -errno.EBUSY;
  return parent.dentry.inode.rmdir?.(last) ?? -errno.EPERM;
}

export function renameAt(
  vfs: Vfs,
  task: FsTask,
  oldStart: Path,
  oldName: string,
  newStart: Path,
  newName: string,
  flags = 0,
): number {
  if (flags & ~RENAME_NOREPLACE) return -errno.EINVAL; // differs: no EXCHANGE, no WHITEOUT.
  const walk = vfs.walkOf(task);
  const stripped = (name: string) => name.replace(/\/+$/, '') || name;
  const from = resolve(walk, oldStart, stripped(oldName), { follow: false });
  if (typeof from === 'number') return from;
  const to = resolve(walk, newStart, stripped(newName), { follow: false });
  if (typeof to === 'number') return to;
  if (from.parent.mount !== to.parent.mount) return -errno.EXDEV;
  if (isDots(from.last)) return -errno.EBUSY;
  if (isDots(to.last)) return flags & RENAME_NOREPLACE ? -errno.EEXIST : -errno.EBUSY;
  if (typeof from.found === 'number') return from.found;
  if (typeof to.found === 'number' && to.found !== -errno.ENOENT) return to.found;
  const oldDentry = from.parent.dentry.child(from.last);
  if (typeof oldDentry === 'number') return oldDentry;
  const { inode } = oldDentry;
  const target = to.parent.dentry.child(to.last);
  const replaced = typeof target === 'number' ? undefined : target;
  if (replaced && flags & RENAME_NOREPLACE) return -errno.EEXIST;
  const withSlash = oldName.endsWith('/') || newName.endsWith('/');
  if (withSlash && !isDirectory(inode)) return -errno.ENOTDIR;
  if (to.parent.dentry.isBelowOrSame(oldDentry)) return -errno.EINVAL;
  if (replaced && from.parent.dentry.isBelowOrSame(replaced)) return -errno.ENOTEMPTY;
  if (replaced?.inode === inode) return 0;
  const refused = mayRename(from, to, inode, replaced?.inode, task.cred);
  if (refused < 0) return refused;
  if (vfs.mounts.isMountPoint(oldDentry)) return -errno.EBUSY;
  if (replaced && vfs.mounts.isMountPoint(replaced)) return -errno.EBUSY;
  const { inode: oldDirectory } = from.parent.dentry;
  if (!oldDirectory.rename) return -errno.EPERM;
  const result = oldDirectory.rename(from.last, to.parent.dentry.inode, to.last);
  if (result === 0) oldDentry.move(to.parent.dentry, to.last);
  return result;
}

function mayRename(
  from: Resolved,
  to: Resolved,
  inode: Inode,
  replaced: Inode | undefined,
  cred: Cred,
): number {
  const asDirectory = isDirectory(inode);
  let refused = mayDelete(from.parent, inode, cred, asDirectory);
  if (refused < 0) return refused;
  refused = replaced
    ? mayDelete(to.parent, replaced, cred, asDirectory)
    : mayCreate(to.parent, cred);
  if (refused < 0) return refused;
  // Moving a directory changes its '..'.
  if (asDirectory && from.parent.dentry !== to.parent.dentry) {
    return inodePermission(inode, cred, MAY_WRITE);
  }
  return 0;
}

/** link(2)'s source: its own follow flag, hence looked up apart. */
export function linkSource(
  vfs: Vfs,
  task: FsTask,
  start: Path,
  name: string,
  follow: boolean,
): Path | number {
  return lookup(vfs.walkOf(task), start, name, { follow });
}
