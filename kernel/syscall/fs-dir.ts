/** Directories and names: getdents64, getcwd, chdir, mkdir, unlink, rename, links, nodes, mounts. */
import { CAP_SYS_ADMIN, CAP_SYS_CHROOT, inodePermission, MAY_EXEC } from '../fs/cred.ts';
import { linkAt, mkdirAt, mknodAt, renameAt, rmdirAt, symlinkAt, unlinkAt } from '../fs/entries.ts';
import {
  AT_EMPTY_PATH,
  AT_FDCWD,
  AT_REMOVEDIR,
  AT_SYMLINK_FOLLOW,
  MNT_DETACH,
  MNT_FORCE,
  UMOUNT_NOFOLLOW,
} from '../fs/fcntl.ts';
import type { File } from '../fs/file.ts';
import { mountAt } from '../fs/mounting.ts';
import type { Path } from '../fs/mount.ts';
import { isDirectory } from '../fs/namei.ts';
import type { DirectoryEntry } from '../fs/vfs-types.ts';
import type { Kernel } from '../machine-types.ts';
import { toUser, userString } from '../mm/user-copy.ts';
import type { Task } from '../sched/task.ts';
import { errno } from '../types/errno.ts';
import type { NamedPlace } from './fs-args.ts';
import { fileOf, pathArg, placeArg } from './fs-args.ts';
import { encodeDirent64 } from './fs-layouts.ts';
import { syscall } from './row.ts';
import { encodeText } from '../types/text.ts';

/** '.' and '..' first, then what the directory holds. */
function listingOf(kernel: Kernel, task: Task, file: File): DirectoryEntry[] {
  const { inode } = file;
  const parent = kernel.vfs.mounts.up(file.path, task.fs!.root).dentry.inode;
  const entries = inode.readdir?.() ?? [];
  return [{ name: '.', inode }, { name: '..', inode: parent }, ...entries];
}

function getdents64(
  kernel: Kernel,
  task: Task,
  fd: number,
  buffer: number,
  sizeBytes: number,
): number {
  const file = fileOf(task, fd);
  if (!file?.readable) return -errno.EBADF;
  if (!isDirectory(file.inode)) return -errno.ENOTDIR;
  if (file.inode.nlink === 0) return -errno.ENOENT;
  if (file.position === 0 || !file.listing) file.listing = listingOf(kernel, task, file);
  const parts: Uint8Array[] = [];
  let length = 0;
  let next = file.position;
  for (; next < file.listing.length; next++) {
    const record = encodeDirent64(file.listing[next]!, next + 1);
    if (length + record.length > sizeBytes) break;
    parts.push(record);
    length += record.length;
  }
  if (length === 0) return next < file.listing.length ? -errno.EINVAL : 0;
  const out = new Uint8Array(length);
  let at = 0;
  for (const part of parts) {
    out.set(part, at);
    at += part.length;
  }
  const refused = toUser(task, buffer, out);
  if (refused < 0) return refused;
  file.position = next;
  return length;
}

function getcwd(kernel: Kernel, task: Task, buffer: number, sizeBytes: number): number {
  const { cwd, root } = task.fs!;
  if (cwd.dentry.unlinked) return -errno.ENOENT;
  const name = kernel.vfs.mounts.pathName(cwd, root) ?? '(unreachable)/';
  const bytes = encodeText(`${name}\0`);
  if (bytes.length > sizeBytes) return -errno.ERANGE;
  const refused = toUser(task, buffer, bytes);
  return refused < 0 ? refused : bytes.length;
}

/** A directory that the task may make its working directory or root. */
function enterable(task: Task, path: Path | number): Path | number {
  if (typeof path === 'number') return path;
  if (!isDirectory(path.dentry.inode)) return -errno.ENOTDIR;
  const refused = inodePermission(path.dentry.inode, task.cred, MAY_EXEC);
  return refused < 0 ? refused : path;
}

function chdir(task: Task, path: Path | number): number {
  const directory = enterable(task, path);
  if (typeof directory === 'number') return directory;
  task.fs!.setCwd(directory);
  return 0;
}

