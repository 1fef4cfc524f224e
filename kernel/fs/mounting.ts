/** mount(2): new mounts, bind mounts, moves and remounts. 0 or -errno. */
import { errno } from '../types/errno.ts';
import { CAP_SYS_ADMIN } from './cred.ts';
import {
  MS_BIND,
  MS_MOVE,
  MS_NOATIME,
  MS_NODEV,
  MS_NOEXEC,
  MS_NOSUID,
  MS_RDONLY,
  MS_RELATIME,
  MS_REMOUNT,
} from './fcntl.ts';
import type { Path } from './mount.ts';
import { lookup } from './namei.ts';
import type { FsTask, Vfs } from './vfs.ts';

export interface MountRequest {
  readonly source: string;
  readonly at: Path;
  readonly type: string;
  readonly flags: number;
  readonly options: string;
}

/** Upper half of `flags` in calls as old as Linux 2.4 (MS_MGC_VAL). */
const MAGIC = 0xc0ed;
/** MS_UNBINDABLE, MS_PRIVATE, MS_SLAVE, MS_SHARED: propagation, which one namespace has none of. */
const PROPAGATION = (1 << 17) | (1 << 18) | (1 << 19) | (1 << 20);
/** Flags that belong to a mount and that /proc/mounts shows. */
const KEPT = MS_RDONLY | MS_NOSUID | MS_NODEV | MS_NOEXEC | MS_NOATIME;

export function mountAt(vfs: Vfs, task: FsTask, request: MountRequest): number {
  if (!task.cred.capable(CAP_SYS_ADMIN)) return -errno.EPERM;
  const flags = request.flags >>> 16 === MAGIC ? request.flags & 0xffff : request.flags;
  const { at, source, type, options } = request;
  const kept = (flags & KEPT) | (flags & MS_NOATIME ? 0 : MS_RELATIME);
  if (flags & MS_REMOUNT) {
    if (at.dentry !== at.mount.root) return -errno.EINVAL;
    at.mount.flags = kept;
    return 0;
  }
  if (flags & (MS_BIND | MS_MOVE)) {
    const walk = vfs.walkOf(task);
    const from = lookup(walk, task.fs!.cwd, source);
    if (typeof from === 'number') return from;
    return flags & MS_BIND ? vfs.mounts.bind(from, at) : vfs.mounts.move(from, at);
  }
  if (flags & PROPAGATION) return 0;
  if (type === '') return -errno.EINVAL;
  const make = vfs.fileSystemTypes.get(type);
  if (!make) return -errno.ENODEV;
  const fs = make(options, source);
  if (typeof fs === 'number') return fs;
  return vfs.mounts.mount(fs, at, kept, source || 'none');
}
