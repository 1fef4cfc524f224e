/**
 * Files by descriptor and by path: wrappers of the syscalls, one each, named as in C.
 * Results are 0 or more, or a negative errno; what has more to tell returns an object instead.
 */
import type { UserFlow } from '../../kernel/syscall/abi.ts';
import { layout } from './layout.ts';
import { NR } from './nr.ts';
import type { Process } from './process.ts';
import { CHUNK_BYTES, Stream } from './stdio.ts';
import { concatBytes, decodeCString, decodeText, encodeText } from './text.ts';

/** UAPI asm-generic/fcntl.h. */
export const O_RDONLY = 0;
export const O_WRONLY = 1;
export const O_RDWR = 2;
export const O_CREAT = 0o100;
export const O_EXCL = 0o200;
export const O_TRUNC = 0o1000;
export const O_APPEND = 0o2000;
export const O_NONBLOCK = 0o4000;
export const O_DIRECTORY = 0o200000;
export const O_CLOEXEC = 0o2000000;
export const AT_FDCWD = -100;
export const AT_SYMLINK_NOFOLLOW = 0x100;
export const SEEK_SET = 0;
export const SEEK_CUR = 1;
export const SEEK_END = 2;
export const F_DUPFD = 0;
export const F_GETFL = 3;
export const F_SETFL = 4;
export const F_DUPFD_CLOEXEC = 1030;
export const F_SETFD = 2;
export const FD_CLOEXEC = 1;
/** access(2). */
export const R_OK = 4;
export const W_OK = 2;
export const X_OK = 1;

/** `struct stat` of x86-64 (UAPI asm/stat.h). */
export const StatLayout = layout({
  dev: 'n64',
  ino: 'n64',
  nlink: 'n64',
  mode: 'u32',
  uid: 'u32',
  gid: 'u32',
  pad0: 'u32',
  rdev: 'n64',
  size: 's64',
  blksize: 's64',
  blocks: 's64',
  atimeSec: 's64',
  atimeNsec: 'n64',
  mtimeSec: 's64',
  mtimeNsec: 'n64',
  ctimeSec: 's64',
  ctimeNsec: 'n64',
  unused: 24,
});
export type Stat = ReturnType<typeof StatLayout.decode>;

/** `struct statfs` of x86-64 (UAPI asm-generic/statfs.h). */
export const StatfsLayout = layout({
  type: 's64',
  bsize: 's64',
  blocks: 'n64',
  bfree: 'n64',
  bavail: 'n64',
  files: 'n64',
  ffree: 'n64',
  fsid: 8,
  namelen: 's64',
  frsize: 's64',
  flags: 's64',
  spare: 32,
});
export type Statfs = ReturnType<typeof StatfsLayout.decode>;

export function* syscall(nr: number, ...args: number[]): UserFlow<number> {
  return yield { kind: 'syscall', nr, args };
}

/** A syscall whose first argument is a path. */
function* onPath(p: Process, nr: number, path: string, ...rest: number[]): UserFlow<number> {
  const mark = p.mark();
  const result = yield* syscall(nr, yield* p.takeString(path), ...rest);
  p.release(mark);
  return result;
}

function* onTwoPaths(p: Process, nr: number, from: string, to: string): UserFlow<number> {
  const mark = p.mark();
  const result = yield* syscall(nr, yield* p.takeString(from), yield* p.takeString(to));
  p.release(mark);
  return result;
}

/** open(3) is openat(AT_FDCWD, …), as in glibc. */
export function* open(p: Process, path: string, flags: number, mode = 0o666): UserFlow<number> {
  const mark = p.mark();
  const address = yield* p.takeString(path);
  const fd = yield* syscall(NR.openat, AT_FDCWD, address, flags, mode);
  p.release(mark);
  return fd;
}

export const close = (fd: number): UserFlow<number> => syscall(NR.close, fd);
export const dup = (fd: number): UserFlow<number> => syscall(NR.dup, fd);
export const dup2 = (from: number, to: number): UserFlow<number> => syscall(NR.dup2, from, to);
export const fcntl = (fd: number, command: number, arg = 0): UserFlow<number> =>
  syscall(NR.fcntl, fd, command, arg);
