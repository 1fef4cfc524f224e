/** Files of /proc about the machine as a whole. Formats as Linux 6.1 prints them (proc(5)). */
import { kernelConfigGzip } from '../../ikconfig.ts';
import { SOFTIRQS } from '../../trace/events.ts';
import { TASK_RUNNING, TASK_UNINTERRUPTIBLE } from '../../types/task.ts';
import { CAP_SYSLOG } from '../../sched/credentials.ts';
import type { Kernel } from '../../machine-types.ts';
import { KERNEL_BANNER } from '../../version.ts';
import type { Procfs } from './procfs.ts';
import { cpuinfo } from './cpuinfo.ts';

/** Clock ticks that /proc counts in (USER_HZ). */
export const TICK_PER_SECOND = 100;
const NS_PER_TICK = 1e9 / TICK_PER_SECOND;
export const ticks = (ns: number): number => Math.floor(ns / NS_PER_TICK);

/** A line of /proc/interrupts. */
export interface InterruptLine {
  /** '24', 'LOC' */
  readonly irq: string;
  countOn(cpu: number): number;
  /** Chip, hardware number and name: 'PCI-MSI 49152-edge      eth0-rx-0'. */
  readonly description: string;
}

export function addSystemFiles(procfs: Procfs): void {
  const { kernel, root, fs, vfs } = procfs;
  const text = (name: string, render: () => string): void => void root.add(name, fs.text(render));
  root.add(
    'self',
    fs.link(() => String(kernel.sched.current.tgid)),
  );
  root.add(
    'thread-self',
    fs.link(() => `${kernel.sched.current.tgid}/task/${kernel.sched.current.pid}`),
  );
  root.add(
    'mounts',
    fs.link(() => 'self/mounts'),
  );
  root.add(
    'net',
    fs.link(() => 'self/net'),
  );
  text('version', () => `${KERNEL_BANNER}\n`);
  text('cmdline', () => `${kernel.config.cmdline}\n`);
  text('uptime', () => uptimeText(kernel));
  // Addresses are for those who may read the kernel's log (kptr_restrict 0, perf_event_paranoid 2).
  text('kallsyms', () => kernel.kallsyms.text(kernel.sched.current.cred.capable(CAP_SYSLOG)));
  const averages = load(kernel);
  text('loadavg', () => loadavgText(kernel, averages));
  text('stat', () => statText(procfs));
  text('meminfo', () => meminfoText(kernel));
  text('cpuinfo', () => cpuinfo(kernel.config));
  text('interrupts', () => interruptsText(procfs));
  text('softirqs', () => softirqsText(kernel));
  text('filesystems', () => {
    const types = new Set(['sysfs', 'tmpfs', 'proc', ...vfs.fileSystemTypes.keys()]);
    return [...types].map((type) => `nodev\t${type}\n`).join('');
  });
  text('devices', () => DEVICES);
  root.add(
    'config.gz',
    fs.binary(() => kernelConfigGzip(kernel.config.arch)),
  );
}

/** Majors of devices.ts and pty.ts. */
const DEVICES = `Character devices:
  1 mem
  4 ttyS
  5 /dev/tty
  5 /dev/console
  5 /dev/ptmx
136 pts

Block devices:
`;

/** Time that a CPU has had nothing to do. */
function idleNs(kernel: Kernel, cpuId: number): number {
  const cpu = kernel.sched.cpus[cpuId]!;
  const busy = cpu.userNs + cpu.systemNs + cpu.irqNs + cpu.softirqNs;
  return Math.max(0, kernel.clock() - busy);
}

const hundredths = (ns: number): string => (Math.floor(ns / 1e7) / 100).toFixed(2);

function uptimeText(kernel: Kernel): string {
  const idle = kernel.sched.cpus.reduce((sum, { id }) => sum + idleNs(kernel, id), 0);
  return `${hundredths(kernel.clock())} ${hundredths(idle)}\n`;
}

function runnable(kernel: Kernel): number {
  return kernel.sched.cpus.reduce((sum, cpu) => sum + cpu.runnable, 0);
}

/**
 * Averages over 1, 5 and 15 minutes in steps of 5 s (kernel/sched/loadavg.c).
 * differs: steps are caught up with when somebody reads, with what runs then; a sampling timer
 * would keep an idle machine busy.
 */
