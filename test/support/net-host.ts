/**
 * A network without a kernel around it: CPUs that only take interrupts and softirqs, and whose time
 * passes by what is charged to them. What it gives the network is what kernel/net/host.ts asks for.
 */
import type { Redirect } from '../../bpf/runtime.ts';
import { TracepointRegistry } from '../../hooks/registry.ts';
import type { NetHost } from '../../kernel/net/host.ts';
import { Ram } from '../../kernel/ram/ram.ts';
import { EventQueue } from '../../kernel/time/event-queue.ts';
import { Random } from '../../kernel/time/random.ts';
import type { Ns } from '../../kernel/types/units.ts';

interface TestCpu {
  busyUntil: number;
  /** Raised and not run yet. */
  readonly softirqs: Set<string>;
  scheduled: boolean;
}

export class TestNetHost implements NetHost {
  readonly ram: Ram;
  readonly events = new EventQueue();
  readonly cpuCount: number;
  readonly registry: TracepointRegistry;
  readonly sleeper;
  readonly log: string[] = [];
  readonly #random = new Random(1);
  readonly #cpus: TestCpu[];
  readonly #handlers = new Map<string, (cpu: number) => void>();
  #active: number | undefined;
  #pendingNs = 0;

  constructor({ cpus = 2, ramMiB = 64 } = {}) {
    this.ram = new Ram(ramMiB * 1024 * 1024, 0);
    this.cpuCount = cpus;
    this.#cpus = Array.from({ length: cpus }, () => ({
      busyUntil: 0,
      softirqs: new Set<string>(),
      scheduled: false,
    }));
    this.registry = new TracepointRegistry({
      ram: this.ram,
      cpuCount: cpus,
      cpu: () => this.cpu(),
      pid: () => 0,
      flags: () => 0,
      preemptCount: () => 0,
      record: () => {},
      enterBpf: () => true,
      leaveBpf: () => {},
    });
    this.sleeper = {
      get current(): never {
        throw new Error('no tasks here');
      },
      clock: () => this.clock(),
      wake: () => false,
    };
  }

  cpu(): number {
    return this.#active ?? 0;
  }

  clock(): Ns {
    return (this.events.now + this.#pendingNs) as Ns;
  }

  charge(ns: number): void {
    if (this.#active !== undefined) this.#pendingNs += ns;
  }

  interrupt(cpu: number, handler: () => void): void {
    const busyUntil = this.#cpus[cpu]!.busyUntil;
    if (this.#active !== undefined || busyUntil > this.events.now) {
      const at = Math.max(busyUntil, this.clock()) as Ns;
      this.events.at(at, 'hardware', () => this.interrupt(cpu, handler));
      return;
    }
    this.on(cpu, handler);
  }

  openSoftirq(name: string, handler: (cpu: number) => void): void {
    this.#handlers.set(name, handler);
  }

  raiseSoftirq(cpu: number, name: string): void {
    const state = this.#cpus[cpu]!;
    state.softirqs.add(name);
    this.#post(cpu, state);
  }

  kthread(): never {
    throw new Error('no tasks here');
  }

  withBhOff<T>(run: () => T): T {
    return run();
  }

  preemptions(): number {
    return 0;
  }

  /** Set by a fake program that wants its frame elsewhere. */
  redirect: Redirect | undefined;

  takeRedirect(): Redirect | undefined {
    const { redirect } = this;
    this.redirect = undefined;
    return redirect;
  }

  bpfRuntime(): never {
    throw new Error('no card here runs programs');
  }

  random32(): number {
    return this.#random.next32();
  }

  printk(text: string): void {
    this.log.push(text);
  }

  /** Run code on a CPU now, as a syscall or an interrupt would. */
  on<T>(cpu: number, run: () => T): T {
    this.#active = cpu;
    this.#pendingNs = 0;
    try {
      return run();
    } finally {
      const start = Math.max(this.#cpus[cpu]!.busyUntil, this.events.now);
      this.#cpus[cpu]!.busyUntil = start + this.#pendingNs;
      this.#pendingNs = 0;
      this.#active = undefined;
    }
  }

  runUntil(timeNs: number): void {
    while (this.events.runNext(timeNs));
    this.events.advanceTo(timeNs as Ns);
  }

  /** Time that a CPU has been charged for ends here. */
  busyUntil(cpu: number): number {
    return this.#cpus[cpu]!.busyUntil;
  }

  #post(cpu: number, state: TestCpu): void {
    if (state.scheduled) return;
    state.scheduled = true;
    const at = Math.max(state.busyUntil, this.clock()) as Ns;
    this.events.at(at, 'softirq', () => {
      state.scheduled = false;
      if (state.busyUntil > this.events.now) return this.#post(cpu, state);
      const raised = [...state.softirqs];
      state.softirqs.clear();
      this.on(cpu, () => raised.forEach((name) => this.#handlers.get(name)?.(cpu)));
      if (state.softirqs.size > 0) this.#post(cpu, state);
    });
  }
}
