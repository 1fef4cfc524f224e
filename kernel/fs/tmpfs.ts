/**
 * tmpfs: files whose content is host memory, outside the machine's RAM; also serves as rootfs and,
 * with device nodes in it, as devtmpfs.
 *
 *   new Tmpfs({type, dev, now, maxBytes, options, pipes})
 *   fs.root                        a TmpfsDirectory
 *
 * `// differs:` contents do not use the machine's page cache; `maxBytes` bounds them (-ENOSPC).
 */
import { errno } from '../types/errno.ts';
import { encodeText } from '../types/text.ts';
import type { Ns } from '../types/units.ts';
import { BaseInode } from './inode.ts';
import { isDirectory } from './namei.ts';
import type { DirectoryEntry, FileOps, FileSystem, Inode } from './vfs-types.ts';
import { S_IFDIR, S_IFLNK, S_IFREG } from './vfs-types.ts';

export interface TmpfsOptions {
  /** 'tmpfs', 'devtmpfs', 'rootfs'. */
  readonly type?: string;
  readonly dev: number;
  readonly now: () => Ns;
  /** Contents of all files together. */
  readonly maxBytes: number;
  /** As /proc/mounts shows them. */
  readonly options?: string;
  readonly rootMode?: number;
}

/** UAPI linux/magic.h */
const TMPFS_MAGIC = 0x01021994;

export class Tmpfs implements FileSystem {
  readonly type: string;
  readonly dev: number;
  readonly magic = TMPFS_MAGIC;
  readonly options?: string;
  readonly now: () => Ns;
  readonly root: TmpfsDirectory;
  readonly #maxBytes: number;
  #usedBytes = 0;
  #nextIno = 1;

  constructor(options: TmpfsOptions) {
    this.type = options.type ?? 'tmpfs';
    this.dev = options.dev;
    this.now = options.now;
    this.#maxBytes = options.maxBytes;
    if (options.options !== undefined) this.options = options.options;
    this.root = new TmpfsDirectory(this, S_IFDIR | (options.rootMode ?? 0o755));
  }

  nextIno(): number {
    return this.#nextIno++;
  }