function load(kernel: Kernel): () => readonly number[] {
  const STEP_NS = 5e9;
  const averages = [0, 0, 0];
  const decay = [60, 300, 900].map((seconds) => Math.exp(-5 / seconds));
  let stepsDone = 0;
  return () => {
    const steps = Math.floor(kernel.clock() / STEP_NS);
    // The reader itself is no load.
    const active = Math.max(0, runnable(kernel) - 1);
    for (const [i, factor] of decay.entries()) {
      const kept = factor ** (steps - stepsDone);
      averages[i] = averages[i]! * kept + active * (1 - kept);
    }
    stepsDone = steps;
    return averages;
  };
}

function loadavgText(kernel: Kernel, averages: () => readonly number[]): string {
  const { processes } = kernel;
  const texts = averages().map((average) => average.toFixed(2));
  return `${texts.join(' ')} ${runnable(kernel)}/${processes.taskCount} ${processes.lastPid}\n`;
}

function statText({ kernel, vfs, interruptLines }: Procfs): string {
  const { sched, softirqs, processes } = kernel;
  const columns = sched.cpus.map((cpu) => {
    const { userNs, systemNs, irqNs, softirqNs, id } = cpu;
    return [userNs, 0, systemNs, idleNs(kernel, id), 0, irqNs, softirqNs, 0, 0, 0].map(ticks);
  });
  const totals = columns[0]!.map((_, i) => columns.reduce((sum, row) => sum + row[i]!, 0));
  const interrupts = interruptLines().reduce((sum, line) => sum + totalOf(kernel, line), 0);
  const counts = SOFTIRQS.map((_, i) =>
    sched.cpus.reduce((sum, { id }) => sum + softirqs.countsOf(id)[i]!, 0),
  );
  const tasks = processes.all.flatMap((process) => process.threads);
  const blocked = tasks.filter((task) => task.state === TASK_UNINTERRUPTIBLE).length;
  const running = tasks.filter((task) => task.state === TASK_RUNNING && task.onRq).length;
  return [
    `cpu  ${totals.join(' ')}`,
    ...columns.map((row, cpu) => `cpu${cpu} ${row.join(' ')}`),
    `intr ${interrupts}`,
    `ctxt ${sched.cpus.reduce((sum, cpu) => sum + cpu.switches, 0)}`,
    `btime ${vfs.environment.bootEpochSeconds}`,
    `processes ${processes.created}`,
    `procs_running ${running}`,
    `procs_blocked ${blocked}`,
    `softirq ${counts.reduce((sum, count) => sum + count, 0)} ${counts.join(' ')}`,
    '',
  ].join('\n');
}

const totalOf = (kernel: Kernel, line: InterruptLine): number =>
  kernel.sched.cpus.reduce((sum, { id }) => sum + line.countOn(id), 0);

function meminfoText({ ram }: Kernel): string {
  const kB = (bytes: number): string => String(Math.floor(bytes / 1024)).padStart(8);
  const line = (name: string, bytes: number): string => `${`${name}:`.padEnd(16)}${kB(bytes)} kB\n`;
  const { totalBytes, freeBytes } = ram.pages;
  return (
    line('MemTotal', totalBytes) +
    line('MemFree', freeBytes) +
    line('MemAvailable', freeBytes) +
    line('Buffers', 0) +
    line('Cached', 0) +
    line('SwapCached', 0) +
    line('SwapTotal', 0) +
    line('SwapFree', 0)
  );
}

function interruptsText({ kernel, interruptLines }: Procfs): string {
  const cpus = kernel.sched.cpus;
  let text = ' '.repeat(11) + cpus.map(({ id }) => `CPU${String(id).padEnd(8)}`).join('') + '\n';
  for (const line of interruptLines()) {
    const counts = cpus.map(({ id }) => `${String(line.countOn(id)).padStart(10)} `).join('');
    text += `${line.irq.padStart(3)}: ${counts} ${line.description}\n`;
  }
  return text;
}

function softirqsText({ sched, softirqs }: Kernel): string {
  let text = ' '.repeat(20) + sched.cpus.map(({ id }) => `CPU${String(id).padEnd(8)}`).join('');
  text += '\n';
  for (const [i, name] of SOFTIRQS.entries()) {
    const counts = sched.cpus.map(({ id }) => ` ${String(softirqs.countsOf(id)[i]).padStart(10)}`);
    text += `${name.padStart(12)}:${counts.join('')}\n`;
  }
  return text;
}
