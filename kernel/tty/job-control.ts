/**
 * Sessions and process groups as terminals see them (termios(3), setpgid(2)).
 *
 *   checkChange(tty)       before a background process changes or writes to its tty: SIGTTOU
 *   checkRead(tty)         before it reads: SIGTTIN
 *   setControlling(tty), giveUp(tty)    TIOCSCTTY, TIOCNOTTY
 *
 * Results are 0 or -errno; -ERESTARTSYS once a stop signal has been sent to the caller's group.
 */
import type { Process } from '../sched/process.ts';
import { SIGCONT, SIGHUP, SIGTTIN, SIGTTOU } from '../sched/signal.ts';
import type { Task } from '../sched/task.ts';
import { errno } from '../types/errno.ts';
import type { Pid } from '../types/units.ts';
import { CAP_SYS_ADMIN } from '../fs/cred.ts';
import type { Tty } from './tty.ts';

/** What ttys need of process life; the machine provides it. */
export interface JobControl {
  readonly current: Task;
  /** kill_pgrp, from the kernel. */
  signalGroup(pgid: number, signal: number): void;
  signalProcess(process: Process, signal: number): void;
  /** No member has a parent in another group of the same session. */
  isOrphanedGroup(pgid: number): boolean;
  /** The session of a process group; undefined if there is no such group. */
  sessionOfGroup(pgid: number): Pid | undefined;
  processesOfSession(sid: number): Iterable<Process>;
  /** Would `signal` stop this task, or does it ignore or block it? */
  ignoresOrBlocks(task: Task, signal: number): boolean;
}

function isBackground(tty: Tty, task: Task): boolean {
  const { process } = task;
  return process.tty === tty && tty.foregroundPgid !== 0 && process.pgid !== tty.foregroundPgid;
}

export function checkRead(tty: Tty, jobs: JobControl): number {
  const task = jobs.current;
  if (!isBackground(tty, task)) return 0;
  const { pgid } = task.process;
  if (jobs.ignoresOrBlocks(task, SIGTTIN) || jobs.isOrphanedGroup(pgid)) return -errno.EIO;
  jobs.signalGroup(pgid, SIGTTIN);
  return -errno.ERESTARTSYS;
}

export function checkChange(tty: Tty, jobs: JobControl): number {
  const task = jobs.current;
  if (!isBackground(tty, task)) return 0;
  if (jobs.ignoresOrBlocks(task, SIGTTOU)) return 0;
  const { pgid } = task.process;
  if (jobs.isOrphanedGroup(pgid)) return -errno.EIO;
  jobs.signalGroup(pgid, SIGTTOU);
  return -errno.ERESTARTSYS;
}

const isLeader = (process: Process): boolean => process.sid === process.pid;

/** open(2) without O_NOCTTY: a session leader without a tty gets this one, if nobody has it. */
export function adoptOnOpen(tty: Tty, jobs: JobControl): void {
  const { process } = jobs.current;
  if (isLeader(process) && !process.tty && tty.session === 0) become(tty, process);
}

function become(tty: Tty, process: Process): void {
  tty.session = process.sid;
  tty.foregroundPgid = process.pgid;
  process.tty = tty;
}

export function setControlling(tty: Tty, jobs: JobControl, steal: boolean): number {
  const { process, cred } = jobs.current;
  if (isLeader(process) && process.sid === tty.session) return 0;
  if (!isLeader(process) || process.tty) return -errno.EPERM;
  if (tty.session !== 0) {
    if (!steal || !cred.capable(CAP_SYS_ADMIN)) return -errno.EPERM;
    clearSession(tty, jobs);
  }
  become(tty, process);
  return 0;
}

export function giveUp(tty: Tty, jobs: JobControl): number {
  const { process } = jobs.current;
  if (process.tty !== tty) return -errno.ENOTTY;
  if (!isLeader(process)) {
    process.tty = undefined;
    return 0;
  }
  if (tty.foregroundPgid !== 0) {
    jobs.signalGroup(tty.foregroundPgid, SIGHUP);
    jobs.signalGroup(tty.foregroundPgid, SIGCONT);
  }
  clearSession(tty, jobs);
  return 0;
}

/** Take the tty from every process of its session. */
export function clearSession(tty: Tty, jobs: JobControl): void {
  for (const process of jobs.processesOfSession(tty.session)) {
    if (process.tty === tty) process.tty = undefined;
  }
  tty.session = 0;
  tty.foregroundPgid = 0;
}

/** The line is gone: the session's leader gets SIGHUP, and the foreground group if it was cut. */
export function hangUpSession(tty: Tty, jobs: JobControl, sessionEnds: boolean): void {
  for (const process of jobs.processesOfSession(tty.session)) {
    if (process.tty !== tty) continue;
    process.tty = undefined;
    if (!isLeader(process)) continue;
    jobs.signalProcess(process, SIGHUP);
    jobs.signalProcess(process, SIGCONT);
  }
  if (sessionEnds && tty.foregroundPgid !== 0) jobs.signalGroup(tty.foregroundPgid, SIGHUP);
  tty.session = 0;
  tty.foregroundPgid = 0;
}

export function setForeground(tty: Tty, jobs: JobControl, pgid: number): number {
  const { process } = jobs.current;
  const refused = checkChange(tty, jobs);
  if (refused < 0) return refused === -errno.EIO ? -errno.ENOTTY : refused;
  if (process.tty !== tty || tty.session !== process.sid) return -errno.ENOTTY;
  if (pgid < 0) return -errno.EINVAL;
  const sid = jobs.sessionOfGroup(pgid);
  if (sid === undefined) return -errno.ESRCH;
  if (sid !== process.sid) return -errno.EPERM;
  tty.foregroundPgid = pgid;
  return 0;
}
