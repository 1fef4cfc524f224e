/** Reading and writing: read, write, their positional and vectored forms, lseek, sendfile. */
import { O_APPEND } from '../fs/fcntl.ts';
import type { File } from '../fs/file.ts';
import { andThen, vfsPread, vfsPwrite, vfsRead, vfsSeek, vfsWrite } from '../fs/file.ts';
import { bytesFromUser, fromUser, structToUser, toUser } from '../mm/user-copy.ts';
import type { KernelFlow, MaySleep } from '../sched/flow.ts';
import { isFlow } from '../sched/flow.ts';
import type { Task } from '../sched/task.ts';
import { errno } from '../types/errno.ts';
import { MAX_RW_COUNT } from '../fs/fcntl.ts';
import type { IoVector } from './fs-args.ts';
import { deliver, fileOf, vectorsArg } from './fs-args.ts';
import { syscall } from './row.ts';

const clampCount = (count: number): number => Math.min(count, MAX_RW_COUNT);

/** A positional call on something without positions. */
function positionError(file: File, position: number): number {
  if (position < 0) return -errno.EINVAL;
  return file.ops.stream ? -errno.ESPIPE : 0;
}

function writeFrom(task: Task, file: File, address: number, count: number): MaySleep<number> {
  if (!file.writable) return -errno.EBADF;
  const data = bytesFromUser(task, address, clampCount(count));
  return data ? vfsWrite(file, data) : -errno.EFAULT;
}

/** The vectors are one transfer: atomic on pipes, one line on ttys. */
function gather(task: Task, vectors: readonly IoVector[]): Uint8Array | number {
  const total = vectors.reduce((sum, { sizeBytes }) => sum + sizeBytes, 0);
  const data = new Uint8Array(clampCount(total));
  let at = 0;
  for (const { address, sizeBytes } of vectors) {
    const part = bytesFromUser(task, address, Math.min(sizeBytes, data.length - at));
    if (!part) return -errno.EFAULT;
    data.set(part, at);
    at += part.length;
  }
  return data;
}

function scatter(task: Task, vectors: readonly IoVector[], data: Uint8Array | number): number {
  if (typeof data === 'number') return data;
  let at = 0;
  for (const { address, sizeBytes } of vectors) {
    const part = data.subarray(at, at + sizeBytes);
    if (part.length === 0) continue;
    const refused = toUser(task, address, part);
    if (refused < 0) return at > 0 ? at : refused;
    at += part.length;
  }
  return at;
}

const totalOf = (vectors: readonly IoVector[]): number =>
  clampCount(vectors.reduce((sum, { sizeBytes }) => sum + sizeBytes, 0));

const CHUNK_BYTES = 65536;

/** sendfile and copy_file_range: `count` bytes from one file's position to another's. */
function* copyBetween(
  source: File,
  target: File,
  count: number,
  from: number | undefined,
): KernelFlow<number> {
  let copied = 0;
  while (copied < count) {
    const want = Math.min(CHUNK_BYTES, count - copied);
    const at = (from ?? source.position) + (from === undefined ? 0 : copied);
    const reading = vfsPread(source, want, at);
    const data = isFlow(reading) ? yield* reading : reading;
    if (typeof data === 'number') return copied > 0 ? copied : data;
    if (data.length === 0) break;
    const writing = vfsWrite(target, data);
    const written = isFlow(writing) ? yield* writing : writing;
    if (written < 0) return copied > 0 ? copied : written;
    copied += written;
    if (from === undefined) source.position += written;
    if (written < data.length) break;
  }
  return copied;
}

/** An optional loff_t in user memory: undefined for a null pointer, null for a bad one. */
function offsetArg(task: Task, address: number): number | undefined | null {
  if (address === 0) return undefined;
  const view = fromUser(task, address, 8);
  return view ? Number(view.getBigInt64(0, true)) : null;
}

const storeOffset = (task: Task, address: number, value: number): number =>
  structToUser(task, address, 8, (view) => view.setBigInt64(0, BigInt(value), true));

export const readWriteRows = [
  syscall(
    0,
    'read',
    'unsigned int fd, char *buf, size_t count',
    (_kernel, task, fd, buf, count) => {
      const file = fileOf(task, fd);
      return file ? deliver(task, buf, vfsRead(file, count)) : -errno.EBADF;
    },
  ),
  syscall(
    1,
    'write',
    'unsigned int fd, const char *buf, size_t count',
    (_kernel, task, fd, buf, count) => {
      const file = fileOf(task, fd);
      return file ? writeFrom(task, file, buf, count) : -errno.EBADF;
    },
  ),
  syscall(
    8,
    'lseek',
    'unsigned int fd, off_t offset, unsigned int whence',
    (_kernel, task, fd, offset, whence) => {
      const file = fileOf(task, fd);
      return file ? vfsSeek(file, offset, whence) : -errno.EBADF;
    },
  ),
  syscall(
    17,
    'pread64',
    'unsigned int fd, char *buf, size_t count, loff_t pos',
    (_kernel, task, fd, buf, count, pos) => {
      const file = fileOf(task, fd);
      if (!file) return -errno.EBADF;
      return positionError(file, pos) || deliver(task, buf, vfsPread(file, count, pos));
    },
  ),
  syscall(
    18,
    'pwrite64',
    'unsigned int fd, const char *buf, size_t count, loff_t pos',
    (_kernel, task, fd, buf, count, pos) => {
      const file = fileOf(task, fd);
      if (!file) return -errno.EBADF;
      const refused = positionError(file, pos);
      if (refused < 0) return refused;
      const data = bytesFromUser(task, buf, clampCount(count));
      return data ? vfsPwrite(file, data, pos) : -errno.EFAULT;
    },
  ),
  syscall(
    19,
    'readv',
    'unsigned long fd, const struct iovec *vec, unsigned long vlen',
    (_kernel, task, fd, vec, vlen) => {
      const file = fileOf(task, fd);
      if (!file) return -errno.EBADF;
      const vectors = vectorsArg(task, vec, vlen);
      if (typeof vectors === 'number') return vectors;
      return andThen(vfsRead(file, totalOf(vectors)), (data) => scatter(task, vectors, data));
    },
  ),
  syscall(
    20,
    'writev',
    'unsigned long fd, const struct iovec *vec, unsigned long vlen',
    (_kernel, task, fd, vec, vlen) => {
      const file = fileOf(task, fd);
      if (!file) return -errno.EBADF;
      if (!file.writable) return -errno.EBADF;
      const vectors = vectorsArg(task, vec, vlen);
      if (typeof vectors === 'number') return vectors;
      const data = gather(task, vectors);
      return typeof data === 'number' ? data : vfsWrite(file, data);
    },
  ),
  syscall(
    40,
    'sendfile64',
    'int out_fd, int in_fd, loff_t *offset, size_t count',
    (_kernel, task, outFd, inFd, offset, count) => {
      const source = fileOf(task, inFd);
      const target = fileOf(task, outFd);
      if (!source?.readable || !target?.writable) return -errno.EBADF;
      if (source.ops.stream) return offset === 0 ? -errno.EINVAL : -errno.ESPIPE;
      if (target.flags & O_APPEND) return -errno.EINVAL;
      const from = offsetArg(task, offset);
      if (from === null) return -errno.EFAULT;
      return andThen(copyBetween(source, target, clampCount(count), from), (copied) => {
        if (from === undefined || copied < 0) return copied;
        const refused = storeOffset(task, offset, from + copied);
        return refused < 0 ? refused : copied;
      });
    },
  ),
];
