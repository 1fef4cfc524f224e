/**
 * bpffs: names for BPF objects, which live as long as they are pinned.
 *
 *   pinObject(vfs, task, path, object)     OBJ_PIN: 0 or -errno; takes one reference on success
 *   pinnedObject(vfs, task, path, write)   OBJ_GET: the object, or -errno; no reference taken
 *
 * rm unpins; mkdir, rename, link and symlink work as in any tree; names may hold no dot.
 */
import { errno } from '../types/errno.ts';
import type { Ns } from '../types/units.ts';
import { inodePermission, MAY_READ, MAY_WRITE } from './cred.ts';
import { BaseInode } from './inode.ts';
import { isDirectory, lookup, mayCreate, resolve } from './namei.ts';
import { setNewOwner } from './open.ts';
import type { DirectoryEntry, FileOps, FileSystem, Inode } from './vfs-types.ts';
import { S_IFDIR, S_IFLNK, S_IFREG } from './vfs-types.ts';
import type { FsTask, Vfs } from './vfs.ts';

/** UAPI linux/magic.h */
const BPF_FS_MAGIC = 0xcafe4a11;

const ALL_MAY = 0o777;
const STICKY = 0o1000;

/** What can be pinned: a reference-counted object. */
export interface Pinnable {
  putUser(): void;
}

/** Opens a pinned file, for objects that have something to show (iterators). */
export type OpenPinned = (flags: number) => FileOps | number;

export class Bpffs implements FileSystem {
  readonly type = 'bpf';
  readonly magic = BPF_FS_MAGIC;
  readonly dev: number;
  readonly options: string;
  readonly root: BpffsDirectory;
  readonly now: () => Ns;
  #nextIno = 1;

  /** @param options of mount: `mode=` the root's permissions; what it does not know is ignored. */
  constructor(dev: number, now: () => Ns, options = '') {
    this.dev = dev;
    this.now = now;
    const mode = /(?:^|,)mode=([0-7]+)/.exec(options)?.[1];
    const permissions = mode === undefined ? ALL_MAY : parseInt(mode, 8) & 0o7777;
    this.options = permissions === ALL_MAY ? '' : `mode=${permissions.toString(8)}`;
    this.root = new BpffsDirectory(this, permissions | STICKY);
  }

  nextIno(): number {
    return this.#nextIno++;
  }
}

class PinnedInode extends BaseInode {
  readonly object: Pinnable;

  readonly #open: OpenPinned | undefined;

  constructor(fs: Bpffs, mode: number, object: Pinnable, open: OpenPinned | undefined) {
    super(fs, fs.nextIno(), S_IFREG | mode, fs.now());
    this.object = object;
    this.#open = open;
  }

  /** Objects are reached through bpf(2), not by opening the file. */
  open(flags: number): FileOps | number {
    return this.#open?.(flags) ?? -errno.EIO;
  }
}

class BpffsSymlink extends BaseInode {
  readonly #target: string;

  constructor(fs: Bpffs, target: string) {
    super(fs, fs.nextIno(), S_IFLNK | 0o777, fs.now());
    this.#target = target;
    this.size = target.length;
  }

  readlink(): string {
    return this.#target;
  }
}

export class BpffsDirectory extends BaseInode {
  declare readonly fs: Bpffs;
  readonly #entries = new Map<string, Inode>();

  constructor(fs: Bpffs, mode: number) {
    super(fs, fs.nextIno(), S_IFDIR | mode, fs.now());
  }

  lookup(name: string): Inode | number {
    // Dots are kept for future use (kernel/bpf/inode.c).
    if (name.includes('.')) return -errno.EPERM;
    return this.#entries.get(name) ?? -errno.ENOENT;
  }

  readdir(): readonly DirectoryEntry[] {
    return [...this.#entries].map(([name, inode]) => ({ name, inode }));
  }

  mkdir(name: string, mode: number): Inode | number {
    this.nlink++;
    return this.#add(name, new BpffsDirectory(this.fs, mode));
  }

  symlink(name: string, target: string): Inode | number {
    return this.#add(name, new BpffsSymlink(this.fs, target));
  }

  pin(name: string, mode: number, object: Pinnable, open?: OpenPinned): Inode {
    return this.#add(name, new PinnedInode(this.fs, mode, object, open));
  }

  link(name: string, inode: Inode): number {
    if (inode.fs !== this.fs) return -errno.EXDEV;
    inode.nlink++;
    this.#add(name, inode);
    return 0;
  }

  unlink(name: string): number {
    const inode = this.#entries.get(name);
    if (!inode) return -errno.ENOENT;
    this.#entries.delete(name);
    this.mtime = this.ctime = this.fs.now();
    if (--inode.nlink === 0 && inode instanceof PinnedInode) inode.object.putUser();
    return 0;
  }

  rmdir(name: string): number {
    const inode = this.#entries.get(name);
    if (!(inode instanceof BpffsDirectory)) return inode ? -errno.ENOTDIR : -errno.ENOENT;
    if (inode.#entries.size > 0) return -errno.ENOTEMPTY;
    this.#entries.delete(name);
    this.nlink--;
    inode.nlink = 0;
    return 0;
  }

  rename(name: string, to: Inode, newName: string): number {
    const inode = this.#entries.get(name);
    if (!inode || !(to instanceof BpffsDirectory)) return -errno.ENOENT;
    if (newName.includes('.')) return -errno.EPERM;
    const replaced = to.#entries.get(newName);
    if (replaced) {
      const removed = isDirectory(replaced) ? to.rmdir(newName) : to.unlink(newName);
      if (removed < 0) return removed;
    }
    this.#entries.delete(name);
    to.#entries.set(newName, inode);
    if (isDirectory(inode)) {
      this.nlink--;
      to.nlink++;
    }
    return 0;
  }

  #add<T extends Inode>(name: string, inode: T): T {
    this.#entries.set(name, inode);
    this.mtime = this.ctime = this.fs.now();
    return inode;
  }
}

export function pinObject(
  vfs: Vfs,
  task: FsTask,
  path: string,
  object: Pinnable,
  open?: OpenPinned,
): number {
  const resolved = resolve(vfs.walkOf(task), task.fs!.cwd, path, { follow: false });
  if (typeof resolved === 'number') return resolved;
  const { found, parent, last } = resolved;
  if (typeof found !== 'number') return -errno.EEXIST;
  if (found !== -errno.ENOENT) return found;
  const refused = mayCreate(parent, task.cred);
  if (refused < 0) return refused;
  const directory = parent.dentry.inode;
  // In procfs no name can be made up; elsewhere this is no bpffs.
  if (directory.fs.type === 'proc') return -errno.ENOENT;
  if (!(directory instanceof BpffsDirectory)) return -errno.EPERM;
  const inode = directory.pin(last, 0o600 & ~task.fs!.umask, object, open);
  setNewOwner(inode, directory, task.cred);
  return 0;
}

export function pinnedObject(
  vfs: Vfs,
  task: FsTask,
  path: string,
  write: boolean,
): Pinnable | number {
  const found = lookup(vfs.walkOf(task), task.fs!.cwd, path);
  if (typeof found === 'number') return found;
  const { inode } = found.dentry;
  const refused = inodePermission(inode, task.cred, MAY_READ | (write ? MAY_WRITE : 0));
  if (refused < 0) return refused;
  return inode instanceof PinnedInode ? inode.object : -errno.EACCES;
}
