/**
 * A machine: the one entry point to everything below `user/`.
 *
 *   const machine = await bootMachine(config, assets)
 *   machine.run({untilNs}), machine.run({untilIdle: true})   until then, or until it cannot go on
 *   await machine.runAsync(…)      the same, waiting for the host where it must
 *   machine.input(…)               the only door from outside; machine.inputRecord keeps it all
 *   machine.console.onOutput(…)    what the terminal shows
 *
 * Same configuration and same inputs at the same virtual times: same run, bit for bit.
 */
import type { NativeCore } from '../bpf/native/core.ts';
import { CORE_RESERVED_BYTES, CURRENT_CPU, instantiateCore } from '../bpf/native/core.ts';
import type { BpfSubsystem } from '../bpf/syscall/subsystem.ts';
import { TracepointRegistry } from '../hooks/registry.ts';
import { createBpf } from './bpf/bpf-host.ts';
import { BpfJit } from './bpf/bpf-jit.ts';
import { MapReaders } from './bpf/map-readers.ts';
import { earlyBootLines, logBoot } from './boot-log.ts';
import type { BootConfig, HostAssets, MachineConfig } from './config.ts';
import { resolveConfig } from './config.ts';
import { PAGE_FAULT_NS } from './cost/costs.ts';
import type { FileSystems } from './fs/boot.ts';
import { bootFileSystems } from './fs/boot.ts';
import type { Vfs } from './fs/vfs.ts';
import { kernelInit } from './init.ts';
import { Kallsyms } from './kallsyms.ts';
import type { Network } from './net/boot.ts';
import { bootNetwork } from './net/boot.ts';
import type { Kernel, MachineInput } from './machine-types.ts';
import { UserPages } from './mm/user-pages.ts';
import type { LogRecord } from './printk.ts';
import { KERN_EMERG, KernelLog, lineOf } from './printk.ts';
import { Ram } from './ram/ram.ts';
import type { KernelSettings } from './settings.ts';
import { defaultSettings } from './settings.ts';
import { idleTasks } from './sched/idle.ts';
import { ProcessTable } from './sched/process-table.ts';
import { TaskRunner } from './sched/runner.ts';
import { Scheduler } from './sched/scheduler.ts';
import { Signals } from './sched/signals.ts';
import { Softirqs } from './sched/softirq.ts';
import type { FutexTable } from './syscall/futex.ts';
import { syscallRows } from './syscall/rows.ts';
import { PtRegsWriter } from './syscall/pt-regs.ts';
import { SyscallTable } from './syscall/table.ts';
import { EventQueue } from './time/event-queue.ts';
import { Random } from './time/random.ts';
import type { KernelTracepoints } from './trace/events.ts';
import { addKernelTracepoints } from './trace/events.ts';
import { Tracing } from './trace/tracing.ts';
import { traceHost } from './trace/trace-host.ts';
import type { Ns } from './types/units.ts';

export interface RunOptions {
  /** Stop when virtual time has reached this. */
  readonly untilNs?: number;
  /** Stop when nothing is going to happen any more without input. */
  readonly untilIdle?: boolean;
}

export type RunResult =
  | { readonly reason: 'idle' | 'deadline' }
  /** Virtual time stands still until `promise` settles; then run again. */
  | { readonly reason: 'host'; readonly promise: Promise<unknown> }
  | { readonly reason: 'halted'; readonly how: 'poweroff' | 'reboot' | 'panic' };

export interface RecordedInput {
  readonly atNs: Ns;
  readonly input: MachineInput;
}

export async function bootMachine(config: MachineConfig, assets: HostAssets): Promise<Machine> {
  return new Machine(resolveConfig(config), assets);
}

export class Machine implements Kernel {
  readonly config: BootConfig;
  readonly assets: HostAssets;
  readonly ram: Ram;
  readonly core: NativeCore;
  readonly events = new EventQueue();
  readonly random: Random;
  readonly log: KernelLog;
  readonly sched: Scheduler;
  readonly softirqs: Softirqs;
  readonly processes: ProcessTable;
  readonly signals: Signals;
  readonly userPages: UserPages;
  readonly tracepoints: KernelTracepoints;
  readonly tracing: Tracing;
  readonly syscalls: SyscallTable;
  readonly files: FileSystems;
  readonly network: Network;
  readonly bpf: BpfSubsystem;
  readonly bpfJit: BpfJit;
  readonly bpfReaders: MapReaders;
  readonly kallsyms: Kallsyms;
  readonly futexes: FutexTable = new Map();
  readonly settings: KernelSettings;
  readonly uts: { hostname: string; domainname: string };
  /** Everything that came in through `input`, in order. */
  readonly inputRecord: RecordedInput[] = [];
  /** Set once the machine has stopped for good. */
  halted: 'poweroff' | 'reboot' | 'panic' | undefined;
  readonly #runner: TaskRunner;

