/** Signals: dispositions, masks, sending and waiting. */
import type { Kernel } from '../machine-types.ts';
import { fromUser, structToUser } from '../mm/user-copy.ts';
import { CAP_KILL } from '../sched/credentials.ts';
import type { KernelFlow } from '../sched/flow.ts';
import type { Process } from '../sched/process.ts';
import * as s from '../sched/signal.ts';
import type { Task } from '../sched/task.ts';
import { waitOnAny } from '../sched/wait-queue.ts';
import { errno } from '../types/errno.ts';
import { syscall } from './row.ts';

/** sizeof(sigset_t) as the kernel has it; of struct kernel_sigaction on x86-64. */
const SIGSET_BYTES = 8;
const SIGACTION_BYTES = 32;

const isSignal = (signal: number): boolean => signal >= 1 && signal <= s.NSIG;

function rtSigaction(
  kernel: Kernel,
  task: Task,
  signal: number,
  actionAt: number,
  oldAt: number,
  setBytes: number,
): number {
  if (setBytes !== SIGSET_BYTES || !isSignal(signal)) return -errno.EINVAL;
  const { process } = task;
  const old = process.actions[signal]!;
  if (actionAt !== 0) {
    if (s.KERNEL_ONLY & s.signalBit(signal)) return -errno.EINVAL;
    const view = fromUser(task, actionAt, SIGACTION_BYTES);
    if (!view) return -errno.EFAULT;
    const token = view.getBigUint64(0, true);
    const handler = task.syscall?.request.handler;
    // differs: a handler is a function, handed over with the call; an address alone is none.
    if (token > 1n && !handler) return -errno.EINVAL;
    process.actions[signal] = {
      token,
      ...(token > 1n ? { handler: handler! } : {}),
      flags: Number(view.getBigUint64(8, true) & 0xffffffffn),
      restorer: view.getBigUint64(16, true),
      mask: view.getBigUint64(24, true) & ~s.KERNEL_ONLY,
    };
    forgetIgnored(kernel, process, signal);
  }
  if (oldAt === 0) return 0;
  return structToUser(task, oldAt, SIGACTION_BYTES, (view) => {
    view.setBigUint64(0, old.token, true);
    view.setBigUint64(8, BigInt(old.flags), true);
    view.setBigUint64(16, old.restorer, true);
    view.setBigUint64(24, old.mask, true);
  });
}

/** What is pending and is ignored from now on is dropped (POSIX 3.3.1.3). */
function forgetIgnored(kernel: Kernel, process: Process, signal: number): void {
  const { token } = process.actions[signal]!;
  const ignored = token === 1n || (token === 0n && s.defaultAction(signal) === 'ignore');
  if (!ignored) return;
  process.sharedPending.discard(s.signalBit(signal));
  for (const task of process.threads) {
    task.pending.discard(s.signalBit(signal));
    kernel.signals.recalculate(task);
  }
}

function rtSigprocmask(
  kernel: Kernel,
  task: Task,
  how: number,
  setAt: number,
  oldAt: number,
  setBytes: number,
): number {
  if (setBytes !== SIGSET_BYTES) return -errno.EINVAL;
  const old = task.blocked;
  if (setAt !== 0) {
    const view = fromUser(task, setAt, SIGSET_BYTES);
    if (!view) return -errno.EFAULT;
    const set = view.getBigUint64(0, true);
    if (how === s.SIG_BLOCK) kernel.signals.setBlocked(task, old | set);
    else if (how === s.SIG_UNBLOCK) kernel.signals.setBlocked(task, old & ~set);
    else if (how === s.SIG_SETMASK) kernel.signals.setBlocked(task, set);
    else return -errno.EINVAL;
  }
  return oldAt === 0 ? 0 : putSet(task, oldAt, old);
}

function putSet(task: Task, address: number, set: s.SignalSet): number {
  return structToUser(task, address, SIGSET_BYTES, (view) => view.setBigUint64(0, set, true));
}

function* rtSigsuspend(
  kernel: Kernel,
  task: Task,
  setAt: number,
  setBytes: number,
): KernelFlow<number> {
  if (setBytes !== SIGSET_BYTES) return -errno.EINVAL;
  const view = fromUser(task, setAt, SIGSET_BYTES);
  if (!view) return -errno.EFAULT;
  const old = task.blocked;
  kernel.signals.setBlocked(task, view.getBigUint64(0, true));
  yield* waitOnAny(kernel.sched, [], () => false, { interruptible: true });
  task.savedBlocked = old;
  return -errno.ERESTARTNOHAND;
}

