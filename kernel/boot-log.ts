/**
 * What the kernel says while it boots. Lines and their order follow a Debian 6.1 on a small virtual
 * machine; each comes as long after the one before as there, divided by ten (that was an emulated
 * CPU).
 */
import type { BootConfig } from './config.ts';
import type { KernelLog } from './printk.ts';
import { KERN_NOTICE, KERN_INFO } from './printk.ts';
import type { Ram } from './ram/ram.ts';
import { KERNEL_BANNER } from './version.ts';

interface BootLine {
  readonly afterNs: number;
  readonly level?: number;
  readonly text: string;
}

const hex = (value: number, digits: number): string => value.toString(16).padStart(digits, '0');

export function earlyBootLines(config: BootConfig, ram: Ram): readonly BootLine[] {
  const { cpus, cmdline, arch } = config;
  const totalKb = ram.sizeBytes / 1024;
  const availableKb = Math.floor(ram.pages.freeBytes / 1024);
  const others = Array.from({ length: cpus - 1 }, (_, i) => `#${i + 1}`).join(' ');
  const bringUp: BootLine[] =
    cpus > 1
      ? [
          { afterNs: 200_000, text: 'smp: Bringing up secondary CPUs ...' },
          { afterNs: 435_000, text: arch === 'x86_64' ? 'x86: Booting SMP configuration:' : '' },
          { afterNs: 4_000, text: `.... node  #0, CPUs:      ${others}` },
        ].filter((line) => line.text !== '')
      : [];
  return [
    { afterNs: 0, level: KERN_NOTICE, text: KERNEL_BANNER },
    { afterNs: 0, text: `Command line: ${cmdline}` },
    { afterNs: 0, text: 'skep-provided physical RAM map:' },
    { afterNs: 0, text: `skep: [mem 0x${hex(0, 16)}-0x${hex(0xffff, 16)}] reserved` },
    {
      afterNs: 0,
      text: `skep: [mem 0x${hex(0x10000, 16)}-0x${hex(ram.sizeBytes - 1, 16)}] usable`,
    },
    { afterNs: 0, text: 'No NUMA configuration found' },
    {
      afterNs: 0,
      text: `setup_percpu: NR_CPUS:${cpus} nr_cpumask_bits:${cpus} nr_cpu_ids:${cpus} nr_node_ids:1`,
    },
    { afterNs: 0, level: KERN_NOTICE, text: `Kernel command line: ${cmdline}` },
    {
      afterNs: 0,
      text:
        `Memory: ${availableKb}K/${totalKb}K available ` +
        `(${totalKb - availableKb}K reserved, 0K cma-reserved)`,
    },
    { afterNs: 0, text: `SLUB: HWalign=64, Order=2-2, MinObjects=0, CPUs=${cpus}, Nodes=1` },
    { afterNs: 0, text: 'Dynamic Preempt: voluntary' },
    { afterNs: 0, text: 'printk: console [ttyS0] enabled' },
    { afterNs: 138_000, text: 'random: crng init done' },
    { afterNs: 14_000_000, text: 'pid_max: default: 32768 minimum: 301' },
    { afterNs: 570_000, text: 'LSM: Security Framework initializing' },
    { afterNs: 420_000, text: 'LSM support for eBPF active' },
    ...bringUp,
    { afterNs: 9_400_000, text: `smp: Brought up 1 node, ${cpus} CPU${cpus > 1 ? 's' : ''}` },
    { afterNs: 2_300_000, text: 'devtmpfs: initialized' },
    { afterNs: 1_000_000, text: 'NET: Registered PF_NETLINK/PF_ROUTE protocol family' },
  ];
}

/** Log the lines at their times; `advance` moves the clock. */
export function logBoot(
  log: KernelLog,
  lines: readonly BootLine[],
  advance: (ns: number) => void,
): void {
  for (const { afterNs, level, text } of lines) {
    advance(afterNs);
    log.printk(level ?? KERN_INFO, text);
  }
}
