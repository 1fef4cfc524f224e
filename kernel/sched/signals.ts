/**
 * Sending signals, and acting on them on the way back to user mode.
 *
 *   signals.send(process, info)           to a process (kill, a tty, SIGCHLD)
 *   signals.sendThread(task, info)        to one thread (tgkill)
 *   signals.killPgrp(pgid, signal, info)  to a process group: what ttys do
 *   signals.force(task, signal)           a fault of its own: cannot be blocked or ignored
 *   signals.deliver(task)                 before user mode: what is to happen now
 */
import { SIGNAL_DELIVERY_NS } from '../cost/costs.ts';
import type { Kernel } from '../machine-types.ts';
import { errno } from '../types/errno.ts';
import { PF_KTHREAD, TASK_STOPPED } from '../types/task.ts';
import type { RamOffset } from '../types/units.ts';
import { exitGroup, exitTask } from './exit.ts';
import type { Process } from './process.ts';
import type { SignalAction, SignalInfo } from './signal.ts';
import * as s from './signal.ts';
import type { Task } from './task.ts';

/** TRACE_SIGNAL_* (include/trace/events/signal.h). */
const DELIVERED = 0;
const IGNORED = 1;
const ALREADY_PENDING = 2;
const NULL_OFFSET = 0 as RamOffset;

/** What became of a task that was about to enter user mode. */
export type Delivery = 'none' | 'handler' | 'stopped' | 'exited';

export class Signals {
  readonly #kernel: Kernel;

  constructor(kernel: Kernel) {
    this.#kernel = kernel;
  }

  // --- sending ---

  send(process: Process, info: SignalInfo): number {
    if (process.zombie) return 0;
    this.#generate(process, undefined, info);
    return 0;
  }

  sendThread(task: Task, info: SignalInfo): number {
    if (task.exited) return 0;
    this.#generate(task.process, task, info);
    return 0;
  }

  /** -ESRCH if the group has no member. */
  killPgrp(pgid: number, signal: number, info: SignalInfo = kernelInfo(signal)): number {
    const members = this.#kernel.processes.group(pgid);
    for (const process of members) this.send(process, info);
    return members.length > 0 ? 0 : -errno.ESRCH;
  }

  /** A signal that a thread's own fault raises: default action if it blocks or ignores it. */
  force(task: Task, signal: number, info: SignalInfo = kernelInfo(signal)): void {
    const bit = s.signalBit(signal);
    const action = task.process.actions[signal]!;
    if (task.blocked & bit || action.token === 1n) {
      task.process.actions[signal] = s.DEFAULT_ACTION;
      task.blocked &= ~bit;
    }
    task.pending.add(info);
    task.forced = signal;
    this.recalculate(task);
  }

  #generate(process: Process, thread: Task | undefined, info: SignalInfo): void {
    const { signal } = info;
    this.#beforeStopOrContinue(process, signal);
    const target = thread ?? process.leader;
    const pending = thread ? thread.pending : process.sharedPending;
    let result = DELIVERED;
    if (this.#isIgnored(process, target, signal)) result = IGNORED;
    else if (pending.set & s.signalBit(signal) && signal < 32) result = ALREADY_PENDING;
    const { signalGenerate } = this.#kernel.tracepoints;
    if (signalGenerate.enabled) {
      signalGenerate.fire(signal, NULL_OFFSET, target, thread ? 0 : 1, result, info);
    }
    if (result !== DELIVERED) return;
    pending.add(info);
    if (signal === s.SIGKILL) {
      process.stopSignal = 0;
      // Fatal for all threads at once, wherever they sleep (signal_wake_up with TASK_WAKEKILL).
      for (const task of process.threads) {
        this.recalculate(task);
        this.#wakeForDeath(task);
      }
      return;
    }
    const wanting = thread ?? this.#threadFor(process, signal);
    if (!wanting) return;
    this.recalculate(wanting);
    this.#kernel.sched.wake(wanting, 'signal');
  }

