/**
 * Everything of files and terminals that a machine has, made at boot.
 *
 *   const files = bootFileSystems(kernel, {kernelBtf});    kernel.vfs = files.vfs
 *   files.console, files.ptys, files.sysfs, files.tracefs, files.procfs
 *
 * Needs of `kernel`: config, log, sched, signals, processes, random, tracing.
 */
import type { Kernel } from '../machine-types.ts';
import type { Process } from '../sched/process.ts';
import { signalBit, SIG_IGN } from '../sched/signal.ts';
import { isOrphanedGroup, kernelInfo } from '../sched/signals.ts';
import type { Task } from '../sched/task.ts';
import { ConsoleTty } from '../tty/console.ts';
import type { JobControl } from '../tty/job-control.ts';
import { Ptys } from '../tty/pty.ts';
import type { TtyEnvironment } from '../tty/tty.ts';
import { kernelConfigText } from '../ikconfig.ts';
import { KERNEL_RELEASE } from '../version.ts';
import { createDebugfs } from './debugfs.ts';
import { registerDevices } from './devices.ts';
import { populate } from './populate.ts';
import { Procfs } from './proc/procfs.ts';
import { Sysfs } from './sys/sysfs.ts';
import { Tracefs } from './tracefs.ts';
import { Vfs } from './vfs.ts';

export interface FileSystems {
  readonly vfs: Vfs;
  readonly console: ConsoleTty;
  readonly ptys: Ptys;
  readonly procfs: Procfs;
  readonly sysfs: Sysfs;
  readonly tracefs: Tracefs;
}

export interface FileSystemsOptions {
  /** Content of /sys/kernel/btf/vmlinux; asked when somebody looks. */
  readonly kernelBtf: () => Uint8Array;
}

export function bootFileSystems(kernel: Kernel, options: FileSystemsOptions): FileSystems {
  const { config, sched, random, log } = kernel;
  const environment: TtyEnvironment = {
    sleeper: sched,
    random,
    now: () => kernel.clock(),
    bootEpochSeconds: config.bootEpochSeconds,
    raise: (signal) => void kernel.signals.sendThread(sched.current, kernelInfo(signal)),
    jobs: jobControl(kernel),
  };
  const vfs = new Vfs(environment);
  const console = new ConsoleTty(environment);
  const ptys = new Ptys(environment);
  registerDevices(vfs, { log, console, ptys });
  const now = environment.now;
  const procfs = new Procfs(vfs, kernel);
  const cpuCount = config.cpus;
  const sysfs = new Sysfs(vfs.newDevice(), {
    cpuCount,
    now,
    kernelBtf: options.kernelBtf,
    // The network comes up after its files.
    netDevices: () => kernel.network.net.devices,
    unplug: (device) => kernel.network.net.unregister(device),
  });
  const tracefs = new Tracefs(vfs.newDevice(), kernel.tracing, { cpuCount, now });
  const debugfs = createDebugfs(vfs.newDevice(), {
    now,
    drivers: () => kernel.network.drivers,
    programs: () => kernel.bpf.progs.values(),
  });
  populate({
    vfs,
    ptys,
    ramBytes: config.ramMiB * 2 ** 20,
    procfs: procfs.fs,
    sysfs: sysfs.fs,
    tracefs: tracefs.fs,
    debugfs,
    hostname: config.hostname,
    programs: config.programs.keys(),
    files: { [`/boot/config-${KERNEL_RELEASE}`]: kernelConfigText(config.arch), ...config.files },
  });
  return { vfs, console, ptys, procfs, sysfs, tracefs };
}

function jobControl(kernel: Kernel): JobControl {
  const { sched } = kernel;
  return {
    get current() {
      return sched.current;
    },
    signalGroup: (pgid, signal) => void kernel.signals.killPgrp(pgid, signal),
    signalProcess: (process: Process, signal) =>
      void kernel.signals.send(process, kernelInfo(signal)),
    isOrphanedGroup: (pgid) => isOrphanedGroup(kernel, pgid, undefined),
    sessionOfGroup: (pgid) => kernel.processes.group(pgid)[0]?.sid,
    processesOfSession: (sid) => kernel.processes.all.filter((process) => process.sid === sid),
    ignoresOrBlocks: (task: Task, signal) =>
      (task.blocked & signalBit(signal)) !== 0n ||
      task.process.actions[signal]!.token === BigInt(SIG_IGN),
  };
}
