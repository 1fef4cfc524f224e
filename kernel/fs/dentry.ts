/**
 * Names in the tree. A dentry is one name of one inode below one parent; cwd, root, mount points
 * and open files hold on to dentries, so they keep their identity when something is renamed.
 *
 * The file system stays the truth: each lookup asks it, and a cached dentry is used again only if
 * it still stands for the same inode. File systems may therefore come and go with their entries
 * (procfs, bpffs) and need not tell anyone. There are no negative dentries.
 */
import type { Inode } from './vfs-types.ts';
import { errno } from '../types/errno.ts';

export class Dentry {
  name: string;
  /** The parent; a root has none. */
  parent: Dentry | undefined;
  readonly inode: Inode;
  readonly #children = new Map<string, Dentry>();

  constructor(name: string, parent: Dentry | undefined, inode: Inode) {
    this.name = name;
    this.parent = parent;
    this.inode = inode;
  }

  /** The entry `name` of this directory, or a negative errno. */
  child(name: string): Dentry | number {
    if (!this.inode.lookup) return -errno.ENOTDIR;
    const inode = this.inode.lookup(name);
    if (typeof inode === 'number') {
      this.#children.delete(name);
      return inode;
    }
    const cached = this.#children.get(name);
    if (cached?.inode === inode) return cached;
    const dentry = new Dentry(name, this, inode);
    this.#children.set(name, dentry);
    return dentry;
  }

  /** True once the name is gone or means something else: '(deleted)' in /proc/PID/fd. */
  get unlinked(): boolean {
    const { parent } = this;
    if (!parent) return false;
    return parent.inode.lookup?.(this.name) !== this.inode || parent.unlinked;
  }

  /** After the file system has renamed: take this dentry along, and what is below it. */
  move(parent: Dentry, name: string): void {
    const before = this.parent;
    if (before && before.#children.get(this.name) === this) before.#children.delete(this.name);
    this.parent = parent;
    this.name = name;
    parent.#children.set(name, this);
  }

  isBelowOrSame(ancestor: Dentry): boolean {
    return this === ancestor || (this.parent?.isBelowOrSame(ancestor) ?? false);
  }
}
