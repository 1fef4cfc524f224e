/** Process life: clone, execve, exit, wait4; ids, process groups and sessions; prctl. */
import { AT_FDCWD, AT_SYMLINK_NOFOLLOW } from '../fs/fcntl.ts';
import type { Kernel } from '../machine-types.ts';
import { fromUser, structToUser, u32ToUser, userString } from '../mm/user-copy.ts';
import { exec, rename } from '../sched/exec.ts';
import { exitCode, exitGroup, exitTask } from '../sched/exit.ts';
import type { KernelFlow, MaySleep } from '../sched/flow.ts';
import * as f from '../sched/fork.ts';
import type { Process } from '../sched/process.ts';
import { SIGCHLD } from '../sched/signal.ts';
import type { Task } from '../sched/task.ts';
import { WAIT4_OPTIONS, waitForChild } from '../sched/wait.ts';
import { errno } from '../types/errno.ts';
import type { Pid } from '../types/units.ts';
import { startOf } from './fs-args.ts';
import { syscall } from './row.ts';
import { prctlSetSeccomp } from './seccomp.ts';

/** MAX_ARG_STRLEN and MAX_ARG_STRINGS as far as memory lets them (binfmts.h). */
const MAX_ARG_BYTES = 131072;
const MAX_ARGS = 65536;
/** sizeof(struct rusage) */
const RUSAGE_BYTES = 144;

function clone(
  kernel: Kernel,
  task: Task,
  flags: number,
  parentTid: number,
  childTid: number,
): MaySleep<number> {
  return f.cloneTask(kernel, task, {
    flags: flags & ~f.CSIGNAL,
    exitSignal: flags & f.CSIGNAL,
    parentTid,
    childTid,
    main: task.syscall?.request.child,
  });
}

/** clone3's struct clone_args, the first version's 64 bytes. */
function clone3(kernel: Kernel, task: Task, address: number, size: number): MaySleep<number> {
  if (size < 64) return -errno.EINVAL;
  const args = fromUser(task, address, 64);
  if (!args) return -errno.EFAULT;
  const word = (index: number) => Number(args.getBigUint64(index * 8, true));
  return f.cloneTask(kernel, task, {
    flags: word(0),
    exitSignal: word(4),
    parentTid: word(3),
    childTid: word(2),
    main: task.syscall?.request.child,
  });
}

/** A NULL-terminated vector of strings from user memory. */
function stringVector(task: Task, address: number): string[] | number {
  const strings: string[] = [];
  if (address === 0) return strings;
  for (let i = 0; i < MAX_ARGS; i++) {
    const pointer = fromUser(task, address + i * 8, 8);
    if (!pointer) return -errno.EFAULT;
    const at = Number(pointer.getBigUint64(0, true));
    if (at === 0) return strings;
    const text = userString(task, at, MAX_ARG_BYTES);
    if (typeof text === 'number') return text === -errno.ENAMETOOLONG ? -errno.E2BIG : text;
    strings.push(text);
  }
  return -errno.E2BIG;
}

function* execve(
  kernel: Kernel,
  task: Task,
  dfd: number,
  nameAt: number,
  argvAt: number,
  envpAt: number,
): KernelFlow<number> {
  const name = userString(task, nameAt);
  if (typeof name === 'number') return name;
  const start = startOf(task, dfd, name);
  if (typeof start === 'number') return start;
  const argv = stringVector(task, argvAt);
  if (typeof argv === 'number') return argv;
  const envp = stringVector(task, envpAt);
  if (typeof envp === 'number') return envp;
  return yield* exec(kernel, task, start, name, argv.length > 0 ? argv : [''], envp);
}

function* wait4(
  kernel: Kernel,
  task: Task,
  pid: number,
  statusAt: number,
  options: number,
  usageAt: number,
): KernelFlow<number> {
  if (options & ~WAIT4_OPTIONS) return -errno.EINVAL;
  const waited = yield* waitForChild(kernel, task, pid | 0, options);
  if (typeof waited === 'number') return waited;
  const { status, utimeNs, stimeNs } = waited;
  if (statusAt !== 0) {
    const stored = u32ToUser(task, statusAt, status);
    if (stored < 0) return stored;
  }
  if (usageAt !== 0) {
    const stored = structToUser(task, usageAt, RUSAGE_BYTES, (view) =>
      putUsage(view, utimeNs, stimeNs),
    );
    if (stored < 0) return stored;
  }
  return waited.pid;
}

