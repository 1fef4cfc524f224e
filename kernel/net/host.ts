/**
 * What the network needs of the kernel around it. `netHost` gives it from a Kernel; tests and
 * benchmarks have a smaller one (testing/).
 */
import type { Redirect } from '../../bpf/runtime.ts';
import type { TracepointRegistry } from '../../hooks/registry.ts';
import type { Events, Kernel } from '../machine-types.ts';
import type { Ram } from '../ram/ram.ts';
import type { Sleeper } from '../sched/wait-queue.ts';
import type { Ns } from '../types/units.ts';

export interface NetHost {
  readonly ram: Ram;
  readonly events: Events;
  readonly cpuCount: number;
  readonly registry: TracepointRegistry;
  readonly sleeper: Sleeper;
  /** The running CPU, its clock, and what the running code costs it. */
  cpu(): number;
  clock(): Ns;
  charge(ns: number): void;
  /** Run a hardware interrupt's handler on a CPU; call it from an event. */
  interrupt(cpu: number, handler: () => void): void;
  openSoftirq(name: 'NET_TX' | 'NET_RX', handler: (cpu: number) => void): void;
  raiseSoftirq(cpu: number, name: 'NET_TX' | 'NET_RX'): void;
  /** What the program that ran last has asked to redirect to; asked once. */
  takeRedirect(): Redirect | undefined;
  /** Seeded. */
  random32(): number;
  printk(text: string): void;
}

export function netHost(kernel: Kernel): NetHost {
  const { sched, softirqs } = kernel;
  return {
    ram: kernel.ram,
    events: kernel.events,
    cpuCount: sched.cpus.length,
    registry: kernel.tracing.registry,
    sleeper: sched,
    cpu: () => sched.cpu.id,
    clock: () => sched.clock(),
    charge: (ns) => sched.charge(ns),
    interrupt: (cpu, handler) => sched.interrupt(cpu, handler),
    openSoftirq: (name, handler) => softirqs.open(name, handler),
    raiseSoftirq: (cpu, name) => softirqs.raise(cpu, name),
    takeRedirect: () => {
      const { runtime } = kernel.bpf.host;
      const { redirect } = runtime;
      runtime.redirect = undefined;
      return redirect;
    },
    random32: () => kernel.random.next32(),
    printk: (text) => kernel.log.info(text),
  };
}
