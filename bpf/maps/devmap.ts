/**
 * devmap and devmap_hash: where XDP sends packets. A value is an interface index and, in the
 * longer form, a program (struct bpf_devmap_val); programs see it read-only.
 * differs: entries with programs of their own are refused (-EINVAL).
 */
import { errno } from '../../kernel/types/errno.ts';
import { BpfMapStruct } from '../../kernel/types/bpf-map.ts';
import type { RamOffset } from '../../kernel/types/units.ts';
import { uapi } from '../uapi.ts';
import { BaseMap, NULL } from './base-map.ts';
import { createInRam, IndexedMap } from './indexed-map.ts';
import type { MapSpec } from './map.ts';
import type { MapCaps, MapHost, MapTypeRow } from './map-type.ts';
import { hasOnly, mayNetAdmin } from './map-type.ts';

/** struct bpf_devmap_val */
const VALUE_BYTES = 8;

interface DevmapValue {
  readonly ifindex: number;
  readonly progFd: number;
}

function readValue({ ram }: MapHost, { valueBytes }: MapSpec, at: RamOffset): DevmapValue {
  return {
    ifindex: ram.view.getUint32(at, true),
    progFd: valueBytes === VALUE_BYTES ? ram.view.getInt32(at + 4, true) : 0,
  };
}

/** Whether there is such a device to send to: 0 or -EINVAL. */
function checkTarget({ kernel }: MapHost, { ifindex, progFd }: DevmapValue): number {
  const exists = kernel.netDeviceExists?.(ifindex) ?? false;
  return exists && progFd <= 0 ? 0 : -errno.EINVAL;
}

function copyOut(host: MapHost, spec: MapSpec, value: RamOffset, out: RamOffset): number {
  if (value === 0) return -errno.ENOENT;
  host.ram.u8.copyWithin(out, value, value + spec.valueBytes);
  return 0;
}

class DevMap extends IndexedMap {
  redirectTarget(index: number): boolean {
    return index < this.spec.maxEntries && this.ifindexAt(index) !== 0;
  }

  /** 0 where the slot is empty. */
  ifindexAt(index: number): number {
    return this.host.ram.view.getUint32(this.#slot(index), true);
  }

  override lookup(key: RamOffset): RamOffset {
    const index = this.index(key);
    return this.redirectTarget(index) ? this.#slot(index) : NULL;
  }

  override copyValue(key: RamOffset, out: RamOffset, _flags: number): number {
    return copyOut(this.host, this.spec, this.lookup(key), out);
  }

  override update(key: RamOffset, value: RamOffset, flags: number): number {
    const index = this.index(key);
    if (flags > uapi.BPF_EXIST) return -errno.EINVAL;
    if (index >= this.spec.maxEntries) return -errno.E2BIG;
    if (flags === uapi.BPF_NOEXIST) return -errno.EEXIST;
    const target = readValue(this.host, this.spec, value);
    // Interface 0 empties the slot.
    const refused =
      target.ifindex !== 0 ? checkTarget(this.host, target) : target.progFd > 0 ? -errno.EINVAL : 0;
    if (refused < 0) return refused;
    this.#store(index, target.ifindex);
    return 0;
  }

  override delete(key: RamOffset): number {
    const index = this.index(key);
    if (index >= this.spec.maxEntries) return -errno.EINVAL;
    this.#store(index, 0);
    return 0;
  }

  #slot(index: number): RamOffset {
    return (this.offset + BpfMapStruct.size + index * VALUE_BYTES) as RamOffset;
  }

  #store(index: number, ifindex: number): void {
    this.host.ram.writeU64(this.#slot(index), BigInt(ifindex));
  }
}

class DevMapHash extends BaseMap {
  /** Keys of a bucket, newest first. */
  readonly #buckets = new Map<number, number[]>();
  readonly #values = new Map<number, RamOffset>();

