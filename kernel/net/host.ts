/**
 * What the network needs of the kernel around it. `netHost` gives it from a Kernel; tests and
 * benchmarks have a smaller one (testing/).
 */
import type { BpfRuntime, Redirect } from '../../bpf/runtime.ts';
import type { TracepointRegistry } from '../../hooks/registry.ts';
import type { Events, Kernel } from '../machine-types.ts';
import type { Ram } from '../ram/ram.ts';
import type { KernelFlow } from '../sched/flow.ts';
import type { Sleeper } from '../sched/wait-queue.ts';
import type { Ns, RamOffset } from '../types/units.ts';

/** A device's interrupt line, as /proc/interrupts names it. */
export interface Irq {
  readonly irq: number;
  readonly name: string;
}

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
  /**
   * Run an interrupt's handler on a CPU; call it from an event. `irq` where a device raised it and
   * not a timer: irq_handler_entry and irq_handler_exit tell of it.
   */
  interrupt(cpu: number, handler: () => void, irq?: Irq): void;
  openSoftirq(name: 'NET_TX' | 'NET_RX', handler: (cpu: number) => void): void;
  raiseSoftirq(cpu: number, name: 'NET_TX' | 'NET_RX'): void;
  /** Start a thread of the kernel, bound to a CPU. */
  kthread(name: string, cpu: number, flow: KernelFlow<number>): void;
  /** Run code of a task with softirqs off (local_bh_disable). */
  withBhOff<T>(run: () => T): T;
  /** How often the current task had to give up its CPU (nivcsw). */
  preemptions(): number;
  /** What the program that ran last has asked to redirect to; asked once. */
  takeRedirect(): Redirect | undefined;
  /** For devices that run programs; there once the machine has booted. */
  bpfRuntime(): BpfRuntime;
  /** Seeded. */
  random32(): number;
  printk(text: string): void;
}

/** differs: no struct irqaction is in RAM; raw tracepoints see NULL there. */
const NO_ACTION = 0 as RamOffset;
const IRQ_HANDLED = 1;

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
    bpfRuntime: () => kernel.bpf.host.runtime,
    interrupt(cpu, handler, irq) {
      if (!irq) return sched.interrupt(cpu, handler);
      const { irqHandlerEntry, irqHandlerExit } = kernel.tracepoints;
      sched.interrupt(cpu, () => {
        if (irqHandlerEntry.enabled) irqHandlerEntry.fire(irq.irq, NO_ACTION, irq.name);
        handler();
        if (irqHandlerExit.enabled) irqHandlerExit.fire(irq.irq, NO_ACTION, IRQ_HANDLED);
      });
    },
    openSoftirq: (name, handler) => softirqs.open(name, handler),
    raiseSoftirq: (cpu, name) => softirqs.raise(cpu, name),
    kthread: (name, cpu, flow) => void kernel.processes.kthread(name, flow, cpu),
    withBhOff(run) {
      const { cpu } = sched;
      cpu.bhOff = true;
      const result = run();
      cpu.bhOff = false;
      return result;
    },
    preemptions: () => Number(sched.current.struct.nivcsw),
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
