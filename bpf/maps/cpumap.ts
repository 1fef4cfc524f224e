/**
 * cpumap: CPUs that XDP may hand packets to, each with a queue of `qsize` packets and, in the longer
 * form, a program that runs there first (struct bpf_cpumap_val: a descriptor on the way in, an id on
 * the way out). Queue and thread of an entry are the kernel's (kernel/net/cpumap.ts). An update makes
 * a new entry each time; the old one works off what it still has.
 */
import { errno } from '../../kernel/types/errno.ts';
import { BpfMapStruct } from '../../kernel/types/bpf-map.ts';
import type { RamOffset } from '../../kernel/types/units.ts';
import type { ProgObject } from '../syscall/objects.ts';
import { uapi } from '../uapi.ts';
import { NULL } from './base-map.ts';
import { createInRam, IndexedMap } from './indexed-map.ts';
import type { CpuEntry } from './map.ts';
import type { MapTypeRow } from './map-type.ts';
import { hasOnly, mayBpf } from './map-type.ts';

/** struct bpf_cpumap_val */
const VALUE_BYTES = 8;
/** kernel/bpf/cpumap.c: the longest queue. */
const MAX_QUEUE = 16384;
/** CONFIG_NR_CPUS of Debian's kernel. */
const NR_CPUS = 8192;

/** What an entry holds besides its value. */
interface Entry {
  /** The kernel's side, which then has the program; absent where there is no kernel. */
  readonly started: CpuEntry | undefined;
  readonly program: ProgObject | undefined;
}

class CpuMap extends IndexedMap {
  readonly #entries = new Map<number, Entry>();
  /** Programs in one map agree in this with the first (bpf_prog_map_compatible). */
  #hasFrags: boolean | undefined;

  redirectTarget(index: number): boolean {
    return this.#entries.has(index);
  }

  cpuEntryAt(index: number): CpuEntry | undefined {
    return this.#entries.get(index)?.started;
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
    // A queue of no length empties the slot, whatever else the value says.
    if (queueSize === 0) return this.#replace(index, undefined, 0);
    const program = progFd > 0 ? this.#programOf(progFd) : undefined;
    // Why a program does not do gets lost in __cpu_map_entry_alloc.
    if (typeof program === 'number') return -errno.ENOMEM;
    const init = { cpu: index, mapId: this.id, queueSize, program };
    const started = this.host.kernel.startCpuEntry?.(init);
    if (typeof started === 'number') {
      program?.put();
      return started;
    }
    return this.#replace(index, { started, program }, queueSize);
  }

  override delete(key: RamOffset): number {
    const index = this.index(key);
    if (index >= this.spec.maxEntries) return -errno.EINVAL;
    return this.#replace(index, undefined, 0);
  }

  protected override release(): void {
    for (const entry of this.#entries.values()) remove(entry);
  }

  #programOf(fd: number): ProgObject | number {
    const program = this.host.kernel.xdpProgramOfFd?.(fd, 'xdp_cpumap') ?? -errno.EINVAL;
    if (typeof program === 'number') return program;
    const { flags } = program.prog.verified.spec;
    const hasFrags = (flags & uapi.BPF_F_XDP_HAS_FRAGS) !== 0;
    this.#hasFrags ??= hasFrags;
    if (this.#hasFrags === hasFrags) return program;
    program.put();
    return -errno.EINVAL;
  }

  #replace(index: number, entry: Entry | undefined, queueSize: number): number {
    const { view } = this.host.ram;
    const old = this.#entries.get(index);
    view.setUint32(this.#slot(index), queueSize, true);
    view.setUint32(this.#slot(index) + 4, entry?.program?.id ?? 0, true);
    if (entry) this.#entries.set(index, entry);
    else this.#entries.delete(index);
    if (old) remove(old);
    return 0;
  }

  #slot(index: number): RamOffset {
    return (this.offset + BpfMapStruct.size + index * VALUE_BYTES) as RamOffset;
  }
}

function remove({ started, program }: Entry): void {
  if (started) started.remove();
  else program?.put();
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
