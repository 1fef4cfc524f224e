/** Descriptors: open, close, dup, fcntl, ioctl, pipe, umask. */
import * as o from '../fs/fcntl.ts';
import type { File } from '../fs/file.ts';
import { andThen } from '../fs/file.ts';
import { openAt } from '../fs/open.ts';
import { PipeEnd } from '../fs/pipe.ts';
import { isOwnerOrCapable } from '../fs/cred.ts';
import type { Kernel } from '../machine-types.ts';
import { fromUser, structToUser, u32ToUser } from '../mm/user-copy.ts';
import type { MaySleep } from '../sched/flow.ts';
import type { Task } from '../sched/task.ts';
import { FIOASYNC, FIOCLEX, FIONBIO, FIONCLEX, FIONREAD } from '../tty/ioctl.ts';
import { errno } from '../types/errno.ts';
import { S_IFMT, S_IFREG } from '../fs/vfs-types.ts';
import { asInt, fileOf, placeArg } from './fs-args.ts';
import { syscall } from './row.ts';

/** Put a file into the table; on -EMFILE it is closed again. */
function installOrClose(task: Task, file: File, flags: number): number {
  const fd = task.files!.install(file, { cloexec: (flags & o.O_CLOEXEC) !== 0 });
  if (fd < 0) file.put();
  return fd;
}

function open(
  kernel: Kernel,
  task: Task,
  dfd: number,
  address: number,
  givenFlags: number,
  mode: number,
): MaySleep<number> {
  const flags = givenFlags | o.O_LARGEFILE;
  // differs: no unnamed temporary files.
  if ((flags & o.O_TMPFILE) === o.O_TMPFILE) return -errno.EOPNOTSUPP;
  const place = placeArg(task, dfd, address);
  if (typeof place === 'number') return place;
  const opened = openAt(kernel.vfs, task, place.start, place.name, flags, mode & 0o7777);
  return andThen(opened, (file) =>
    typeof file === 'number' ? file : installOrClose(task, file, flags),
  );
}

function pipe(kernel: Kernel, task: Task, address: number, flags: number): number {
  if (flags & ~(o.O_CLOEXEC | o.O_NONBLOCK | o.O_DIRECT)) return -errno.EINVAL;
  const [reader, writer] = kernel.vfs.pipe(flags & o.O_NONBLOCK);
  const readFd = installOrClose(task, reader, flags);
  if (readFd < 0) {
    writer.put();
    return readFd;
  }
  const writeFd = installOrClose(task, writer, flags);
  if (writeFd < 0) {
    task.files!.close(readFd);
    return writeFd;
  }
  const stored = structToUser(task, address, 8, (view) => {
    view.setInt32(0, readFd, true);
    view.setInt32(4, writeFd, true);
  });
  if (stored < 0) {
    task.files!.close(readFd);
    task.files!.close(writeFd);
  }
  return stored;
}

/** What F_SETFL can change. */
const SETTABLE = o.O_APPEND | o.O_NONBLOCK | o.O_DIRECT | o.O_NOATIME | o.O_ASYNC;

function fcntl(task: Task, fd: number, command: number, arg: number): number {
  const files = task.files!;
  const file = files.get(fd);
  if (!file) return -errno.EBADF;
  switch (command) {
    case o.F_DUPFD:
    case o.F_DUPFD_CLOEXEC: {
      if (arg < 0 || arg >= files.limit) return -errno.EINVAL;
      const cloexec = command === o.F_DUPFD_CLOEXEC;
      const copy = files.install(file.get(), { from: arg, cloexec });
      if (copy < 0) file.put();
      return copy;
    }
    case o.F_GETFD:
      return files.cloexec(fd) ? o.FD_CLOEXEC : 0;
    case o.F_SETFD:
      files.setCloexec(fd, (arg & o.FD_CLOEXEC) !== 0);
      return 0;
    case o.F_GETFL:
      return file.flags;
    case o.F_SETFL:
      if (arg & o.O_NOATIME && !isOwnerOrCapable(file.inode, task.cred)) return -errno.EPERM;
      file.flags = (file.flags & ~SETTABLE) | (arg & SETTABLE);
      return 0;
    case o.F_GETPIPE_SZ:
      return file.ops instanceof PipeEnd ? file.ops.pipe.capacity : -errno.EBADF;
    case o.F_SETPIPE_SZ:
      return file.ops instanceof PipeEnd ? file.ops.pipe.resize(arg) : -errno.EBADF;
    default:
      return -errno.EINVAL;
  }
}

