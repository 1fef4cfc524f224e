/**
 * /proc/PID and /proc/PID/task/TID: one process, one thread.
 *
 * Files belong to the process's effective ids. What lies behind a process's memory and
 * descriptors (environ, fd, maps, exe …) is for the same user, or CAP_SYS_PTRACE.
 */
import type { Kernel } from '../../machine-types.ts';
import type { Process } from '../../sched/process.ts';
import type { Task } from '../../sched/task.ts';
import { errno } from '../../types/errno.ts';
import type { Cred } from '../cred.ts';
import { CAP_SYS_PTRACE, modePermission } from '../cred.ts';
import type { File } from '../file.ts';
import type { Path } from '../mount.ts';
import type { Inode } from '../vfs-types.ts';
import type { PseudoDirectory } from '../pseudo.ts';
import { mapsText, statmText, statText, statusText } from './pid-text.ts';
import type { Procfs } from './procfs.ts';
import { decodeText } from '../../types/text.ts';

export function pidDirectory(procfs: Procfs, process: Process): Inode {
  const directory = taskFiles(procfs, () => process.leader, process);
  const { fs } = procfs;
  const threads = new WeakMap<Task, Inode>();
  const tasks = fs.dynamicDirectory({
    names: () => process.threads.map((thread) => String(thread.pid)),
    get: (name) => {
      const thread = process.threads.find((candidate) => String(candidate.pid) === name);
      if (!thread) return undefined;
      let inode = threads.get(thread);
      if (!inode) threads.set(thread, (inode = taskFiles(procfs, () => thread, process)));
      return inode;
    },
  });
  directory.add('task', tasks);
  ownBy(tasks, process);
  return directory;
}

/** Owner ids of a node are the process's, whenever somebody looks. */
function ownBy<T extends Inode>(inode: T, process: Process): T {
  Object.defineProperty(inode, 'uid', {
    get: () => process.leader.cred.euid,
    set: () => undefined,
  });
  Object.defineProperty(inode, 'gid', {
    get: () => process.leader.cred.egid,
    set: () => undefined,
  });
  return inode;
}

/** ptrace_may_access: all three of the process's ids are the caller's, or CAP_SYS_PTRACE. */
function guard<T extends Inode>(inode: T, process: Process): T {
  inode.permission = (mask: number, cred: Cred): number => {
    const { uid, suid, euid } = process.leader.cred.values;
    const same = cred.fsuid === uid && cred.fsuid === suid && cred.fsuid === euid;
    if (!same && !cred.capable(CAP_SYS_PTRACE)) return -errno.EACCES;
    return modePermission(inode, cred, mask);
  };
  return inode;
}

function taskFiles(procfs: Procfs, taskOf: () => Task, process: Process): PseudoDirectory {
  const { fs, kernel, vfs } = procfs;
  const directory = ownBy(fs.directory(), process);
  const add = (name: string, inode: Inode): void => void directory.add(name, ownBy(inode, process));
  const text = (name: string, render: (task: Task) => string, mode = 0o444): void =>
    add(
      name,
      fs.text(() => render(taskOf()), { mode }),
    );
  const secret = (name: string, inode: Inode): void => add(name, guard(inode, process));
  text('cmdline', (task) => memoryText(task, 'argStart', 'argEnd'));
  add(
    'comm',
    fs.text(() => `${taskOf().comm}\n`, {
      mode: 0o644,
      write: (name) => setComm(kernel, taskOf(), name),
    }),
  );
  text('stat', (task) => statText(task));
  text('statm', (task) => statmText(task));
  text('status', (task) => statusText(task));
  text('wchan', () => '0');
  text('mounts', (task) => (task.fs ? vfs.mounts.describe(task.fs.root) : ''));
  secret(
    'maps',
    fs.text(() => mapsText(taskOf())),
  );
  secret(
    'environ',
    fs.text(() => memoryText(taskOf(), 'envStart', 'envEnd'), { mode: 0o400 }),
  );
  const link = (name: string, path: (task: Task) => Path | number): void =>
    secret(
      name,
      fs.magicLink(
        () => nameOf(procfs, path(taskOf())),
        () => path(taskOf()),
      ),
    );
  link('cwd', (task) => task.fs?.cwd ?? -errno.ENOENT);
  link('root', (task) => task.fs?.root ?? -errno.ENOENT);
  link('exe', (task) => (task.exePath ? vfs.kernelLookup(task.exePath) : -errno.ENOENT));
  secret('fd', descriptors(procfs, taskOf, process));
  secret('fdinfo', descriptorInfos(procfs, taskOf, process));
  directory.add('net', procfs.net);
  return directory;
}

