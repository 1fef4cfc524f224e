/**
 * The end of tasks and processes: exit, exit_group, reparenting, zombies and what wait4 finds.
 *
 *   exitTask(kernel, task, status)    this thread ends; with the last one, the process
 *   exitGroup(kernel, task, status)   all threads of its process end
 *   reap(kernel, process)             the parent has seen it: gone for good
 *
 * `status` is encoded as wait4 reports it: exit code << 8, or the signal, + 0x80 for a core dump.
 */
import type { Kernel } from '../machine-types.ts';
import {
  EXIT_DEAD,
  EXIT_ZOMBIE,
  PF_EXITING,
  PF_KTHREAD,
  TASK_DEAD,
  TASK_STOPPED,
} from '../types/task.ts';
import type { Process } from './process.ts';
import * as s from './signal.ts';
import { childInfo, isOrphanedGroup, kernelInfo } from './signals.ts';
import type { Task } from './task.ts';

export const exitCode = (code: number): number => (code & 0xff) << 8;

export function exitGroup(kernel: Kernel, task: Task, status: number): void {
  const { process } = task;
  if (!process.groupExit) {
    process.groupExit = { status };
    for (const other of process.threads) {
      if (other === task || other.exited) continue;
      other.pending.add(kernelInfo(s.SIGKILL));
      kernel.signals.recalculate(other);
      if (other.state === TASK_STOPPED) kernel.sched.makeRunnable(other, 'signal');
      else kernel.sched.wake(other, 'signal');
    }
  }
  exitTask(kernel, task, process.groupExit.status);
}

export function exitTask(kernel: Kernel, task: Task, status: number): void {
  const { process } = task;
  task.exited = true;
  task.flags |= PF_EXITING;
  const { schedProcessExit } = kernel.tracepoints;
  if (schedProcessExit.enabled) schedProcessExit.fire(task);
  task.kernelFlow = undefined;
  task.syscall = undefined;
  task.userFrames.length = 0;
  task.struct.exit_code = process.groupExit?.status ?? status;
  releaseMemory(task);
  task.files?.release();
  task.files = null;
  task.fs?.release();
  task.fs = null;
  const alive = process.threads.filter((thread) => !thread.exited);
  if (alive.length === 0) endProcess(kernel, process, process.groupExit?.status ?? status);
  task.state = TASK_DEAD;
  if (task !== process.leader) {
    task.struct.exit_state = EXIT_DEAD;
    process.threads.splice(process.threads.indexOf(task), 1);
    process.deadUtimeNs += task.utimeNs;
    process.deadStimeNs += task.stimeNs;
    kernel.processes.remove(task);
  } else {
    task.struct.exit_state = process.reaped ? EXIT_DEAD : EXIT_ZOMBIE;
  }
}

/** exit_mm: wake a vfork parent, clear the tid that pthread_join waits on. */
function releaseMemory(task: Task): void {
  const { mm, process } = task;
  if (mm && task.clearChildTid !== 0 && mm.users > 1) {
    mm.copyOut(task.clearChildTid, new Uint8Array(4));
  }
  process.vforkDone?.();
  process.vforkDone = undefined;
  task.mm = null;
  task.struct.mm = 0 as typeof task.offset;
  mm?.release();
}

function endProcess(kernel: Kernel, process: Process, status: number): void {
  if (process === kernel.processes.init) {
    kernel.panic(`Attempted to kill init! exitcode=0x${status.toString(16).padStart(8, '0')}`);
  }
  process.exitStatus = status;
  process.alarm?.event.cancel();
  process.alarm = undefined;
  process.zombie = true;
  if (process.sid === process.pid) process.tty?.sessionLeaderExited(process.sid);
  forsakeChildren(kernel, process);
  hangUpIfOrphaned(kernel, process, process.pgid, process);
  notifyParent(kernel, process, status);
}

function notifyParent(kernel: Kernel, process: Process, status: number): void {
  const { parent } = process;
  // kthreadd ignores all signals, SIGCHLD included: its children leave no zombies.
  if (!parent || parent.leader.flags & PF_KTHREAD) return reap(kernel, process);
  const { exit_signal: exitSignal } = process.leader.struct;
  const signal = status & 0x7f;
  const code = signal === 0 ? s.CLD_EXITED : status & 0x80 ? s.CLD_DUMPED : s.CLD_KILLED;
  const action = parent.actions[s.SIGCHLD]!;
  const unwanted = action.token === BigInt(s.SIG_IGN) || (action.flags & s.SA_NOCLDWAIT) !== 0;
  if (exitSignal === s.SIGCHLD) kernel.signals.send(parent, childInfo(process, code));
  else if (exitSignal > 0) {
    kernel.signals.send(parent, { ...childInfo(process, code), signal: exitSignal });
  }
  if (exitSignal === s.SIGCHLD && unwanted) reap(kernel, process);
  parent.childExit.wakeAll();
}

/** Children go to the nearest subreaper, else to init. */
function forsakeChildren(kernel: Kernel, process: Process): void {
  let heir = process.parent;
  while (heir && !heir.isSubreaper) heir = heir.parent;
  heir ??= kernel.processes.init;
  if (heir === process) heir = undefined;
  for (const child of [...process.children]) {
    const { pgid } = child;
    const wasOrphaned = isOrphanedGroup(kernel, pgid, undefined);
    kernel.processes.adopt(child, heir);
    if (child.zombie) {
      if (heir) notifyParent(kernel, child, child.exitStatus);
      else reap(kernel, child);
    } else if (!wasOrphaned) hangUpIfOrphaned(kernel, process, pgid, process);
  }
}

/** A newly orphaned group with stopped members gets SIGHUP and SIGCONT (POSIX). */
function hangUpIfOrphaned(kernel: Kernel, cause: Process, pgid: number, leaving: Process): void {
  if (!isOrphanedGroup(kernel, pgid, leaving)) return;
  const stopped = kernel.processes
    .group(pgid)
    .some((member) => member !== cause && !member.zombie && member.stopSignal !== 0);
  if (!stopped) return;
  kernel.signals.killPgrp(pgid, s.SIGHUP);
  kernel.signals.killPgrp(pgid, s.SIGCONT);
}

export function reap(kernel: Kernel, process: Process): void {
  if (process.reaped) return;
  process.reaped = true;
  const { leader, parent } = process;
  leader.struct.exit_state = EXIT_DEAD;
  if (parent) {
    parent.childrenUtimeNs += process.utimeNs + process.childrenUtimeNs;
    parent.childrenStimeNs += process.stimeNs + process.childrenStimeNs;
  }
  kernel.processes.remove(leader);
}
