/**
 * The contracts between the VFS and what plugs into it: file systems give inodes, inodes give
 * files. Errors are negative errnos, as in Linux; bytes are kernel-side copies, and the syscall
 * layer moves them to and from user memory.
 */
import type { MappedPages, MmapRequest } from '../mm/file-mapping.ts';
import type { MaySleep } from '../sched/flow.ts';
import type { Ns } from '../types/units.ts';
import type { Cred } from './cred.ts';
import type { Path } from './mount.ts';

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
  /** Those of mtime where absent. */
  atime?: Ns;
  ctime?: Ns;
  readonly fs: FileSystem;
  /** Replaces the check of mode bits; `mask` is of MAY_READ and so on (cred.ts). */
  permission?(mask: number, cred: Cred): number;
  /** Directories have lookup. A negative errno where the entry does not exist or the act is refused. */
  lookup?(name: string): Inode | number;
  readdir?(): readonly DirectoryEntry[];
  create?(name: string, mode: number): Inode | number;
  mkdir?(name: string, mode: number): Inode | number;
  symlink?(name: string, target: string): Inode | number;
  /** FIFOs, sockets and device nodes; `mode` carries the type. */
  mknod?(name: string, mode: number, rdev: number): Inode | number;
  link?(name: string, inode: Inode): number;
  unlink?(name: string): number;
  rmdir?(name: string): number;
  rename?(name: string, to: Inode, newName: string): number;
  /** Symbolic links. */
  readlink?(): string | number;
  /** Links that lead to an object, whatever its name (/proc/PID/fd/N, cwd, exe). */
  magicLink?(): Path | number;
  /** Called once per open; the returned object serves that open file. A FIFO may sleep. */
  open?(flags: number): MaySleep<FileOps | number>;
  truncate?(sizeBytes: number): number;
}

export interface DirectoryEntry {
  readonly name: string;
  readonly inode: Inode;
}

/** POLLIN and so on (UAPI asm-generic/poll.h); epoll's have the same values. */
export const POLLIN = 0x1;
export const POLLPRI = 0x2;
export const POLLOUT = 0x4;
export const POLLERR = 0x8;
export const POLLHUP = 0x10;
export const POLLNVAL = 0x20;
export const POLLRDNORM = 0x40;
export const POLLRDBAND = 0x80;
export const POLLWRNORM = 0x100;
export const POLLWRBAND = 0x200;
export const POLLRDHUP = 0x2000;

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
  /** Positions that are not bytes (records of /dev/kmsg): the new one, or a negative errno. */
  seek?(offset: number, whence: number): number;
  /** Last reference is gone. */
  release?(): void;
  /** fdinfo lines beyond pos, flags and mnt_id. */
  fdinfo?(): string;
  /** Name in /proc/PID/fd, e.g. 'anon_inode:bpf-map', 'pipe:[12]'. */
  readonly linkName?: string;
  /** Pages to map into a process, or -errno; without it a mapping is a private copy. */
  mmap?(request: MmapRequest): MappedPages | number;
  /** Anything a subsystem wants to recognise its own files by (a map, a program, a socket). */
  readonly object?: object;
}

/** Something one can wait on; implemented by sched's WaitQueue. */
export interface PollSource {
  wakeAll(): void;
  /** Call `notify` at every wake-up; returns how to stop that. */
  subscribe(notify: () => void): () => void;
}

export interface FileSystem {
  /** 'tmpfs', 'proc', 'tracefs', 'bpf', … as in /proc/mounts. */
  readonly type: string;
  readonly root: Inode;
  /** st_dev */
  readonly dev: number;
  /** f_type of statfs(2) (UAPI linux/magic.h). */
  readonly magic?: number;
  /** Mount options beyond the flags, e.g. 'mode=755'. */
  readonly options?: string;
  /** Bytes in all and bytes left, where the file system keeps count. */
  usage?(): { readonly totalBytes: number; readonly freeBytes: number; readonly inodes: number };
}