  /** A thread that does not block it: the leader if it can. */
  #threadFor(process: Process, signal: number): Task | undefined {
    const bit = s.signalBit(signal);
    const wants = (task: Task) => !task.exited && !(task.blocked & bit);
    for (const task of process.threads) if (wants(task)) this.recalculate(task);
    return wants(process.leader) ? process.leader : process.threads.find(wants);
  }

  #wakeForDeath(task: Task): void {
    const { sched } = this.#kernel;
    if (task.state === TASK_STOPPED) sched.makeRunnable(task, 'signal');
    else sched.wake(task, 'signal');
  }

  /** SIGCONT undoes stops, a stop signal undoes SIGCONT: even if blocked or ignored. */
  #beforeStopOrContinue(process: Process, signal: number): void {
    const bit = signal === 0 ? 0n : s.signalBit(signal);
    const discard = (set: s.SignalSet) => {
      process.sharedPending.discard(set);
      for (const task of process.threads) task.pending.discard(set);
    };
    if (bit & s.STOP_SIGNALS) discard(s.signalBit(s.SIGCONT));
    if (signal !== s.SIGCONT) return;
    discard(s.STOP_SIGNALS);
    if (process.stopSignal === 0) return;
    process.stopSignal = 0;
    process.unreported = { kind: 'continued' };
    for (const task of process.threads) {
      if (task.state === TASK_STOPPED) this.#kernel.sched.makeRunnable(task, 'woken');
    }
    this.#notifyParent(process, s.CLD_CONTINUED);
  }

  #isIgnored(process: Process, target: Task, signal: number): boolean {
    if (target.flags & PF_KTHREAD) return true;
    // A blocked signal may find a handler by the time it is unblocked.
    if (target.blocked & s.signalBit(signal)) return false;
    const action = process.actions[signal]!;
    if (action.token === BigInt(s.SIG_IGN)) return true;
    if (action.token !== BigInt(s.SIG_DFL)) return false;
    // The first process dies of nothing that it did not ask for (SIGNAL_UNKILLABLE).
    if (process === this.#kernel.processes.init) return true;
    return s.defaultAction(signal) === 'ignore' || signal === s.SIGCONT;
  }

  /** Keep TIF_SIGPENDING true to what is pending; call after every change of masks or queues. */
  recalculate(task: Task): void {
    const set = task.pending.set | task.process.sharedPending.set;
    task.signalPending =
      (set & ~task.blocked) !== 0n ||
      task.process.stopSignal !== 0 ||
      task.killedByExec ||
      (task.process.groupExit !== undefined && !task.exited);
  }

  /** Change the mask (rt_sigprocmask, sigsuspend, handlers). */
  setBlocked(task: Task, blocked: s.SignalSet): void {
    task.blocked = blocked & ~s.KERNEL_ONLY;
    this.recalculate(task);
  }

  // --- delivery ---

  /**
   * Act on pending signals until one needs user mode (its handler is pushed), or none is left.
   * `beforeHandler` is told the action first: it decides what the interrupted call returns.
   */
  deliver(task: Task, beforeHandler: (action: SignalAction) => void): Delivery {
    const { process } = task;
    let pushed: Delivery = 'none';
    while (task.signalPending) {
      if (task.killedByExec) {
        exitTask(this.#kernel, task, s.SIGKILL);
        return 'exited';
      }
      if (process.groupExit) {
        exitGroup(this.#kernel, task, process.groupExit.status);
        return 'exited';
      }
      if (process.stopSignal !== 0) return this.#stop(task);
      const info = task.pending.take(task.blocked) ?? process.sharedPending.take(task.blocked);
      this.recalculate(task);
      if (!info) break;
      const outcome = this.#act(task, info, beforeHandler);
      if (outcome === 'stopped' || outcome === 'exited') return outcome;
      if (outcome === 'handler') pushed = 'handler';
    }
    if (pushed === 'none' && task.savedBlocked !== undefined) {
      const saved = task.savedBlocked;
      task.savedBlocked = undefined;
      this.setBlocked(task, saved);
    }
    return pushed;
  }

  #act(task: Task, info: SignalInfo, beforeHandler: (action: SignalAction) => void): Delivery {
    const { signal } = info;
    const { process } = task;
    const action = process.actions[signal]!;
    const { signalDeliver } = this.#kernel.tracepoints;
    if (signalDeliver.enabled) {
      signalDeliver.fire(signal, NULL_OFFSET, NULL_OFFSET, info, action.token, action.flags);
    }
    if (action.token === BigInt(s.SIG_IGN)) return 'none';
    if (action.token !== BigInt(s.SIG_DFL)) {
      beforeHandler(action);
      this.#pushHandler(task, signal, action);
      return 'handler';
    }
    const forced = task.forced === signal;
    if (process === this.#kernel.processes.init && !forced) return 'none';
    switch (s.defaultAction(signal)) {
      case 'ignore':
      case 'continue':
        return 'none';
      case 'stop':
        if (signal !== s.SIGSTOP && this.#isOrphanedGroup(process)) return 'none';
        process.stopSignal = signal;
        return this.#stop(task);
      case 'core':
        exitGroup(this.#kernel, task, signal | 0x80);
        return 'exited';
      case 'terminate':
        exitGroup(this.#kernel, task, signal);
        return 'exited';
    }
  }

  #pushHandler(task: Task, signal: number, action: SignalAction): void {
    const { process } = task;
    if (action.flags & s.SA_RESETHAND) process.actions[signal] = s.DEFAULT_ACTION;
    const restore = task.savedBlocked ?? task.blocked;
    task.savedBlocked = undefined;
    task.userFrames.push({
      flow: action.handler!(signal),
      onReturn: { blocked: restore, value: task.userValue, restart: task.restartRequest },
    });
    task.restartRequest = undefined;
    task.userValue = 0;
    const own = action.flags & s.SA_NODEFER ? 0n : s.signalBit(signal);
    this.setBlocked(task, task.blocked | action.mask | own);
    this.#kernel.charge(SIGNAL_DELIVERY_NS);
  }

  /** One thread of a stopping process stops; the last one tells the parent. */
  #stop(task: Task): Delivery {
    const { process } = task;
    task.state = TASK_STOPPED;
    for (const other of process.threads) {
      if (other === task || other.state === TASK_STOPPED) continue;
      this.recalculate(other);
      this.#kernel.sched.wake(other, 'signal');
    }
    if (process.threads.every((thread) => thread.state === TASK_STOPPED)) {
      process.unreported = { kind: 'stopped', signal: process.stopSignal };
      this.#notifyParent(process, s.CLD_STOPPED);
    }
    return 'stopped';
  }

  #notifyParent(process: Process, code: number): void {
    const { parent } = process;
    if (!parent) return;
    if (!(parent.actions[s.SIGCHLD]!.flags & s.SA_NOCLDSTOP)) {
      this.send(parent, childInfo(process, code));
    }
    parent.childExit.wakeAll();
  }

  /** No member has a parent in another group of the same session: nobody could continue it. */
  #isOrphanedGroup(process: Process): boolean {
    return isOrphanedGroup(this.#kernel, process.pgid, undefined);
  }
}

/** Would `pgid` be orphaned without `leaving`? (will_become_orphaned_pgrp) */
export function isOrphanedGroup(
  kernel: Kernel,
  pgid: number,
  leaving: Process | undefined,
): boolean {
  return kernel.processes.group(pgid).every((member) => {
    const { parent } = member;
    if (member === leaving || member.zombie || !parent || parent === kernel.processes.init) {
      return true;
    }
    return parent.pgid === pgid || parent.sid !== member.sid;
  });
}

export function kernelInfo(signal: number): SignalInfo {
  return { signal, code: s.SI_KERNEL, pid: 0, uid: 0 };
}

/** SIGCHLD as a parent sees it. */
export function childInfo(process: Process, code: number): SignalInfo {
  const { uid } = process.leader.cred;
  return { signal: s.SIGCHLD, code, pid: process.pid, uid };
}