  get #bucketCount(): number {
    return 2 ** Math.ceil(Math.log2(this.spec.maxEntries));
  }

  redirectTarget(index: number): boolean {
    return this.#values.has(index);
  }

  ifindexAt(index: number): number {
    const value = this.#values.get(index);
    return value === undefined ? 0 : this.host.ram.view.getUint32(value, true);
  }

  override lookup(key: RamOffset): RamOffset {
    return this.#values.get(this.#key(key)) ?? NULL;
  }

  override copyValue(key: RamOffset, out: RamOffset, _flags: number): number {
    return copyOut(this.host, this.spec, this.lookup(key), out);
  }

  override update(key: RamOffset, value: RamOffset, flags: number): number {
    const number = this.#key(key);
    const target = readValue(this.host, this.spec, value);
    if (flags > uapi.BPF_EXIST || target.ifindex === 0) return -errno.EINVAL;
    const old = this.#values.get(number);
    if (old !== undefined && (flags & uapi.BPF_NOEXIST) !== 0) return -errno.EEXIST;
    const refused = checkTarget(this.host, target);
    if (refused < 0) return refused;
    if (old === undefined && this.#values.size >= this.spec.maxEntries) return -errno.E2BIG;
    this.#remove(number);
    const at = this.host.ram.kzalloc(VALUE_BYTES);
    this.host.ram.view.setUint32(at, target.ifindex, true);
    this.#values.set(number, at);
    const bucket = number % this.#bucketCount;
    this.#buckets.set(bucket, [number, ...(this.#buckets.get(bucket) ?? [])]);
    return 0;
  }

  override delete(key: RamOffset): number {
    return this.#remove(this.#key(key)) ? 0 : -errno.ENOENT;
  }

  override nextKey(key: RamOffset, out: RamOffset): number {
    const current = key === 0 ? undefined : this.#key(key);
    const next = this.#after(current);
    if (next === undefined) return -errno.ENOENT;
    this.host.ram.view.setUint32(out, next, true);
    return 0;
  }

  protected override release(): void {
    for (const value of this.#values.values()) this.host.ram.kfree(value);
  }

  #key(key: RamOffset): number {
    return this.host.ram.view.getUint32(key, true);
  }

  #remove(number: number): boolean {
    const value = this.#values.get(number);
    if (value === undefined) return false;
    const bucket = number % this.#bucketCount;
    this.#buckets.set(
      bucket,
      this.#buckets.get(bucket)!.filter((key) => key !== number),
    );
    this.#values.delete(number);
    this.host.ram.kfree(value);
    return true;
  }

  #after(number: number | undefined): number | undefined {
    let bucket = 0;
    if (number !== undefined && this.#values.has(number)) {
      bucket = number % this.#bucketCount;
      const chain = this.#buckets.get(bucket)!;
      const next = chain[chain.indexOf(number) + 1];
      if (next !== undefined) return next;
      bucket++;
    }
    for (; bucket < this.#bucketCount; bucket++) {
      const first = this.#buckets.get(bucket)?.[0];
      if (first !== undefined) return first;
    }
    return undefined;
  }
}

/** dev_map_alloc */
function check(spec: MapSpec, caps: MapCaps): number {
  if (!mayNetAdmin(caps)) return -errno.EPERM;
  const flags = uapi.BPF_F_NUMA_NODE | uapi.BPF_F_RDONLY | uapi.BPF_F_WRONLY;
  const ok =
    spec.maxEntries !== 0 &&
    spec.keyBytes === 4 &&
    (spec.valueBytes === 4 || spec.valueBytes === VALUE_BYTES) &&
    hasOnly(spec.flags, flags) &&
    (spec.type === 'devmap' || spec.maxEntries <= 2 ** 31);
  return ok ? 0 : -errno.EINVAL;
}

/** Programs get a pointer to the kernel's own value. */
const readOnly = (spec: MapSpec): MapSpec => ({
  ...spec,
  flags: spec.flags | uapi.BPF_F_RDONLY_PROG,
});

export const devmapMap: MapTypeRow = {
  type: 'devmap',
  check,
  create: (host, spec) =>
    createInRam(
      host,
      readOnly(spec),
      spec.maxEntries * VALUE_BYTES,
      (offset, bytes) => new DevMap(host, readOnly(spec), offset, bytes),
    ),
};

export const devmapHashMap: MapTypeRow = {
  type: 'devmap_hash',
  check,
  create: (host, spec) =>
    createInRam(
      host,
      readOnly(spec),
      0,
      (offset, bytes) => new DevMapHash(host, readOnly(spec), offset, bytes),
    ),
};
