/**
 * execve: find the program, make a new address space with its arguments, begin anew.
 *
 * A file that begins with EXECUTABLE_MAGIC is the executable whose name follows; `#!` names an
 * interpreter. Nothing of the caller is touched before all that can fail has succeeded.
 */
import { inodePermission, MAY_EXEC } from '../fs/cred.ts';
import { MS_NOEXEC } from '../fs/fcntl.ts';
import type { Path } from '../fs/mount.ts';
import { lookup } from '../fs/namei.ts';
import { S_IFMT, S_IFREG } from '../fs/vfs-types.ts';
import type { Kernel } from '../machine-types.ts';
import { AddressSpace, anonymous } from '../mm/address-space.ts';
import { buildStack } from '../mm/exec-stack.ts';
import { MAP_PRIVATE, PROT_EXEC, PROT_READ } from '../mm/vma.ts';
import { EXECUTABLE_MAGIC } from '../syscall/abi.ts';
import type { UserMain } from '../syscall/abi.ts';
import { errno } from '../types/errno.ts';
import { PF_FORKNOEXEC, TASK_COMM_LEN } from '../types/task.ts';
import type { KernelFlow } from './flow.ts';
import { isFlow } from './flow.ts';
import * as s from './signal.ts';
import type { Task } from './task.ts';
import { decodeText } from '../types/text.ts';

/** BINPRM_BUF_SIZE: how much of a file decides what it is. */
const HEAD_BYTES = 256;
/** Interpreters of interpreters (exec_binprm). */
const MAX_DEPTH = 5;
/** Where a non-PIE program of x86-64 is linked to; text is its second page, as ld places it. */
const TEXT_BASE = 0x400000;
const TEXT_BYTES = 0x2000;
const BRK_START = 0x405000;
const S_ISUID = 0o4000;
const S_ISGID = 0o2000;

interface Binary {
  readonly main: UserMain;
  readonly path: Path;
  readonly pathName: string;
  readonly argv: readonly string[];
}

/** 0, or -errno with the caller as it was. */
export function* exec(
  kernel: Kernel,
  task: Task,
  start: Path,
  fileName: string,
  argv: readonly string[],
  envp: readonly string[],
): KernelFlow<number> {
  // differs: another thread than the leader cannot take over the leader's pid.
  if (task !== task.process.leader) return -errno.EINVAL;
  const binary = yield* findBinary(kernel, task, start, fileName, argv);
  if (typeof binary === 'number') return binary;
  const mm = new AddressSpace(kernel.userPages);
  mapProgram(mm, binary);
  const stack = buildStack(mm, kernel, binary.argv, envp, fileName, task.cred);
  if (stack < 0) {
    mm.release();
    return stack;
  }
  beginAnew(kernel, task, mm, binary, fileName);
  task.userFrames.length = 0;
  task.userFrames.push({ flow: binary.main({ memory: mm }, binary.argv, envp) });
  const { schedProcessExec } = kernel.tracepoints;
  if (schedProcessExec.enabled) {
    schedProcessExec.fire(task, task.pid, 0 as typeof task.offset, fileName);
  }
  return 0;
}

