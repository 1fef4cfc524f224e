/**
 * Who asks, and whether the mode bits let them.
 *
 *   inodePermission(inode, cred, MAY_READ | MAY_WRITE)   0 or -EACCES
 *   isOwnerOrCapable(inode, cred)                        chmod, utimes, sticky directories
 *
 * `Cred` is what the file system needs of a task's credentials; the task has more.
 */
import { errno } from '../types/errno.ts';
import type { Inode } from './vfs-types.ts';
import { S_IFDIR, S_IFMT } from './vfs-types.ts';

export interface Cred {
  readonly fsuid: number;
  readonly fsgid: number;
  readonly groups: readonly number[];
  /** Is this capability in the effective set? */
  capable(capability: number): boolean;
}

/** UAPI linux/capability.h, those that file systems and ttys ask for. */
export const CAP_CHOWN = 0;
export const CAP_DAC_OVERRIDE = 1;
export const CAP_DAC_READ_SEARCH = 2;
export const CAP_FOWNER = 3;
export const CAP_FSETID = 4;
export const CAP_SYS_CHROOT = 18;
export const CAP_SYS_PTRACE = 19;
export const CAP_SYS_ADMIN = 21;
export const CAP_SYS_RESOURCE = 24;
export const CAP_SYS_TTY_CONFIG = 26;
export const CAP_MKNOD = 27;

export const MAY_EXEC = 1;
export const MAY_WRITE = 2;
export const MAY_READ = 4;

/** The kernel itself: may do everything. */
export const KERNEL_CRED: Cred = { fsuid: 0, fsgid: 0, groups: [], capable: () => true };

export function inGroup(cred: Cred, gid: number): boolean {
  return cred.fsgid === gid || cred.groups.includes(gid);
}

export function inodePermission(inode: Inode, cred: Cred, mask: number): number {
  if (inode.permission) return inode.permission(mask, cred);
  return modePermission(inode, cred, mask);
}

/** generic_permission: the class that applies decides alone, then capabilities may override. */
export function modePermission(inode: Inode, cred: Cred, mask: number): number {
  let bits = inode.mode;
  if (cred.fsuid === inode.uid) bits >>= 6;
  else if (inGroup(cred, inode.gid)) bits >>= 3;
  if ((mask & ~bits & 7) === 0) return 0;
  if ((inode.mode & S_IFMT) === S_IFDIR) {
    if (!(mask & MAY_WRITE) && cred.capable(CAP_DAC_READ_SEARCH)) return 0;
    return cred.capable(CAP_DAC_OVERRIDE) ? 0 : -errno.EACCES;
  }
  if (mask === MAY_READ && cred.capable(CAP_DAC_READ_SEARCH)) return 0;
  const executable = (inode.mode & 0o111) !== 0;
  if ((!(mask & MAY_EXEC) || executable) && cred.capable(CAP_DAC_OVERRIDE)) return 0;
  return -errno.EACCES;
}

export function isOwnerOrCapable(inode: Inode, cred: Cred): boolean {
  return cred.fsuid === inode.uid || cred.capable(CAP_FOWNER);
}