export const lseek = (fd: number, offset: number, whence: number): UserFlow<number> =>
  syscall(NR.lseek, fd, offset, whence);
export const ftruncate = (fd: number, size: number): UserFlow<number> =>
  syscall(NR.ftruncate, fd, size);

/** Up to `count` bytes, at most 16 KiB; an empty array at the end of the file. */
export function* read(p: Process, fd: number, count: number): UserFlow<Uint8Array | number> {
  const mark = p.mark();
  const size = Math.min(count, 16384);
  const buffer = yield* p.take(size);
  const got = yield* syscall(NR.read, fd, buffer, size);
  const bytes = got < 0 ? got : p.memory.read(buffer, got).slice();
  p.release(mark);
  return bytes;
}

/** All of `bytes`, in as many writes as it takes. */
export function* writeAll(p: Process, fd: number, data: Uint8Array | string): UserFlow<number> {
  const stream = new Stream(p, fd, 'full');
  yield* stream.write(typeof data === 'string' ? encodeText(data) : data);
  const result = yield* stream.flush();
  stream.dispose();
  return result;
}

function* statWith(p: Process, nr: number, target: string | number): UserFlow<Stat | number> {
  const mark = p.mark();
  const buffer = yield* p.take(StatLayout.size);
  const where = typeof target === 'number' ? target : yield* p.takeString(target);
  const result = yield* syscall(nr, where, buffer);
  const stat = result < 0 ? result : StatLayout.decode(p.memory.read(buffer, StatLayout.size));
  p.release(mark);
  return stat;
}

export const stat = (p: Process, path: string): UserFlow<Stat | number> =>
  statWith(p, NR.stat, path);
export const lstat = (p: Process, path: string): UserFlow<Stat | number> =>
  statWith(p, NR.lstat, path);
export const fstat = (p: Process, fd: number): UserFlow<Stat | number> => statWith(p, NR.fstat, fd);

export function* statfs(p: Process, path: string): UserFlow<Statfs | number> {
  const mark = p.mark();
  const buffer = yield* p.take(StatfsLayout.size);
  const result = yield* syscall(NR.statfs, yield* p.takeString(path), buffer);
  const value = result < 0 ? result : StatfsLayout.decode(p.memory.read(buffer, StatfsLayout.size));
  p.release(mark);
  return value;
}

export const access = (p: Process, path: string, mode: number): UserFlow<number> =>
  onPath(p, NR.access, path, mode);
export const chdir = (p: Process, path: string): UserFlow<number> => onPath(p, NR.chdir, path);
export const mkdir = (p: Process, path: string, mode = 0o777): UserFlow<number> =>
  onPath(p, NR.mkdir, path, mode);
export const rmdir = (p: Process, path: string): UserFlow<number> => onPath(p, NR.rmdir, path);
export const unlink = (p: Process, path: string): UserFlow<number> => onPath(p, NR.unlink, path);
export const chmod = (p: Process, path: string, mode: number): UserFlow<number> =>
  onPath(p, NR.chmod, path, mode);
export const link = (p: Process, from: string, to: string): UserFlow<number> =>
  onTwoPaths(p, NR.link, from, to);
export const symlink = (p: Process, target: string, path: string): UserFlow<number> =>
  onTwoPaths(p, NR.symlink, target, path);
export const rename = (p: Process, from: string, to: string): UserFlow<number> =>
  onTwoPaths(p, NR.rename, from, to);
export const umask = (mask: number): UserFlow<number> => syscall(NR.umask, mask);
export const umount = (p: Process, path: string): UserFlow<number> =>
  onPath(p, NR.umount2, path, 0);

export function* mount(
  p: Process,
  source: string,
  target: string,
  type: string,
  flags = 0,
  data = '',
): UserFlow<number> {
  const mark = p.mark();
  const result = yield* syscall(
    NR.mount,
    yield* p.takeString(source),
    yield* p.takeString(target),
    yield* p.takeString(type),
    flags,
    data === '' ? 0 : yield* p.takeString(data),
  );
  p.release(mark);
  return result;
}

export function* readlink(p: Process, path: string): UserFlow<string | number> {
  const mark = p.mark();
  const buffer = yield* p.take(4096);
  const got = yield* syscall(NR.readlink, yield* p.takeString(path), buffer, 4096);
  const text = got < 0 ? got : decodeText(p.memory.read(buffer, got));
  p.release(mark);
  return text;
}

