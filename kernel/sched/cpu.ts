/** One CPU: what runs on it, what it has been charged, and its run queue. */
import type { EventHandle } from '../machine-types.ts';
import type { Ns } from '../types/units.ts';
import { RunQueue } from './run-queue.ts';
import type { Task } from './task.ts';

export class Cpu {
  readonly id: number;
  /** swapper/N, which runs when nothing else can. */
  readonly idle: Task;
  current: Task;
  readonly queue = new RunQueue();

  /** Charged by the code that runs now, and not yet on the clock. */
  pendingNs = 0;
  /** When what was charged to the current task will have elapsed. */
  busyUntil = 0 as Ns;
  /** When interrupts and softirqs are done with the CPU. */
  irqUntil = 0 as Ns;
  /** The event that goes on with the current task. */
  resume: EventHandle | undefined;
  /** What elapses now is user mode: it may be preempted, and counts as user time. */
  inUserMode = false;
  needResched = false;
  /** Woken tasks on their way to the queue. */
  incoming = 0;
  tick: EventHandle | undefined;
  /** Since when the current task's run time is not accounted yet. */
  accountedTo = 0 as Ns;
  /** Interrupt time inside that span, which is not the task's. */
  stolenNs = 0;

  /** What the running code is inside of, for the flags of trace records. */
  inHardirq = false;
  inSoftirq = false;
  irqsOff = false;
  /** A task has softirqs off. */
  bhOff = false;
  preemptDepth = 0;
  migrateDisabled = 0;
  bpfActive = false;

  /** /proc/stat and /proc/interrupts. */
  userNs = 0;
  systemNs = 0;
  irqNs = 0;
  softirqNs = 0;
  switches = 0;
  timerInterrupts = 0;
  rescheduleInterrupts = 0;

  constructor(id: number, idle: Task) {
    this.id = id;
    this.idle = idle;
    this.current = idle;
  }

  get isIdle(): boolean {
    return this.current === this.idle;
  }

  /** Tasks that want to run here, the current one included. */
  get runnable(): number {
    return this.queue.length + (this.isIdle ? 0 : 1);
  }
}
