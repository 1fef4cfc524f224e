/**
 * The parts of a machine, as they see each other. `Machine` (machine.ts) implements `Kernel`; a
 * subsystem takes the parts that it needs in its constructor and never reaches for a global.
 */
import type { BpfSubsystem } from '../bpf/syscall/subsystem.ts';
import type { BpfJit } from './bpf/bpf-jit.ts';
import type { Kallsyms } from './kallsyms.ts';
import type { MapReaders } from './bpf/map-readers.ts';
import type { Ram } from './ram/ram.ts';
import type { KernelLog } from './printk.ts';
import type { KernelSettings } from './settings.ts';
import type { KernelTracepoints } from './trace/events.ts';
import type { Tracing } from './trace/tracing.ts';
import type { Scheduler } from './sched/scheduler.ts';
import type { Softirqs } from './sched/softirq.ts';
import type { Signals } from './sched/signals.ts';
import type { UserPages } from './mm/user-pages.ts';
import type { Vfs } from './fs/vfs.ts';
import type { ProcessTable } from './sched/process-table.ts';
import type { Network } from './net/boot.ts';
import type { Random } from './time/random.ts';
import type { Ns } from './types/units.ts';
import type { BootConfig } from './config.ts';
import type { FutexTable } from './syscall/futex.ts';
import type { SyscallTable } from './syscall/table.ts';

/** Event priorities at one instant: lower runs first (hardware before softirq before tasks). */
export const EVENT_PRIORITY = { hardware: 0, timer: 1, softirq: 2, task: 3 } as const;
export type EventPriority = keyof typeof EVENT_PRIORITY;

export interface EventHandle {
  cancel(): void;
}

/** The event queue. Order is (time, priority, sequence): no ties are left to chance. */
export interface Events {
  readonly now: Ns;
  at(time: Ns, priority: EventPriority, run: () => void): EventHandle;
}

/** What every part of the kernel may use. Subsystems of other folders hang off it as they come. */
export interface Kernel {
  readonly config: BootConfig;
  readonly ram: Ram;
  readonly events: Events;
  readonly random: Random;
  readonly log: KernelLog;
  readonly settings: KernelSettings;
  readonly sched: Scheduler;
  readonly softirqs: Softirqs;
  readonly processes: ProcessTable;
  readonly signals: Signals;
  readonly userPages: UserPages;
  readonly futexes: FutexTable;
  readonly vfs: Vfs;
  readonly network: Network;
  readonly bpf: BpfSubsystem;
  readonly bpfJit: BpfJit;
  readonly bpfReaders: MapReaders;
  readonly kallsyms: Kallsyms;
  nextPerfEventId(): number;
  readonly syscalls: SyscallTable;
  readonly tracepoints: KernelTracepoints;
  readonly tracing: Tracing;
  /** What uname(2) and sethostname(2) share. */
  readonly uts: { hostname: string; domainname: string };
  /** The running CPU's clock: the event queue's time plus what has been charged since. */
  clock(): Ns;
  /** The code that runs now takes this long on its CPU. */
  charge(ns: number): void;
  /** Log the reason and stop the machine for good. */
  panic(reason: string): void;
  /** reboot(2): the machine stops; `run` says so. */
  halt(how: 'poweroff' | 'reboot' | 'panic'): void;
}

/** One line of a machine's input record: the only door from outside. */
export type MachineInput =
  | { readonly kind: 'tty'; readonly data: Uint8Array }
  | { readonly kind: 'tty-size'; readonly columns: number; readonly rows: number }
  | { readonly kind: 'packet'; readonly nic: string; readonly data: Uint8Array }
  /** A capture put on a NIC's wire: each frame `timeNs` after now. */
  | {
      readonly kind: 'capture';
      readonly nic: string;
      readonly frames: readonly { readonly timeNs: number; readonly data: Uint8Array }[];
    }
  | { readonly kind: 'file'; readonly path: string; readonly data: Uint8Array };