function ioctl(task: Task, fd: number, command: number, arg: number): MaySleep<number> {
  const files = task.files!;
  const file = files.get(fd);
  if (!file || file.flags & o.O_PATH) return -errno.EBADF;
  switch (command) {
    case FIOCLEX:
    case FIONCLEX:
      files.setCloexec(fd, command === FIOCLEX);
      return 0;
    case FIONBIO:
    case FIOASYNC: {
      const view = fromUser(task, arg, 4);
      if (!view) return -errno.EFAULT;
      const bit = command === FIONBIO ? o.O_NONBLOCK : o.O_ASYNC;
      file.flags = view.getInt32(0, true) ? file.flags | bit : file.flags & ~bit;
      return 0;
    }
    case FIONREAD:
      if ((file.inode.mode & S_IFMT) === S_IFREG && !file.ops.ioctl) {
        return u32ToUser(task, arg, file.inode.size - file.position);
      }
  }
  const result = file.ops.ioctl?.(command, arg) ?? -errno.ENOTTY;
  return andThen(result, (value) => (value === -errno.ENOIOCTLCMD ? -errno.ENOTTY : value));
}

/** CLOSE_RANGE_CLOEXEC */
const CLOSE_RANGE_CLOEXEC = 4;

export const openRows = [
  syscall(
    2,
    'open',
    'const char *filename, int flags, umode_t mode',
    (kernel, task, name, flags, mode) => open(kernel, task, o.AT_FDCWD, name, flags, mode),
  ),
  syscall(3, 'close', 'unsigned int fd', (_kernel, task, fd) => task.files!.close(asInt(fd))),
  syscall(
    16,
    'ioctl',
    'unsigned int fd, unsigned int cmd, unsigned long arg',
    (_kernel, task, fd, command, arg) => ioctl(task, asInt(fd), command >>> 0, arg),
  ),
  syscall(22, 'pipe', 'int *fildes', (kernel, task, fildes) => pipe(kernel, task, fildes, 0)),
  syscall(32, 'dup', 'unsigned int fildes', (_kernel, task, fd) => {
    const file = fileOf(task, fd);
    if (!file) return -errno.EBADF;
    const copy = task.files!.install(file.get());
    if (copy < 0) file.put();
    return copy;
  }),
  syscall(33, 'dup2', 'unsigned int oldfd, unsigned int newfd', (_kernel, task, oldFd, newFd) => {
    const [from, to] = [asInt(oldFd), asInt(newFd)];
    if (from === to) return task.files!.get(from) ? to : -errno.EBADF;
    return task.files!.dupTo(from, to, false);
  }),
  syscall(
    72,
    'fcntl',
    'unsigned int fd, unsigned int cmd, unsigned long arg',
    (_kernel, task, fd, command, arg) => fcntl(task, asInt(fd), asInt(command), arg),
  ),
  syscall(85, 'creat', 'const char *pathname, umode_t mode', (kernel, task, name, mode) =>
    open(kernel, task, o.AT_FDCWD, name, o.O_CREAT | o.O_WRONLY | o.O_TRUNC, mode),
  ),
  syscall(95, 'umask', 'int mask', (_kernel, task, mask) => {
    const old = task.fs!.umask;
    task.fs!.umask = mask & 0o777;
    return old;
  }),
  syscall(
    257,
    'openat',
    'int dfd, const char *filename, int flags, umode_t mode',
    (kernel, task, dfd, name, flags, mode) => open(kernel, task, dfd, name, flags, mode),
  ),
  syscall(
    292,
    'dup3',
    'unsigned int oldfd, unsigned int newfd, int flags',
    (_kernel, task, oldFd, newFd, flags) => {
      if (flags & ~o.O_CLOEXEC || asInt(oldFd) === asInt(newFd)) return -errno.EINVAL;
      return task.files!.dupTo(asInt(oldFd), asInt(newFd), (flags & o.O_CLOEXEC) !== 0);
    },
  ),
  syscall(293, 'pipe2', 'int *fildes, int flags', (kernel, task, fildes, flags) =>
    pipe(kernel, task, fildes, flags),
  ),
  syscall(
    436,
    'close_range',
    'unsigned int fd, unsigned int max_fd, unsigned int flags',
    (_kernel, task, first, last, flags) => {
      const max = last >>> 0;
      if (flags & ~CLOSE_RANGE_CLOEXEC || first > max) return -errno.EINVAL;
      const files = task.files!;
      for (const [fd] of [...files.entries()]) {
        if (fd < first || fd > max) continue;
        if (flags & CLOSE_RANGE_CLOEXEC) files.setCloexec(fd, true);
        else files.close(fd);
      }
      return 0;
    },
  ),
];