function putUsage(view: DataView, utimeNs: number, stimeNs: number): void {
  const putTimeval = (at: number, ns: number) => {
    view.setBigInt64(at, BigInt(Math.floor(ns / 1e9)), true);
    view.setBigInt64(at + 8, BigInt(Math.floor((ns % 1e9) / 1000)), true);
  };
  putTimeval(0, utimeNs);
  putTimeval(16, stimeNs);
}

const RUSAGE_SELF = 0;
const RUSAGE_CHILDREN = -1;
const RUSAGE_THREAD = 1;

function getrusage(task: Task, who: number, address: number): number {
  const { process } = task;
  let times: readonly [number, number];
  if ((who | 0) === RUSAGE_SELF) times = [process.utimeNs, process.stimeNs];
  else if ((who | 0) === RUSAGE_CHILDREN) {
    times = [process.childrenUtimeNs, process.childrenStimeNs];
  } else if ((who | 0) === RUSAGE_THREAD) times = [task.utimeNs, task.stimeNs];
  else return -errno.EINVAL;
  return structToUser(task, address, RUSAGE_BYTES, (view) => putUsage(view, ...times));
}

// --- groups and sessions ---

function processOf(kernel: Kernel, task: Task, pid: number): Process | undefined {
  return pid === 0 ? task.process : kernel.processes.process(pid);
}

function setpgid(kernel: Kernel, task: Task, pidArg: number, pgidArg: number): number {
  const pid = pidArg | 0;
  const pgid = pgidArg | 0;
  if (pgid < 0) return -errno.EINVAL;
  const target = processOf(kernel, task, pid);
  if (!target) return -errno.ESRCH;
  if (target !== task.process) {
    if (target.parent !== task.process) return -errno.ESRCH;
    if (target.sid !== task.process.sid) return -errno.EPERM;
    // Once a child has exec'ed it is its own master.
    if (!(target.leader.flags & 0x40)) return -errno.EACCES;
  }
  if (target.sid === target.pid) return -errno.EPERM;
  const wanted = pgid === 0 ? target.pid : (pgid as Pid);
  if (wanted !== target.pid) {
    const members = kernel.processes.group(wanted);
    if (!members.some((member) => member.sid === task.process.sid)) return -errno.EPERM;
  }
  target.pgid = wanted;
  return 0;
}

function setsid(kernel: Kernel, task: Task): number {
  const { process } = task;
  if (kernel.processes.group(process.pid).length > 0) return -errno.EPERM;
  process.sid = process.pid;
  process.pgid = process.pid;
  process.tty = undefined;
  return process.pid;
}

const PR_SET_PDEATHSIG = 1;
const PR_GET_PDEATHSIG = 2;
const PR_GET_DUMPABLE = 3;
const PR_SET_NAME = 15;
const PR_GET_NAME = 16;
const PR_GET_SECCOMP = 21;
const PR_SET_SECCOMP = 22;
const PR_SET_CHILD_SUBREAPER = 36;
const PR_GET_CHILD_SUBREAPER = 37;
const PR_SET_NO_NEW_PRIVS = 38;
const PR_GET_NO_NEW_PRIVS = 39;

function prctl(
  kernel: Kernel,
  task: Task,
  option: number,
  arg: number,
  rest: readonly [number, number, number],
): number {
  switch (option) {
    case PR_SET_NAME: {
      const bytes = task.mm!.bytesToNul(arg, 16);
      const text = typeof bytes === 'number' ? task.mm!.copyIn(arg, 15) : bytes;
      if (!text) return -errno.EFAULT;
      rename(kernel, task, String.fromCharCode(...text));
      return 0;
    }
    case PR_GET_NAME: {
      const bytes = new Uint8Array(16);
      for (let i = 0; i < task.comm.length; i++) bytes[i] = task.comm.charCodeAt(i);
      return task.mm!.copyOut(arg, bytes) ? 0 : -errno.EFAULT;
    }
    case PR_SET_PDEATHSIG:
      if (arg > 64) return -errno.EINVAL;
      task.struct.pdeath_signal = arg;
      return 0;
    case PR_GET_PDEATHSIG:
      return u32ToUser(task, arg, task.struct.pdeath_signal);
    case PR_GET_DUMPABLE:
      return 1;
    case PR_SET_CHILD_SUBREAPER:
      task.process.isSubreaper = arg !== 0;
      return 0;
    case PR_GET_CHILD_SUBREAPER:
      return u32ToUser(task, arg, task.process.isSubreaper ? 1 : 0);
    case PR_GET_SECCOMP:
      return task.seccomp.mode;
    case PR_SET_SECCOMP:
      return prctlSetSeccomp(kernel, task, arg, rest[0]);
    case PR_SET_NO_NEW_PRIVS:
      if (arg !== 1 || rest.some((word) => word !== 0)) return -errno.EINVAL;
      task.noNewPrivs = true;
      return 0;
    case PR_GET_NO_NEW_PRIVS:
      if (arg !== 0 || rest.some((word) => word !== 0)) return -errno.EINVAL;
      return task.noNewPrivs ? 1 : 0;
    default:
      return -errno.EINVAL;
  }
}