  constructor(config: BootConfig, assets: HostAssets) {
    this.config = config;
    this.assets = assets;
    this.ram = new Ram(config.ramMiB * 2 ** 20, CORE_RESERVED_BYTES);
    this.core = instantiateCore(assets.core, this.ram);
    this.random = new Random(config.seed);
    this.log = new KernelLog(() => this.clock());
    this.settings = defaultSettings(config);
    this.uts = { hostname: config.hostname, domainname: '(none)' };
    const { ram, events } = this;
    this.sched = new Scheduler(
      events,
      (sched) => idleTasks(ram, sched, config.cpus),
      (cpu) => (ram.u32[CURRENT_CPU / 4] = cpu),
    );
    const registry = new TracepointRegistry(traceHost(this));
    this.tracepoints = addKernelTracepoints(registry);
    this.sched.tracepoints = this.tracepoints;
    this.tracing = new Tracing(registry, this.sched, config.cpus);
    const regs = new PtRegsWriter(ram, this.sched);
    this.syscalls = new SyscallTable(syscallRows, registry, this.sched, regs);
    this.processes = new ProcessTable(this);
    this.signals = new Signals(this);
    this.userPages = new UserPages(ram);
    this.userPages.onFault = () => {
      this.charge(PAGE_FAULT_NS);
      this.sched.current.struct.min_flt++;
    };
    this.softirqs = new Softirqs(events, this.sched);
    this.#runner = new TaskRunner(this);
    this.sched.runner = this.#runner;
    logBoot(this.log, earlyBootLines(config, ram), (ns) =>
      events.advanceTo((events.now + ns) as Ns),
    );
    this.files = bootFileSystems(this, {
      kernelBtf: () => this.bpf.kernelBtf!.btf.bytes,
    });
    this.network = bootNetwork(this);
    this.bpfReaders = new MapReaders(this.sched);
    this.bpfJit = new BpfJit(this.settings.bpf.jitEnable, config.processors);
    this.bpf = createBpf(this, {
      core: this.core,
      deviceByIndex: (ifindex) => this.network.net.byIndex(ifindex),
    });
    this.kallsyms = new Kallsyms(syscallRows, this.bpf);
    this.#connectConsole();
    this.#startTasks();
  }

  nextPerfEventId(): number {
    return ++this.#lastPerfEventId;
  }
  #lastPerfEventId = 0;

  get vfs(): Vfs {
    return this.files.vfs;
  }

  get console(): FileSystems['console'] {
    return this.files.console;
  }

  get now(): Ns {
    return this.events.now;
  }

  clock(): Ns {
    return this.sched.clock();
  }

  charge(ns: number): void {
    this.sched.charge(ns);
  }

  panic(reason: string): void {
    this.log.printk(KERN_EMERG, `Kernel panic - not syncing: ${reason}`);
    this.log.printk(KERN_EMERG, `---[ end Kernel panic - not syncing: ${reason} ]---`);
    this.halt('panic');
  }

  halt(how: 'poweroff' | 'reboot' | 'panic'): void {
    this.halted ??= how;
    this.sched.halted = true;
  }

  // --- running ---

  run({ untilNs = Infinity, untilIdle = false }: RunOptions): RunResult {
    const { events, sched } = this;
    if (this.halted) return { reason: 'halted', how: this.halted };
    const waiting = this.#runner.hostWait;
    if (waiting) return { reason: 'host', promise: waiting.done };
    sched.halted = false;
    // Virtual time is whole nanoseconds, whatever the caller's pacing computes.
    const limitNs = Math.floor(untilNs);
    sched.limitNs = limitNs;
    while (!sched.halted && events.runNext(limitNs));
    if (this.halted) return { reason: 'halted', how: this.halted };
    const { hostWait } = this.#runner;
    if (hostWait) return { reason: 'host', promise: hostWait.done };
    if (events.size === 0 && (untilIdle || untilNs === Infinity)) return { reason: 'idle' };
    if (limitNs > events.now) events.advanceTo(limitNs as Ns);
    return { reason: 'deadline' };
  }

  async runAsync(options: RunOptions): Promise<Exclude<RunResult, { reason: 'host' }>> {
    for (;;) {
      const result = this.run(options);
      if (result.reason !== 'host') return result;
      // A rejection is the waiting task's to deal with.
      await result.promise.catch(() => {});
    }
  }

  /** Something arrives from outside, now. */
  input(input: MachineInput): void {
    this.inputRecord.push({ atNs: this.now, input });
    switch (input.kind) {
      case 'tty':
        return this.#interrupt(() => this.console.feed(input.data));
      case 'tty-size':
        return this.#interrupt(() => this.console.resize(input.columns, input.rows));
      case 'file':
        return void this.vfs.writeFile(input.path, input.data);
      case 'packet':
        return void this.network.inject(input.nic, input.data);
      case 'capture':
        return void this.network.play(input.nic, input.frames);
    }
  }

  /** Bring a machine that was configured alike to where the recorded one was. */
  async replay(record: readonly RecordedInput[], untilNs: number): Promise<void> {
    for (const { atNs, input } of record) {
      await this.runAsync({ untilNs: atNs });
      this.input(input);
    }
    await this.runAsync({ untilNs });
  }

  #interrupt(handler: () => void): void {
    this.events.at(this.now, 'hardware', () => this.sched.interrupt(0, handler));
  }

  // --- boot ---

  /** Kernel messages more urgent than console_loglevel reach the console. */
  #connectConsole(): void {
    const show = (record: LogRecord) => {
      if (record.level < this.settings.printkLevels[0]) {
        this.console.print(`${lineOf(record)}\n`);
      }
    };
    for (const record of this.log.after(0)) show(record);
    this.log.subscribe(show);
  }

  #startTasks(): void {
    kernelInit(this);
    for (const { id } of this.sched.cpus) {
      this.processes.kthread(`ksoftirqd/${id}`, this.softirqs.daemon(id), id);
    }
  }
}