/** Resolve the place of a name and act on it. */
function onPlace(
  task: Task,
  dfd: number,
  address: number,
  act: (place: NamedPlace) => number,
): number {
  const place = placeArg(task, dfd, address);
  return typeof place === 'number' ? place : act(place);
}

const mkdir = (kernel: Kernel, task: Task, dfd: number, name: number, mode: number): number =>
  onPlace(task, dfd, name, (at) => mkdirAt(kernel.vfs, task, at.start, at.name, mode));

const rmdir = (kernel: Kernel, task: Task, dfd: number, name: number): number =>
  onPlace(task, dfd, name, (at) => rmdirAt(kernel.vfs, task, at.start, at.name));

const unlink = (kernel: Kernel, task: Task, dfd: number, name: number): number =>
  onPlace(task, dfd, name, (at) => unlinkAt(kernel.vfs, task, at.start, at.name));

const mknod = (
  kernel: Kernel,
  task: Task,
  dfd: number,
  name: number,
  mode: number,
  dev: number,
): number =>
  onPlace(task, dfd, name, (at) => mknodAt(kernel.vfs, task, at.start, at.name, mode, dev));

function rename(
  kernel: Kernel,
  task: Task,
  oldDfd: number,
  oldName: number,
  newDfd: number,
  newName: number,
  flags: number,
): number {
  const from = placeArg(task, oldDfd, oldName);
  if (typeof from === 'number') return from;
  return onPlace(task, newDfd, newName, (to) =>
    renameAt(kernel.vfs, task, from.start, from.name, to.start, to.name, flags),
  );
}

function link(
  kernel: Kernel,
  task: Task,
  oldDfd: number,
  oldName: number,
  newDfd: number,
  newName: number,
  flags: number,
): number {
  if (flags & ~(AT_SYMLINK_FOLLOW | AT_EMPTY_PATH)) return -errno.EINVAL;
  const follow = (flags & AT_SYMLINK_FOLLOW) !== 0;
  const empty = (flags & AT_EMPTY_PATH) !== 0;
  const from = pathArg(kernel.vfs, task, oldDfd, oldName, follow, empty);
  return onPlace(task, newDfd, newName, (to) => linkAt(kernel.vfs, task, from, to.start, to.name));
}

function symlink(
  kernel: Kernel,
  task: Task,
  target: number,
  newDfd: number,
  newName: number,
): number {
  const text = userString(task, target);
  if (typeof text === 'number') return text;
  return onPlace(task, newDfd, newName, (to) =>
    symlinkAt(kernel.vfs, task, text, to.start, to.name),
  );
}

function umount(kernel: Kernel, task: Task, name: number, flags: number): number {
  // MNT_EXPIRE is not supported; it is refused like an unknown flag.
  if (flags & ~(MNT_FORCE | MNT_DETACH | UMOUNT_NOFOLLOW)) return -errno.EINVAL;
  if (!task.cred.capable(CAP_SYS_ADMIN)) return -errno.EPERM;
  const follow = !(flags & UMOUNT_NOFOLLOW);
  const path = pathArg(kernel.vfs, task, AT_FDCWD, name, follow);
  if (typeof path === 'number') return path;
  return kernel.vfs.mounts.unmount(path, (flags & MNT_DETACH) !== 0);
}

