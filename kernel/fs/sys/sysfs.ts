/**
 * sysfs: /sys. What other parts of the kernel show there hangs off this object.
 *
 *   sysfs.fs                                for mounting
 *   sysfs.directory('devices/system/cpu')   made as needed; .add(name, node)
 */
import type { NetDevice } from '../../net/device.ts';
import type { Ns } from '../../types/units.ts';
import type { PseudoDirectory } from '../pseudo.ts';
import { PseudoFs } from '../pseudo.ts';
import { addNetClass } from './net-class.ts';

/** UAPI linux/magic.h */
const SYSFS_MAGIC = 0x62656572;

export interface SysfsHost {
  readonly cpuCount: number;
  readonly now: () => Ns;
  /** The kernel's BTF, as /sys/kernel/btf/vmlinux gives it. */
  readonly kernelBtf: () => Uint8Array;
  readonly netDevices: () => readonly NetDevice[];
  /** Somebody pulls the adapter out. */
  readonly unplug: (device: NetDevice) => void;
}

export class Sysfs {
  readonly fs: PseudoFs;

  constructor(dev: number, host: SysfsHost) {
    this.fs = new PseudoFs({ type: 'sysfs', dev, magic: SYSFS_MAGIC, now: host.now });
    // The tree that every machine has; the mount points among it are empty directories.
    for (const path of [
      'block',
      'bus',
      'class',
      'dev/block',
      'dev/char',
      'devices/system/cpu',
      'devices/virtual',
      'firmware',
      'fs/bpf',
      'fs/cgroup',
      'kernel/btf',
      'kernel/debug',
      'kernel/tracing',
      'module',
      'power',
    ]) {
      this.directory(path);
    }
    this.directory('kernel/btf').add('vmlinux', this.fs.binary(host.kernelBtf));
    this.#addCpus(host.cpuCount);
    addNetClass(this.fs, (path) => this.directory(path), host.netDevices, host.unplug);
  }

  directory(path: string): PseudoDirectory {
    let at = this.fs.root;
    for (const name of path.split('/')) {
      const next = at.lookup(name);
      at =
        typeof next === 'number'
          ? at.add(name, this.fs.directory(0o755))
          : (next as PseudoDirectory);
    }
    return at;
  }

  #addCpus(count: number): void {
    const range = count === 1 ? '0\n' : `0-${count - 1}\n`;
    const cpus = this.directory('devices/system/cpu');
    for (const name of ['online', 'possible', 'present'])
      cpus.add(
        name,
        this.fs.text(() => range),
      );
    cpus.add(
      'offline',
      this.fs.text(() => '\n'),
    );
    cpus.add(
      'kernel_max',
      this.fs.text(() => `${count - 1}\n`),
    );
    for (let cpu = 0; cpu < count; cpu++) {
      const topology = this.directory(`devices/system/cpu/cpu${cpu}/topology`);
      topology.add(
        'core_id',
        this.fs.text(() => `${cpu}\n`),
      );
      topology.add(
        'physical_package_id',
        this.fs.text(() => '0\n'),
      );
      topology.add(
        'thread_siblings_list',
        this.fs.text(() => `${cpu}\n`),
      );
    }
  }
}
