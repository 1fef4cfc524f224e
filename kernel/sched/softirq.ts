/**
 * Softirqs: work that an interrupt leaves for right after it.
 *
 *   softirqs.open('NET_RX', (cpu) => …)    the handler, once
 *   softirqs.raise(cpu, 'NET_RX')          run it on that CPU soon
 *
 * A CPU repeats while handlers raise again, ten times at most or 2 ms (MAX_SOFTIRQ_RESTART,
 * MAX_SOFTIRQ_TIME of kernel/softirq.c); what is left then is ksoftirqd's, and competes with tasks.
 */
import type { Events } from '../machine-types.ts';
import type { SoftirqName } from '../trace/events.ts';
import { SOFTIRQS } from '../trace/events.ts';
import type { Ns } from '../types/units.ts';
import type { Cpu } from './cpu.ts';
import type { KernelFlow } from './flow.ts';
import type { Scheduler } from './scheduler.ts';
import { WaitQueue } from './wait-queue.ts';

export type SoftirqHandler = (cpu: number) => void;

const MAX_RESTART = 10;
const MAX_TIME_NS = 2_000_000;

interface CpuState {
  readonly cpu: Cpu;
  /** Bit N: softirq N is raised. */
  pending: number;
  scheduled: boolean;
  /** ksoftirqd has taken over until it finds nothing to do. */
  deferred: boolean;
  readonly daemon: WaitQueue;
  readonly counts: number[];
}

export class Softirqs {
  readonly #events: Events;
  readonly #sched: Scheduler;
  readonly #handlers: (SoftirqHandler | undefined)[] = [];
  readonly #states: CpuState[];

  constructor(events: Events, sched: Scheduler) {
    this.#events = events;
    this.#sched = sched;
    this.#states = sched.cpus.map((cpu) => ({
      cpu,
      pending: 0,
      scheduled: false,
      deferred: false,
      daemon: new WaitQueue(sched),
      counts: SOFTIRQS.map(() => 0),
    }));
  }

  open(name: SoftirqName, handler: SoftirqHandler): void {
    this.#handlers[SOFTIRQS.indexOf(name)] = handler;
  }

  /** How often each ran on a CPU, in the order of SOFTIRQS: /proc/softirqs. */
  countsOf(cpu: number): readonly number[] {
    return this.#states[cpu]!.counts;
  }

  raise(cpu: number, name: SoftirqName): void {
    const state = this.#states[cpu]!;
    const vec = SOFTIRQS.indexOf(name);
    const { softirqRaise } = this.#sched.tracepoints;
    if (softirqRaise.enabled) softirqRaise.fire(vec);
    state.pending |= 1 << vec;
    if (state.deferred) state.daemon.wakeAll();
    else this.#post(state, this.#sched.clock());
  }

  #post(state: CpuState, at: Ns): void {
    if (state.scheduled) return;
    state.scheduled = true;
    this.#events.at(at, 'softirq', () => {
      state.scheduled = false;
      this.#run(state, this.#events.now, MAX_RESTART);
    });
  }

  /** One round; further ones follow when the CPU's time for this one has passed. */
  #run(state: CpuState, startedNs: Ns, restartsLeft: number): void {
    const { cpu } = state;
    if (state.pending === 0 || state.deferred) return;
    if (cpu.irqUntil > this.#events.now) return this.#again(state, startedNs, restartsLeft);
    // What is raised meanwhile is seen below, and needs no event of its own.
    state.scheduled = true;
    this.#sched.softirq(cpu, () => this.#handle(state));
    state.scheduled = false;
    if (state.pending === 0) return;
    if (restartsLeft > 1 && cpu.irqUntil - startedNs < MAX_TIME_NS) {
      return this.#again(state, startedNs, restartsLeft - 1);
    }
    state.deferred = true;
    state.daemon.wakeAll();
  }

  #again(state: CpuState, startedNs: Ns, restartsLeft: number): void {
    state.scheduled = true;
    this.#events.at(state.cpu.irqUntil, 'softirq', () => {
      state.scheduled = false;
      this.#run(state, startedNs, restartsLeft);
    });
  }

  #handle(state: CpuState): void {
    const pending = state.pending;
    state.pending = 0;
    const { softirqEntry, softirqExit } = this.#sched.tracepoints;
    for (let vec = 0; vec < SOFTIRQS.length; vec++) {
      if (!(pending & (1 << vec))) continue;
      state.counts[vec]!++;
      if (softirqEntry.enabled) softirqEntry.fire(vec);
      this.#handlers[vec]?.(state.cpu.id);
      if (softirqExit.enabled) softirqExit.fire(vec);
    }
  }

  /** What the kernel thread ksoftirqd/N runs. */
  *daemon(cpuId: number): KernelFlow<number> {
    const state = this.#states[cpuId]!;
    for (;;) {
      yield* state.daemon.wait(() => state.deferred, { interruptible: true });
      state.cpu.inSoftirq = true;
      this.#handle(state);
      state.cpu.inSoftirq = false;
      if (state.pending === 0) state.deferred = false;
      // The round's cost passes, and others get their turn.
      yield { kind: 'compute', ns: 0 };
    }
  }
}
