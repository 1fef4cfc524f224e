/**
 * Timers for BPF: hrtimers that expire in softirq context (HRTIMER_MODE_REL_SOFT), on the CPU that
 * started them. The hardware's interrupt only raises the softirq, in which they are called.
 */
import type { PendingTimer } from '../../bpf/runtime.ts';
import type { EventHandle, Kernel } from '../machine-types.ts';
import type { Ns } from '../types/units.ts';

interface SoftTimer {
  readonly expire: () => void;
  event: EventHandle | undefined;
  /** In the CPU's list, waiting for the softirq. */
  expired: boolean;
}

/** KTIME_MAX would be 292 years off; here what no run lasts. */
const NEVER_NS = 2 ** 52;

export class SoftTimers {
  readonly #kernel: Kernel;
  /** By CPU: expired, in order. */
  readonly #due: SoftTimer[][];

  constructor(kernel: Kernel) {
    this.#kernel = kernel;
    this.#due = kernel.sched.cpus.map(() => []);
    kernel.softirqs.open('HRTIMER', (cpu) => this.#run(cpu));
  }

  start(delayNs: bigint, expire: () => void): PendingTimer {
    const { sched, events } = this.#kernel;
    const cpu = sched.cpu.id;
    const delay = delayNs < 0n ? 0 : Math.min(Number(delayNs), NEVER_NS);
    const timer: SoftTimer = { expire, event: undefined, expired: false };
    timer.event = events.at((sched.clock() + delay) as Ns, 'timer', () => {
      timer.event = undefined;
      timer.expired = true;
      sched.interrupt(cpu, () => {
        this.#due[cpu]!.push(timer);
        this.#kernel.softirqs.raise(cpu, 'HRTIMER');
      });
    });
    return { cancel: () => cancel(timer) };
  }

  #run(cpu: number): void {
    const due = this.#due[cpu]!;
    this.#due[cpu] = [];
    for (const timer of due) {
      if (!timer.expired) continue;
      timer.expired = false;
      timer.expire();
    }
  }
}

function cancel(timer: SoftTimer): boolean {
  const wasPending = timer.event !== undefined || timer.expired;
  timer.event?.cancel();
  timer.event = undefined;
  timer.expired = false;
  return wasPending;
}