  /** Account for a change of a file's size; false if the file system is full. */
  charge(bytes: number): boolean {
    if (this.#usedBytes + bytes > this.#maxBytes) return false;
    this.#usedBytes += bytes;
    return true;
  }

  usage() {
    const freeBytes = this.#maxBytes - this.#usedBytes;
    return { totalBytes: this.#maxBytes, freeBytes, inodes: this.#nextIno - 1 };
  }
}

/** Any tmpfs inode; `fs` narrowed, so that content changes can be charged. */
abstract class TmpfsInode extends BaseInode {
  declare readonly fs: Tmpfs;

  constructor(fs: Tmpfs, mode: number, rdev = 0) {
    super(fs, fs.nextIno(), mode, fs.now(), rdev);
  }

  protected touch(): void {
    this.mtime = this.ctime = this.fs.now();
  }
}

export class TmpfsFile extends TmpfsInode {
  #content = new Uint8Array(0);
  #opens = 0;
  readonly #ops: FileOps = {
    read: (count, position) => this.read(count, position),
    write: (data, position) => this.write(data, position),
    release: () => {
      this.#opens--;
      this.discardIfUnused();
    },
  };

  open(): FileOps {
    this.#opens++;
    return this.#ops;
  }

  /** Without a name and without an open file, the content is gone. */
  discardIfUnused(): void {
    if (this.nlink > 0 || this.#opens > 0) return;
    this.fs.charge(-this.size);
    this.#content = new Uint8Array(0);
    this.size = 0;
  }

  read(count: number, position: number): Uint8Array {
    return this.#content.slice(position, Math.min(position + count, this.size));
  }

  write(data: Uint8Array, position: number): number {
    const end = position + data.length;
    if (end > this.size) {
      const refused = this.#resize(end);
      if (refused < 0) return refused;
    }
    this.#content.set(data, position);
    if (data.length > 0) this.touch();
    return data.length;
  }

  truncate(sizeBytes: number): number {
    const refused = this.#resize(sizeBytes);
    if (refused === 0) this.touch();
    return refused;
  }

  /** Capacity doubles, so that appending is linear in all; the bytes past `size` stay zero. */
  #resize(sizeBytes: number): number {
    if (!this.fs.charge(sizeBytes - this.size)) return -errno.ENOSPC;
    if (sizeBytes > this.#content.length) {
      const capacity = Math.max(sizeBytes, Math.min(this.#content.length * 2, sizeBytes + 2 ** 24));
      const grown = new Uint8Array(capacity);
      grown.set(this.#content);
      this.#content = grown;
    } else if (sizeBytes < this.size) {
      this.#content.fill(0, sizeBytes, this.size);
    }
    this.size = sizeBytes;
    return 0;
  }
}

class TmpfsSymlink extends TmpfsInode {
  readonly #target: string;

  constructor(fs: Tmpfs, target: string) {
    super(fs, S_IFLNK | 0o777);
    this.#target = target;
    this.size = encodeText(target).length;
  }

  readlink(): string {
    return this.#target;
  }
}

/** FIFOs, sockets and device nodes: what opening one means is the VFS's business. */
class TmpfsSpecial extends TmpfsInode {}

/** What tmpfs says that an entry takes (mm/shmem.c, BOGO_DIRENT_SIZE). */
const ENTRY_BYTES = 20;

export class TmpfsDirectory extends TmpfsInode {
  readonly #entries = new Map<string, Inode>();

  constructor(fs: Tmpfs, mode: number) {
    super(fs, mode);
    this.size = 2 * ENTRY_BYTES;
  }

  protected override touch(): void {
    super.touch();
    this.size = (2 + this.#entries.size) * ENTRY_BYTES;
  }

  lookup(name: string): Inode | number {
    return this.#entries.get(name) ?? -errno.ENOENT;
  }

  readdir(): readonly DirectoryEntry[] {
    return [...this.#entries].map(([name, inode]) => ({ name, inode }));
  }

  create(name: string, mode: number): TmpfsFile {
    return this.#add(name, new TmpfsFile(this.fs, S_IFREG | mode));
  }

  mkdir(name: string, mode: number): TmpfsDirectory {
    this.nlink++;
    return this.#add(name, new TmpfsDirectory(this.fs, S_IFDIR | mode));
  }

  symlink(name: string, target: string): Inode {
    return this.#add(name, new TmpfsSymlink(this.fs, target));
  }

  mknod(name: string, mode: number, rdev: number): Inode {
    return this.#add(name, new TmpfsSpecial(this.fs, mode, rdev));
  }

  link(name: string, inode: Inode): number {
    inode.nlink++;
    inode.ctime = this.fs.now();
    this.#add(name, inode);
    return 0;
  }

  unlink(name: string): number {
    const inode = this.#entries.get(name);
    if (!inode) return -errno.ENOENT;
    this.#entries.delete(name);
    inode.nlink--;
    inode.ctime = this.fs.now();
    this.touch();
    if (inode instanceof TmpfsFile) inode.discardIfUnused();
    return 0;
  }

  rmdir(name: string): number {
    const inode = this.#entries.get(name);
    if (!inode) return -errno.ENOENT;
    if (!(inode instanceof TmpfsDirectory)) return -errno.ENOTDIR;
    if (inode.#entries.size > 0) return -errno.ENOTEMPTY;
    this.#entries.delete(name);
    this.nlink--;
    inode.nlink = 0;
    this.touch();
    return 0;
  }

  /** The VFS has checked kinds and permissions; what is replaced must be an empty directory. */
  rename(name: string, to: Inode, newName: string): number {
    const inode = this.#entries.get(name);
    if (!inode || !(to instanceof TmpfsDirectory)) return -errno.ENOENT;
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
    inode.ctime = this.fs.now();
    this.touch();
    to.touch();
    return 0;
  }

  #add<T extends Inode>(name: string, inode: T): T {
    this.#entries.set(name, inode);
    this.touch();
    return inode;
  }
}