export function* getcwd(p: Process): UserFlow<string> {
  const mark = p.mark();
  const buffer = yield* p.take(4096);
  const got = yield* syscall(NR.getcwd, buffer, 4096);
  const path = got < 0 ? '/' : decodeCString(p.memory.read(buffer, got));
  p.release(mark);
  return path;
}

/** A time for utimensat(2): the present, what it was, or an instant. */
export type FileTime = 'now' | 'omit' | { readonly seconds: number; readonly nanoseconds: number };

const TimespecLayout = layout({ sec: 's64', nsec: 's64' });
const UTIME_NOW = 0x3fffffff;
const UTIME_OMIT = 0x3ffffffe;

/** utimensat(2): access and modification time. */
export function* setTimes(
  p: Process,
  path: string,
  accessed: FileTime,
  modified: FileTime,
  flags = 0,
): UserFlow<number> {
  const encode = (time: FileTime): Uint8Array =>
    TimespecLayout.encode(
      typeof time === 'string'
        ? { sec: 0, nsec: time === 'now' ? UTIME_NOW : UTIME_OMIT }
        : { sec: time.seconds, nsec: time.nanoseconds },
    );
  const mark = p.mark();
  const times = yield* p.takeBytes(concatBytes([encode(accessed), encode(modified)]));
  const result = yield* syscall(NR.utimensat, AT_FDCWD, yield* p.takeString(path), times, flags);
  p.release(mark);
  return result;
}

/** `follow`: the file that a link names. */
export function* chown(
  p: Process,
  path: string,
  uid: number,
  gid: number,
  follow = true,
): UserFlow<number> {
  return yield* onPath(p, follow ? NR.chown : NR.lchown, path, uid, gid);
}

export const mknod = (p: Process, path: string, mode: number, device = 0): UserFlow<number> =>
  onPath(p, NR.mknod, path, mode, device);
export const truncate = (p: Process, path: string, size: number): UserFlow<number> =>
  onPath(p, NR.truncate, path, size);
export const chroot = (p: Process, path: string): UserFlow<number> => onPath(p, NR.chroot, path);

/** A pipe's two ends. */
export function* pipe(
  p: Process,
  flags = 0,
): UserFlow<{ readEnd: number; writeEnd: number } | number> {
  const mark = p.mark();
  const fds = yield* p.take(8);
  const result = yield* syscall(NR.pipe2, fds, flags);
  const ends = { readEnd: 0, writeEnd: 0 };
  if (result >= 0) {
    ends.readEnd = p.memory.readU32(fds);
    ends.writeEnd = p.memory.readU32((fds + 4) as typeof fds);
  }
  p.release(mark);
  return result < 0 ? result : ends;
}

/** The whole file, or the errno of what failed. */
export function* readFile(p: Process, path: string): UserFlow<Uint8Array | number> {
  const fd = yield* open(p, path, O_RDONLY | O_CLOEXEC);
  if (fd < 0) return fd;
  const bytes = yield* readToEnd(p, fd);
  yield* close(fd);
  return bytes;
}

export function* readTextFile(p: Process, path: string): UserFlow<string | number> {
  const bytes = yield* readFile(p, path);
  return typeof bytes === 'number' ? bytes : decodeText(bytes);
}

export function* readToEnd(p: Process, fd: number): UserFlow<Uint8Array | number> {
  const buffer = yield* p.heap.malloc(CHUNK_BYTES);
  const parts: Uint8Array[] = [];
  let got: number;
  for (;;) {
    got = yield* syscall(NR.read, fd, buffer, CHUNK_BYTES);
    if (got <= 0) break;
    parts.push(p.memory.read(buffer, got).slice());
  }
  p.heap.free(buffer);
  return got < 0 ? got : concatBytes(parts);
}

/** Create or replace a file. */
export function* writeFile(
  p: Process,
  path: string,
  data: Uint8Array | string,
  flags = O_WRONLY | O_CREAT | O_TRUNC,
): UserFlow<number> {
  const fd = yield* open(p, path, flags);
  if (fd < 0) return fd;
  const result = yield* writeAll(p, fd, data);
  yield* close(fd);
  return result;
}
