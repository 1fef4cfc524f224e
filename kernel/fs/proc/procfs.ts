/**
 * procfs: /proc, rendered from live kernel state whenever somebody reads.
 *
 *   procfs.fs                               for mounting
 *   procfs.sysctl('net/core/x', render, write)   one more file of /proc/sys
 *   procfs.root.add(name, node)             one more file of /proc ('net' is a directory there)
 */
import type { Kernel } from '../../machine-types.ts';
import type { Cpu } from '../../sched/cpu.ts';
import type { IrqLine } from '../../net/nic-driver.ts';
import { PROC_NET_FILES } from '../../net/proc-files.ts';
import type { Process } from '../../sched/process.ts';
import type { Inode } from '../vfs-types.ts';
import type { PseudoDirectory } from '../pseudo.ts';
import { PseudoFs } from '../pseudo.ts';
import type { Vfs } from '../vfs.ts';
import { netDevText } from './net.ts';
import { pidDirectory } from './pid.ts';
import { addSystemFiles } from './system.ts';
import type { InterruptLine } from './system.ts';
import { addSysctls } from './sysctl.ts';
import type { SysctlValue } from './sysctl.ts';

/** UAPI linux/magic.h */
const PROC_SUPER_MAGIC = 0x9fa0;

/** An adapter's queue: a message-signalled interrupt that is bound to one CPU. */
function deviceLine({ irq, name, cpu, count }: IrqLine): InterruptLine {
  return {
    irq: String(irq),
    countOn: (id) => (id === cpu ? count : 0),
    description: ` PCI-MSI-edge      ${name}`,
  };
}

export class Procfs {
  readonly fs: PseudoFs;
  readonly root: PseudoDirectory;
  readonly kernel: Kernel;
  readonly vfs: Vfs;
  /** /proc/net, the network's; the same for all, as there is one namespace. */
  readonly net: PseudoDirectory;
  readonly #pids = new WeakMap<Process, Inode>();

  constructor(vfs: Vfs, kernel: Kernel) {
    this.vfs = vfs;
    this.kernel = kernel;
    this.fs = new PseudoFs({
      type: 'proc',
      dev: vfs.newDevice(),
      magic: PROC_SUPER_MAGIC,
      now: () => kernel.clock(),
      root: (fs) =>
        fs.dynamicDirectory({
          names: () => kernel.processes.all.map((process) => String(process.pid)),
          get: (name) => this.#pid(name),
        }),
    });
    this.root = this.fs.root;
    this.net = this.fs.directory();
    this.net.add(
      'dev',
      this.fs.text(() => netDevText(kernel.network.net.devices)),
    );
    for (const [name, text] of Object.entries(PROC_NET_FILES)) {
      this.net.add(
        name,
        this.fs.text(() => text(kernel.network.net)),
      );
    }
    addSystemFiles(this);
    addSysctls(this);
  }

  /** All lines of /proc/interrupts: devices' first, then those of the CPUs themselves. */
  interruptLines = (): readonly InterruptLine[] => {
    const { cpus } = this.kernel.sched;
    const local = (irq: string, description: string, countOn: (cpu: Cpu) => number) => ({
      irq,
      description,
      countOn: (cpu: number) => countOn(cpus[cpu]!),
    });
    return [
      ...this.kernel.network.drivers.flatMap((driver) => driver.irqLines()).map(deviceLine),
      local('LOC', ' Local timer interrupts', (cpu) => cpu.timerInterrupts),
      local('RES', ' Rescheduling interrupts', (cpu) => cpu.rescheduleInterrupts),
    ];
  };

  #pid(name: string): Inode | undefined {
    if (!/^[1-9]\d*$/.test(name)) return undefined;
    const { processes } = this.kernel;
    // A thread's id works too, though readdir does not list it.
    const process = processes.process(Number(name)) ?? processes.task(Number(name))?.process;
    if (!process) return undefined;
    let inode = this.#pids.get(process);
    if (!inode) this.#pids.set(process, (inode = pidDirectory(this, process)));
    return inode;
  }

  /** A directory of /proc/sys, or one below it, made as needed. */
  directory(path: string): PseudoDirectory {
    let at = this.root;
    for (const name of path.split('/')) {
      const next = at.lookup(name);
      at = typeof next === 'number' ? at.add(name, this.fs.directory()) : (next as PseudoDirectory);
    }
    return at;
  }

  sysctl(path: string, value: SysctlValue): void {
    const slash = path.lastIndexOf('/');
    const directory = this.directory(`sys/${path.slice(0, slash)}`);
    const { show, store, mode = store ? 0o644 : 0o444 } = value;
    directory.add(
      path.slice(slash + 1),
      this.fs.text(() => `${show()}\n`, { mode, ...(store ? { write: store } : {}) }),
    );
  }
}