function setComm(kernel: Kernel, task: Task, name: string): number {
  // Only the process's own threads may rename one another.
  if (kernel.sched.current.process !== task.process) return -errno.EINVAL;
  const comm = name.replace(/\n$/, '').slice(0, 15);
  const { taskRename } = kernel.tracepoints;
  if (taskRename.enabled) taskRename.fire(task, 0 as typeof task.offset, comm);
  task.comm = comm;
  return 0;
}

/** argv or envp as they lie in the process's memory, NULs between them. */
function memoryText({ mm }: Task, from: 'argStart' | 'envStart', to: 'argEnd' | 'envEnd'): string {
  const bytes = mm && mm.copyIn(mm[from], mm[to] - mm[from]);
  return bytes ? decodeText(bytes) : '';
}

function nameOf({ vfs, kernel }: Procfs, path: Path | number): string | number {
  if (typeof path === 'number') return path;
  const { root } = kernel.sched.current.fs ?? { root: vfs.mounts.rootPath };
  const name = vfs.mounts.pathName(path, root) ?? `(unreachable)${path.dentry.name}`;
  return path.dentry.unlinked ? `${name} (deleted)` : name;
}

const openFile = (task: Task, name: string): File | undefined =>
  /^(0|[1-9]\d*)$/.test(name) ? task.files?.get(Number(name)) : undefined;

function* descriptorNames(task: Task): Generator<string> {
  if (task.files) for (const [fd] of task.files.entries()) yield String(fd);
}

function descriptors(procfs: Procfs, taskOf: () => Task, process: Process): Inode {
  const { fs } = procfs;
  const links = new WeakMap<File, Inode>();
  return fs.dynamicDirectory(
    {
      names: () => descriptorNames(taskOf()),
      get: (name) => {
        const file = openFile(taskOf(), name);
        if (!file) return undefined;
        let link = links.get(file);
        if (!link) {
          const target = () => file.ops.linkName ?? nameOf(procfs, file.path);
          const mode = (file.readable ? 0o500 : 0) | (file.writable ? 0o300 : 0);
          link = ownBy(
            fs.magicLink(target, () => file.path, mode),
            process,
          );
          links.set(file, link);
        }
        return link;
      },
    },
    0o500,
  );
}

function descriptorInfos({ fs }: Procfs, taskOf: () => Task, process: Process): Inode {
  const texts = new WeakMap<File, Map<string, Inode>>();
  return fs.dynamicDirectory(
    {
      names: () => descriptorNames(taskOf()),
      get: (name) => {
        const file = openFile(taskOf(), name);
        if (!file) return undefined;
        const byFd = texts.get(file) ?? new Map<string, Inode>();
        texts.set(file, byFd);
        let inode = byFd.get(name);
        if (!inode) {
          inode = ownBy(
            fs.text(() => fdinfo(taskOf(), file, Number(name)), { mode: 0o400 }),
            process,
          );
          byFd.set(name, inode);
        }
        return inode;
      },
    },
    0o555,
  );
}

const O_CLOEXEC = 0o2000000;

function fdinfo(task: Task, file: File, fd: number): string {
  const flags = file.flags | (task.files?.cloexec(fd) ? O_CLOEXEC : 0);
  return (
    `pos:\t${file.position}\nflags:\t0${flags.toString(8)}\n` +
    `mnt_id:\t${file.path.mount.id}\nino:\t${file.inode.ino}\n${file.ops.fdinfo?.() ?? ''}`
  );
}
