/**
 * What the threads of one process share: Linux's signal_struct and sighand_struct, and its place
 * among process groups and sessions.
 */
import type { EventHandle } from '../machine-types.ts';
import type { Pid } from '../types/units.ts';
import type { Limit } from './limits.ts';
import { initialLimits } from './limits.ts';
import type { SignalAction } from './signal.ts';
import { DEFAULT_ACTION, PendingSignals } from './signal.ts';
import type { Task } from './task.ts';
import { WaitQueue } from './wait-queue.ts';
import type { Sleeper } from './wait-queue.ts';

/** A process's controlling terminal, as far as process life concerns it (kernel/fs has ttys). */
export interface ControllingTty {
  /** tty_nr of /proc/PID/stat: the device number. */
  readonly device: number;
  /** Foreground process group; 0 if none. */
  readonly foregroundPgid: number;
  /** The session's leader exits: hang up and let go of the session. */
  sessionLeaderExited(sid: Pid): void;
}

/** How a child's state has changed, for wait4. */
export type WaitStatus =
  { readonly kind: 'stopped'; readonly signal: number } | { readonly kind: 'continued' };

export class Process {
  leader!: Task;
  readonly threads: Task[] = [];
  parent: Process | undefined;
  /** In order of birth. */
  readonly children: Process[] = [];
  pgid: Pid;
  sid: Pid;
  tty: ControllingTty | undefined;

  readonly sharedPending = new PendingSignals();
  actions: SignalAction[];
  /** wait4 of this process's threads sleeps here. */
  readonly childExit: WaitQueue;
  /** vfork's parent sleeps here until the child has exec'ed or gone. */
  vforkDone: (() => void) | undefined;

  /** Set once exit_group or a fatal signal has begun; the status as wait4 encodes it. */
  groupExit: { readonly status: number } | undefined;
  /** The stop signal while the process is stopped. */
  stopSignal = 0;
  /** A stop or continue that the parent has not waited for yet. */
  unreported: WaitStatus | undefined;
  /** wait4's status once the process is a zombie. */
  exitStatus = 0;
  zombie = false;
  /** Waited for: pid and structs are on their way out. */
  reaped = false;
  /** PR_SET_CHILD_SUBREAPER */
  isSubreaper = false;

  constructor(sleeper: Sleeper, pgid: Pid, sid: Pid, actions?: readonly SignalAction[]) {
    this.pgid = pgid;
    this.sid = sid;
    this.actions = actions ? [...actions] : new Array<SignalAction>(65).fill(DEFAULT_ACTION);
    this.childExit = new WaitQueue(sleeper);
  }

  /** By RLIMIT_*. */
  limits: Limit[] = initialLimits();
  /** alarm(2) that has not gone off. */
  alarm: { readonly atNs: number; readonly event: EventHandle } | undefined;
  /** CPU time of threads that are gone, and of children that were waited for. */
  deadUtimeNs = 0;
  deadStimeNs = 0;
  childrenUtimeNs = 0;
  childrenStimeNs = 0;

  get pid(): Pid {
    return this.leader.pid;
  }

  get utimeNs(): number {
    return this.threads.reduce((sum, thread) => sum + thread.utimeNs, this.deadUtimeNs);
  }

  get stimeNs(): number {
    return this.threads.reduce((sum, thread) => sum + thread.stimeNs, this.deadStimeNs);
  }
}
