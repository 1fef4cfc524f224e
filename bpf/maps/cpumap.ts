/**
 * cpumap: CPUs that XDP may hand packets to, each with a queue of `qsize` packets.
 * differs: entries with programs of their own are refused (-EINVAL).
 */
import { errno } from '../../kernel/types/errno.ts';
import { BpfMapStruct } from '../../kernel/types/bpf-map.ts';
import type { RamOffset } from '../../kernel/types/units.ts';
import { uapi } from '../uapi.ts';
import { NULL } from './base-map.ts';
import { createInRam, IndexedMap } from './indexed-map.ts';
import type { MapTypeRow } from './map-type.ts';
import { hasOnly, mayBpf } from './map-type.ts';

/** struct bpf_cpumap_val */
const VALUE_BYTES = 8;
/** kernel/bpf/cpumap.c: the longest queue. */
const MAX_QUEUE = 16384;
/** CONFIG_NR_CPUS of Debian's kernel. */
const NR_CPUS = 8192;

class CpuMap extends IndexedMap {
  redirectTarget(index: number): boolean {
    return index < this.spec.maxEntries && this.queueSize(index) !== 0;
  }

  /** Packets that CPU `index` takes at a time; 0 where there is no entry. */
  queueSize(index: number): number {
    return this.host.ram.view.getUint32(this.#slot(index), true);
  }

  override lookup(key: RamOffset): RamOffset {
    const index = this.index(key);
    return this.redirectTarget(index) ? this.#slot(index) : NULL;
  }

  override copyValue(key: RamOffset, out: RamOffset, _flags: number): number {
    const value = this.lookup(key);
    if (value === 0) return -errno.ENOENT;
    this.host.ram.u8.copyWithin(out, value, value + this.spec.valueBytes);
    return 0;
  }

  override update(key: RamOffset, value: RamOffset, flags: number): number {
    const { view } = this.host.ram;
    const index = this.index(key);
    const queueSize = view.getUint32(value, true);
    const progFd = this.spec.valueBytes === VALUE_BYTES ? view.getInt32(value + 4, true) : 0;
    if (flags > uapi.BPF_EXIST) return -errno.EINVAL;
    if (index >= this.spec.maxEntries) return -errno.E2BIG;
    if (flags === uapi.BPF_NOEXIST) return -errno.EEXIST;
    if (queueSize > MAX_QUEUE) return -errno.EOVERFLOW;
    if (index >= this.host.kernel.cpuCount) return -errno.ENODEV;
    if (queueSize !== 0 && progFd > 0) return -errno.EINVAL;
    this.host.ram.writeU64(this.#slot(index), BigInt(queueSize));
    return 0;
  }

  override delete(key: RamOffset): number {
    const index = this.index(key);
    if (index >= this.spec.maxEntries) return -errno.EINVAL;
    this.host.ram.writeU64(this.#slot(index), 0n);
    return 0;
  }

  #slot(index: number): RamOffset {
    return (this.offset + BpfMapStruct.size + index * VALUE_BYTES) as RamOffset;
  }
}

export const cpumapMap: MapTypeRow = {
  type: 'cpumap',
  check: (spec, caps) => {
    if (!mayBpf(caps)) return -errno.EPERM;
    const ok =
      spec.maxEntries !== 0 &&
      spec.keyBytes === 4 &&
      (spec.valueBytes === 4 || spec.valueBytes === VALUE_BYTES) &&
      hasOnly(spec.flags, uapi.BPF_F_NUMA_NODE);
    if (!ok) return -errno.EINVAL;
    return spec.maxEntries > NR_CPUS ? -errno.E2BIG : 0;
  },
  create: (host, spec) =>
    createInRam(
      host,
      spec,
      spec.maxEntries * VALUE_BYTES,
      (offset, bytes) => new CpuMap(host, spec, offset, bytes),
    ),
};
