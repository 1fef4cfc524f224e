/** What all our inodes share: identity, mode, owner, times. File systems add the operations. */
import type { Ns } from '../types/units.ts';
import type { FileSystem, Inode } from './vfs-types.ts';
import { S_IFBLK, S_IFCHR, S_IFDIR, S_IFMT } from './vfs-types.ts';

export abstract class BaseInode implements Inode {
  readonly ino: number;
  readonly fs: FileSystem;
  readonly rdev: number;
  mode: number;
  uid = 0;
  gid = 0;
  nlink = 1;
  size = 0;
  mtime: Ns;
  atime: Ns;
  ctime: Ns;

  constructor(fs: FileSystem, ino: number, mode: number, now: Ns, rdev = 0) {
    this.fs = fs;
    this.ino = ino;
    this.mode = mode;
    this.rdev = rdev;
    this.mtime = this.atime = this.ctime = now;
    if ((mode & S_IFMT) === S_IFDIR) this.nlink = 2;
  }
}

export const isDevice = (inode: Inode): boolean => {
  const type = inode.mode & S_IFMT;
  return type === S_IFCHR || type === S_IFBLK;
};

/** dev_t as stat(2) and mknod(2) carry it (linux/kdev_t.h, new_encode_dev). */
export const makeDev = (major: number, minor: number): number =>
  (minor & 0xff) | (major << 8) | ((minor & ~0xff) << 12);
export const majorOf = (dev: number): number => (dev >>> 8) & 0xfff;
export const minorOf = (dev: number): number => (dev & 0xff) | ((dev >>> 12) & 0xfff00);