export const processRows = [
  syscall(
    56,
    'clone',
    'unsigned long clone_flags, unsigned long newsp, int *parent_tidptr, int *child_tidptr, unsigned long tls',
    (kernel, task, flags, _sp, parentTid, childTid) =>
      clone(kernel, task, flags, parentTid, childTid),
  ),
  syscall(57, 'fork', '', (kernel, task) => clone(kernel, task, SIGCHLD, 0, 0)),
  syscall(58, 'vfork', '', (kernel, task) =>
    clone(kernel, task, f.CLONE_VM | f.CLONE_VFORK | SIGCHLD, 0, 0),
  ),
  syscall(
    59,
    'execve',
    'const char *filename, const char *const *argv, const char *const *envp',
    (kernel, task, name, argv, envp) => execve(kernel, task, AT_FDCWD, name, argv, envp),
  ),
  syscall(60, 'exit', 'int error_code', (kernel, task, code) => {
    exitTask(kernel, task, exitCode(code));
    return 0;
  }),
  syscall(
    61,
    'wait4',
    'pid_t upid, int *stat_addr, int options, struct rusage *ru',
    (kernel, task, pid, status, options, usage) => wait4(kernel, task, pid, status, options, usage),
  ),
  syscall(231, 'exit_group', 'int error_code', (kernel, task, code) => {
    exitGroup(kernel, task, exitCode(code));
    return 0;
  }),
  syscall(
    322,
    'execveat',
    'int fd, const char *filename, const char *const *argv, const char *const *envp, int flags',
    (kernel, task, dfd, name, argv, envp, flags) =>
      flags & ~AT_SYMLINK_NOFOLLOW ? -errno.EINVAL : execve(kernel, task, dfd, name, argv, envp),
  ),
  syscall(435, 'clone3', 'struct clone_args *uargs, size_t size', (kernel, task, args, size) =>
    clone3(kernel, task, args, size),
  ),

  syscall(39, 'getpid', '', (_kernel, task) => task.tgid),
  syscall(186, 'gettid', '', (_kernel, task) => task.pid),
  syscall(110, 'getppid', '', (_kernel, task) => task.process.parent?.pid ?? 0),
  syscall(109, 'setpgid', 'pid_t pid, pid_t pgid', (kernel, task, pid, pgid) =>
    setpgid(kernel, task, pid, pgid),
  ),
  syscall(111, 'getpgrp', '', (_kernel, task) => task.process.pgid),
  syscall(
    121,
    'getpgid',
    'pid_t pid',
    (kernel, task, pid) => processOf(kernel, task, pid | 0)?.pgid ?? -errno.ESRCH,
  ),
  syscall(112, 'setsid', '', (kernel, task) => setsid(kernel, task)),
  syscall(
    124,
    'getsid',
    'pid_t pid',
    (kernel, task, pid) => processOf(kernel, task, pid | 0)?.sid ?? -errno.ESRCH,
  ),
  syscall(
    157,
    'prctl',
    'int option, unsigned long arg2, unsigned long arg3, unsigned long arg4, unsigned long arg5',
    (kernel, task, option, arg, ...rest) =>
      prctl(kernel, task, option, arg, [rest[0], rest[1], rest[2]]),
  ),
  syscall(218, 'set_tid_address', 'int *tidptr', (_kernel, task, address) => {
    task.clearChildTid = address;
    return task.pid;
  }),
  syscall(98, 'getrusage', 'int who, struct rusage *ru', (_kernel, task, who, address) =>
    getrusage(task, who, address),
  ),
];