/** Without waiting for signals that are blocked: takes one of `set`, or sleeps for one. */
function* rtSigtimedwait(
  kernel: Kernel,
  task: Task,
  setAt: number,
  infoAt: number,
  timeoutAt: number,
): KernelFlow<number> {
  const view = fromUser(task, setAt, SIGSET_BYTES);
  if (!view) return -errno.EFAULT;
  const notWanted = ~view.getBigUint64(0, true);
  let untilNs: number | undefined;
  if (timeoutAt !== 0) {
    const timeout = fromUser(task, timeoutAt, 16);
    if (!timeout) return -errno.EFAULT;
    untilNs = kernel.clock() + Number(timeout.getBigInt64(0, true)) * 1e9;
    untilNs += Number(timeout.getBigInt64(8, true));
  }
  const take = () => task.pending.take(notWanted) ?? task.process.sharedPending.take(notWanted);
  let info = take();
  if (!info) {
    // The wanted signals are let through while it sleeps, so that they wake it.
    const old = task.blocked;
    kernel.signals.setBlocked(task, old & notWanted);
    const options =
      untilNs === undefined
        ? { interruptible: true }
        : { interruptible: true, untilNs: untilNs as ReturnType<Kernel['clock']> };
    const why = yield* waitOnAny(kernel.sched, [], () => false, options);
    kernel.signals.setBlocked(task, old);
    info = take();
    if (!info) return why === 'timeout' ? -errno.EAGAIN : -errno.EINTR;
  }
  kernel.signals.recalculate(task);
  if (infoAt !== 0) {
    const { signal, code, pid, uid } = info;
    const stored = structToUser(task, infoAt, 128, (out) => {
      out.setInt32(0, signal, true);
      out.setInt32(8, code, true);
      out.setInt32(16, pid, true);
      out.setInt32(20, uid, true);
    });
    if (stored < 0) return stored;
  }
  return info.signal;
}

// --- sending ---

function mayKill(sender: Task, target: Process, signal: number): boolean {
  const { cred } = sender;
  const { uid, suid } = target.leader.cred.values;
  if (cred.capable(CAP_KILL)) return true;
  if ([cred.uid, cred.euid].some((id) => id === uid || id === suid)) return true;
  return signal === s.SIGCONT && sender.process.sid === target.sid;
}

const fromTask = (task: Task, signal: number, code: number): s.SignalInfo => ({
  signal,
  code,
  pid: task.tgid,
  uid: task.cred.uid,
});

function killOne(kernel: Kernel, task: Task, target: Process, signal: number): number {
  if (!mayKill(task, target, signal)) return -errno.EPERM;
  if (signal === 0) return 0;
  return kernel.signals.send(target, fromTask(task, signal, s.SI_USER));
}

function kill(kernel: Kernel, task: Task, pidArg: number, signal: number): number {
  const pid = pidArg | 0;
  if (signal < 0 || signal > s.NSIG) return -errno.EINVAL;
  if (pid > 0) {
    const target = kernel.processes.task(pid)?.process;
    return target ? killOne(kernel, task, target, signal) : -errno.ESRCH;
  }
  const targets =
    pid === -1
      ? kernel.processes.all.filter(
          (process) => process.pid > 1 && process !== task.process && process.leader.mm,
        )
      : kernel.processes.group(pid === 0 ? task.process.pgid : -pid);
  if (targets.length === 0) return -errno.ESRCH;
  const results = targets.map((target) => killOne(kernel, task, target, signal));
  return results.includes(0) ? 0 : results[0]!;
}

function tgkill(
  kernel: Kernel,
  task: Task,
  tgid: number | undefined,
  tid: number,
  signal: number,
): number {
  if (tid <= 0 || signal < 0 || signal > s.NSIG) return -errno.EINVAL;
  const target = kernel.processes.task(tid);
  if (!target || (tgid !== undefined && target.tgid !== tgid)) return -errno.ESRCH;
  if (!mayKill(task, target.process, signal)) return -errno.EPERM;
  if (signal === 0) return 0;
  return kernel.signals.sendThread(target, fromTask(task, signal, s.SI_TKILL));
}

export const signalRows = [
  syscall(
    13,
    'rt_sigaction',
    'int sig, const struct sigaction *act, struct sigaction *oact, size_t sigsetsize',
    rtSigaction,
  ),
  syscall(
    14,
    'rt_sigprocmask',
    'int how, sigset_t *nset, sigset_t *oset, size_t sigsetsize',
    rtSigprocmask,
  ),
  syscall(62, 'kill', 'pid_t pid, int sig', kill),
  syscall(
    127,
    'rt_sigpending',
    'sigset_t *uset, size_t sigsetsize',
    (_kernel, task, address, setBytes) => {
      if (setBytes > SIGSET_BYTES) return -errno.EINVAL;
      const pending = task.pending.set | task.process.sharedPending.set;
      return putSet(task, address, pending & task.blocked);
    },
  ),
  syscall(
    128,
    'rt_sigtimedwait',
    'const sigset_t *uthese, siginfo_t *uinfo, const struct __kernel_timespec *uts, ' +
      'size_t sigsetsize',
    (kernel, task, set, info, timeout, setBytes) =>
      setBytes === SIGSET_BYTES ? rtSigtimedwait(kernel, task, set, info, timeout) : -errno.EINVAL,
  ),
  syscall(
    130,
    'rt_sigsuspend',
    'sigset_t *unewset, size_t sigsetsize',
    (kernel, task, set, setBytes) => rtSigsuspend(kernel, task, set, setBytes),
  ),
  syscall(200, 'tkill', 'pid_t pid, int sig', (kernel, task, tid, signal) =>
    tgkill(kernel, task, undefined, tid | 0, signal),
  ),
  syscall(234, 'tgkill', 'pid_t tgid, pid_t pid, int sig', (kernel, task, tgid, tid, signal) =>
    tgkill(kernel, task, tgid | 0, tid | 0, signal),
  ),
];