export const directoryRows = [
  syscall(79, 'getcwd', 'char *buf, unsigned long size', (kernel, task, buffer, size) =>
    getcwd(kernel, task, buffer, size),
  ),
  syscall(80, 'chdir', 'const char *filename', (kernel, task, name) =>
    chdir(task, pathArg(kernel.vfs, task, AT_FDCWD, name, true)),
  ),
  syscall(81, 'fchdir', 'unsigned int fd', (_kernel, task, fd) =>
    chdir(task, fileOf(task, fd)?.path ?? -errno.EBADF),
  ),
  syscall(82, 'rename', 'const char *oldname, const char *newname', (kernel, task, from, to) =>
    rename(kernel, task, AT_FDCWD, from, AT_FDCWD, to, 0),
  ),
  syscall(83, 'mkdir', 'const char *pathname, umode_t mode', (kernel, task, name, mode) =>
    mkdir(kernel, task, AT_FDCWD, name, mode),
  ),
  syscall(84, 'rmdir', 'const char *pathname', (kernel, task, name) =>
    rmdir(kernel, task, AT_FDCWD, name),
  ),
  syscall(86, 'link', 'const char *oldname, const char *newname', (kernel, task, from, to) =>
    link(kernel, task, AT_FDCWD, from, AT_FDCWD, to, 0),
  ),
  syscall(87, 'unlink', 'const char *pathname', (kernel, task, name) =>
    unlink(kernel, task, AT_FDCWD, name),
  ),
  syscall(88, 'symlink', 'const char *oldname, const char *newname', (kernel, task, target, name) =>
    symlink(kernel, task, target, AT_FDCWD, name),
  ),
  syscall(
    133,
    'mknod',
    'const char *filename, umode_t mode, unsigned dev',
    (kernel, task, name, mode, dev) => mknod(kernel, task, AT_FDCWD, name, mode, dev),
  ),
  syscall(161, 'chroot', 'const char *filename', (kernel, task, name) => {
    const path = enterable(task, pathArg(kernel.vfs, task, AT_FDCWD, name, true));
    if (typeof path === 'number') return path;
    if (!task.cred.capable(CAP_SYS_CHROOT)) return -errno.EPERM;
    task.fs!.setRoot(path);
    return 0;
  }),
  syscall(
    165,
    'mount',
    'char *dev_name, char *dir_name, char *type, unsigned long flags, void *data',
    (kernel, task, source, directory, type, flags, data) => {
      const text = (address: number) => (address === 0 ? '' : userString(task, address));
      const words = [text(source), text(type), text(data)] as const;
      const path = pathArg(kernel.vfs, task, AT_FDCWD, directory, true);
      if (typeof path === 'number') return path;
      const [from, kind, options] = words;
      if (typeof from === 'number') return from;
      if (typeof kind === 'number') return kind;
      if (typeof options === 'number') return options;
      return mountAt(kernel.vfs, task, { source: from, at: path, type: kind, flags, options });
    },
  ),
  syscall(166, 'umount', 'char *name, int flags', (kernel, task, name, flags) =>
    umount(kernel, task, name, flags),
  ),
  syscall(
    217,
    'getdents64',
    'unsigned int fd, struct linux_dirent64 *dirent, unsigned int count',
    (kernel, task, fd, buffer, count) => getdents64(kernel, task, fd, buffer, count),
  ),
  syscall(
    258,
    'mkdirat',
    'int dfd, const char *pathname, umode_t mode',
    (kernel, task, dfd, name, mode) => mkdir(kernel, task, dfd, name, mode),
  ),
  syscall(
    259,
    'mknodat',
    'int dfd, const char *filename, umode_t mode, unsigned int dev',
    (kernel, task, dfd, name, mode, dev) => mknod(kernel, task, dfd, name, mode, dev),
  ),
  syscall(
    263,
    'unlinkat',
    'int dfd, const char *pathname, int flag',
    (kernel, task, dfd, name, flags) => {
      if (flags & ~AT_REMOVEDIR) return -errno.EINVAL;
      return (flags & AT_REMOVEDIR ? rmdir : unlink)(kernel, task, dfd, name);
    },
  ),
  syscall(
    264,
    'renameat',
    'int olddfd, const char *oldname, int newdfd, const char *newname',
    (kernel, task, oldDfd, from, newDfd, to) => rename(kernel, task, oldDfd, from, newDfd, to, 0),
  ),
  syscall(
    265,
    'linkat',
    'int olddfd, const char *oldname, int newdfd, const char *newname, int flags',
    (kernel, task, oldDfd, from, newDfd, to, flags) =>
      link(kernel, task, oldDfd, from, newDfd, to, flags),
  ),
  syscall(
    266,
    'symlinkat',
    'const char *oldname, int newdfd, const char *newname',
    (kernel, task, target, newDfd, name) => symlink(kernel, task, target, newDfd, name),
  ),
  syscall(
    316,
    'renameat2',
    'int olddfd, const char *oldname, int newdfd, const char *newname, unsigned int flags',
    (kernel, task, oldDfd, from, newDfd, to, flags) =>
      rename(kernel, task, oldDfd, from, newDfd, to, flags),
  ),
];
