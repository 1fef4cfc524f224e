/**
 * The contracts between the VFS and what plugs into it: file systems give inodes, inodes give
 * files. Errors are negative errnos, as in Linux; bytes are kernel-side copies, and the syscall
 * layer moves them to and from user memory.
 */
import type { MaySleep } from '../sched/flow.ts';
import type { Ns } from '../types/units.ts';

/** st_mode type bits (UAPI linux/stat.h). */
export const S_IFMT = 0o170000;
export const S_IFSOCK = 0o140000;
export const S_IFLNK = 0o120000;
export const S_IFREG = 0o100000;
export const S_IFBLK = 0o060000;
export const S_IFDIR = 0o040000;
export const S_IFCHR = 0o020000;
export const S_IFIFO = 0o010000;

export interface Inode {
  readonly ino: number;
  /** Type and permission bits. */
  mode: number;
  uid: number;
  gid: number;
  nlink: number;
  /** Bytes. */
  size: number;
  /** Device number for character and block devices. */
  readonly rdev: number;
  mtime: Ns;
  readonly fs: FileSystem;
  /** Directories. A negative errno where the entry does not exist or the act is refused. */
  lookup?(name: string): Inode | number;
  readdir?(): readonly { readonly name: string; readonly inode: Inode }[];
  create?(name: string, mode: number): Inode | number;
  mkdir?(name: string, mode: number): Inode | number;
  symlink?(name: string, target: string): Inode | number;
  link?(name: string, inode: Inode): number;
  unlink?(name: string): number;
  rmdir?(name: string): number;
  rename?(name: string, to: Inode, newName: string): number;
  /** Symbolic links. */
  readlink?(): string;
  /** Called once per open; the returned object serves that open file. */
  open?(flags: number): FileOps | number;
  truncate?(sizeBytes: number): number;
}

/** POLLIN and so on (UAPI asm-generic/poll.h). */
export const POLLIN = 0x1;
export const POLLOUT = 0x4;
export const POLLERR = 0x8;
export const POLLHUP = 0x10;

/** The operations behind one open file. Position is the VFS's, except for streams. */
export interface FileOps {
  /** True for pipes, ttys, sockets: no position, lseek is -ESPIPE. */
  readonly stream?: boolean;
  /** Up to `count` bytes at `position`; an empty array is the end of file. */
  read?(count: number, position: number, flags: number): MaySleep<Uint8Array | number>;
  /** Bytes written, or a negative errno. */
  write?(data: Uint8Array, position: number, flags: number): MaySleep<number>;
  /** `arg` is a number or a user address; the handler gets memory access from the current task. */
  ioctl?(command: number, arg: number): MaySleep<number>;
  /** Ready events now; `watch` is called with wait queues that announce a change. */
  poll?(watch: (queue: PollSource) => void): number;
  /** Last reference is gone. */
  release?(): void;
  /** fdinfo lines beyond pos, flags and mnt_id. */
  fdinfo?(): string;
  /** Name in /proc/PID/fd, e.g. 'anon_inode:bpf-map', 'pipe:[12]'. */
  readonly linkName?: string;
  /** Anything a subsystem wants to recognise its own files by (a map, a program, a socket). */
  readonly object?: object;
}

/** Something one can wait on; implemented by sched's WaitQueue. */
export interface PollSource {
  wakeAll(): void;
}

export interface FileSystem {
  /** 'tmpfs', 'proc', 'tracefs', 'bpf', … as in /proc/mounts. */
  readonly type: string;
  readonly root: Inode;
  /** st_dev */
  readonly dev: number;
}