function* findBinary(
  kernel: Kernel,
  task: Task,
  start: Path,
  fileName: string,
  argv: readonly string[],
): KernelFlow<Binary | number> {
  const walk = kernel.vfs.walkOf(task);
  let pathName = fileName;
  let args = argv;
  for (let depth = 0; depth <= MAX_DEPTH; depth++) {
    const path = lookup(walk, start, pathName);
    if (typeof path === 'number') return path;
    const { inode } = path.dentry;
    if ((inode.mode & S_IFMT) !== S_IFREG) return -errno.EACCES;
    if (path.mount.flags & MS_NOEXEC) return -errno.EACCES;
    const allowed = inodePermission(inode, task.cred, MAY_EXEC);
    if (allowed < 0) return allowed;
    const opened = inode.open?.(0) ?? -errno.EACCES;
    const ops = isFlow(opened) ? yield* opened : opened;
    if (typeof ops === 'number') return ops;
    const read = ops.read?.(HEAD_BYTES, 0, 0) ?? -errno.ENOEXEC;
    const head = isFlow(read) ? yield* read : read;
    ops.release?.();
    if (typeof head === 'number') return head;
    const text = decodeText(head);
    if (text.startsWith(EXECUTABLE_MAGIC)) {
      const name = /^[^\n\0]*/.exec(text.slice(EXECUTABLE_MAGIC.length))![0].trim();
      const main = kernel.config.programs.get(name);
      return main ? { main, path, pathName, argv: args } : -errno.ENOEXEC;
    }
    const script = /^#![ \t]*([^ \t\n\0]+)(?:[ \t]+([^\n\0]*?))?[ \t]*(?:[\n\0]|$)/.exec(text);
    if (!script) return -errno.ENOEXEC;
    const [, interpreter, argument] = script;
    args = [interpreter!, ...(argument ? [argument] : []), pathName, ...args.slice(1)];
    pathName = interpreter!;
  }
  return -errno.ELOOP;
}

function mapProgram(mm: AddressSpace, { path, pathName }: Binary): void {
  const { inode } = path.dentry;
  const backing = { path: pathName, inode: inode.ino, device: inode.fs.dev };
  const prot = PROT_READ | PROT_EXEC;
  const end = TEXT_BASE + TEXT_BYTES;
  mm.map({ start: TEXT_BASE, end, prot, flags: MAP_PRIVATE, name: '', backing, page: 0 });
  mm.map(anonymous(end, end + 0x1000));
  mm.startBrk = BRK_START;
  mm.brk = BRK_START;
}

/** What exec changes of a process besides its memory (begin_new_exec). */
function beginAnew(
  kernel: Kernel,
  task: Task,
  mm: AddressSpace,
  binary: Binary,
  fileName: string,
): void {
  const { process } = task;
  killOtherThreads(kernel, task);
  const old = task.mm;
  task.mm = mm;
  task.struct.mm = mm.struct.offset;
  task.struct.active_mm = mm.struct.offset;
  task.clearChildTid = 0;
  old?.release();
  process.vforkDone?.();
  process.vforkDone = undefined;
  rename(kernel, task, fileName.slice(fileName.lastIndexOf('/') + 1));
  task.exePath =
    kernel.vfs.mounts.pathName(binary.path, kernel.vfs.mounts.rootPath) ?? binary.pathName;
  task.flags &= ~PF_FORKNOEXEC;
  task.files?.closeOnExec();
  process.actions = process.actions.map((action) =>
    action.token === BigInt(s.SIG_IGN)
      ? { ...s.DEFAULT_ACTION, token: action.token }
      : s.DEFAULT_ACTION,
  );
  const { mode, uid, gid } = binary.path.dentry.inode;
  let cred = task.cred;
  const mayGain = !task.noNewPrivs;
  if (mayGain && mode & S_ISUID) cred = cred.with({ euid: uid, fsuid: uid });
  if (mayGain && (mode & (S_ISGID | 0o010)) === (S_ISGID | 0o010)) {
    cred = cred.with({ egid: gid, fsgid: gid });
  }
  task.cred = cred.afterExec();
  task.struct.self_exec_id++;
  kernel.signals.recalculate(task);
}

export function rename(kernel: Kernel, task: Task, name: string): void {
  const { taskRename } = kernel.tracepoints;
  const comm = name.slice(0, TASK_COMM_LEN - 1);
  if (taskRename.enabled) {
    kernel.sched.withPreemptOff(1, () => taskRename.fire(task, 0 as typeof task.offset, comm));
  }
  task.comm = comm;
}

/** de_thread: the caller is the only thread that survives. */
function killOtherThreads(kernel: Kernel, task: Task): void {
  for (const other of task.process.threads) {
    if (other === task) continue;
    other.killedByExec = true;
    kernel.signals.recalculate(other);
    kernel.sched.wake(other, 'signal');
  }
}
