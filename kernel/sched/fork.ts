/**
 * clone: a new task that shares with its parent what the flags say, and runs what the request
 * brought along (a generator cannot be copied as fork copies a stack).
 */
import { COPY_MM_NS } from '../cost/costs.ts';
import type { Kernel } from '../machine-types.ts';
import type { ChildMain } from '../syscall/abi.ts';
import { errno } from '../types/errno.ts';
import { PF_FORKNOEXEC, PF_SUPERPRIV } from '../types/task.ts';
import type { KernelFlow, MaySleep } from './flow.ts';
import { Process } from './process.ts';
import type { Task } from './task.ts';
import { WaitQueue } from './wait-queue.ts';

/** UAPI linux/sched.h */
export const CSIGNAL = 0xff;
export const CLONE_VM = 0x100;
export const CLONE_FS = 0x200;
export const CLONE_FILES = 0x400;
export const CLONE_SIGHAND = 0x800;
export const CLONE_VFORK = 0x4000;
export const CLONE_PARENT = 0x8000;
export const CLONE_THREAD = 0x10000;
export const CLONE_PARENT_SETTID = 0x100000;
export const CLONE_CHILD_CLEARTID = 0x200000;
export const CLONE_CHILD_SETTID = 0x1000000;
/** CLONE_NEWNS, NEWCGROUP, NEWUTS, NEWIPC, NEWUSER, NEWPID, NEWNET. */
const NAMESPACES =
  0x20000 | 0x2000000 | 0x4000000 | 0x8000000 | 0x10000000 | 0x20000000 | 0x40000000;

export interface CloneArgs {
  readonly flags: number;
  readonly exitSignal: number;
  readonly parentTid: number;
  readonly childTid: number;
  readonly main: ChildMain | undefined;
}

/** The child's pid, or -errno. Sleeps only for CLONE_VFORK. */
export function cloneTask(kernel: Kernel, parent: Task, args: CloneArgs): MaySleep<number> {
  const { flags, main } = args;
  // differs: no stack to copy, so a clone without its function cannot go on anywhere.
  if (!main) return -errno.EINVAL;
  if (flags & CLONE_THREAD && !(flags & CLONE_SIGHAND)) return -errno.EINVAL;
  if (flags & CLONE_SIGHAND && !(flags & CLONE_VM)) return -errno.EINVAL;
  // differs: no namespaces yet.
  if (flags & NAMESPACES) return -errno.EINVAL;
  const pid = kernel.processes.allocatePid();
  if (pid === undefined) return -errno.EAGAIN;
  const isThread = (flags & CLONE_THREAD) !== 0;
  const { process: old } = parent;
  const process = isThread ? old : new Process(kernel.sched, old.pgid, old.sid, old.actions);
  if (!isThread) {
    process.tty = old.tty;
    process.limits = [...old.limits];
  }
  const grandparent = flags & CLONE_PARENT ? old.parent : old;
  const child = kernel.processes.add(
    {
      pid,
      comm: parent.comm,
      process,
      cred: parent.cred,
      flags: (parent.flags & ~PF_SUPERPRIV) | PF_FORKNOEXEC,
    },
    isThread ? undefined : grandparent,
    args.exitSignal,
  );
  copyTask(kernel, parent, child, flags);
  child.userFrames.push({ flow: main({ memory: child.mm! }) });
  if (flags & CLONE_CHILD_CLEARTID) child.clearChildTid = args.childTid;
  const tid = new Uint8Array(new Int32Array([pid]).buffer);
  if (flags & CLONE_PARENT_SETTID) parent.mm!.copyOut(args.parentTid, tid);
  if (flags & CLONE_CHILD_SETTID) child.mm!.copyOut(args.childTid, tid);
  const { taskNewtask, schedProcessFork } = kernel.tracepoints;
  if (taskNewtask.enabled) taskNewtask.fire(child, flags);
  if (schedProcessFork.enabled) schedProcessFork.fire(parent, child);
  kernel.sched.start(child);
  return flags & CLONE_VFORK ? vforkWait(kernel, process, pid) : pid;
}

function copyTask(kernel: Kernel, parent: Task, child: Task, flags: number): void {
  if (flags & CLONE_VM) {
    child.mm = parent.mm!.share();
  } else {
    child.mm = parent.mm!.fork();
    kernel.charge(COPY_MM_NS);
  }
  child.files = flags & CLONE_FILES ? parent.files!.share() : parent.files!.clone();
  child.fs = flags & CLONE_FS ? parent.fs!.share() : parent.fs!.clone();
  child.exePath = parent.exePath;
  child.seccomp = parent.seccomp;
  child.noNewPrivs = parent.noNewPrivs;
  child.struct.mm = child.mm.struct.offset;
  child.struct.active_mm = child.mm.struct.offset;
  child.blocked = parent.blocked;
  child.nice = parent.nice;
  child.publishNice();
  child.cpusAllowed.clear();
  for (const cpu of parent.cpusAllowed) child.cpusAllowed.add(cpu);
  child.struct.nr_cpus_allowed = child.cpusAllowed.size;
  kernel.signals.recalculate(child);
}

/** The parent stands still until the child has exec'ed or is gone (killable only in Linux). */
function* vforkWait(kernel: Kernel, process: Process, pid: number): KernelFlow<number> {
  const queue = new WaitQueue(kernel.sched);
  let done = process.zombie || process.reaped;
  process.vforkDone = () => {
    done = true;
    queue.wakeAll();
  };
  yield* queue.wait(() => done, { interruptible: false });
  return pid;
}
