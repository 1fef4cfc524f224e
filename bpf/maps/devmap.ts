/**
 * devmap and devmap_hash: where XDP sends packets. A value is an interface index and, in the
 * longer form, a program that the packet has to pass (struct bpf_devmap_val: a descriptor on the
 * way in, an id on the way out); programs see it read-only.
 */
import { errno } from '../../kernel/types/errno.ts';
import { BpfMapStruct } from '../../kernel/types/bpf-map.ts';
import type { RamOffset } from '../../kernel/types/units.ts';
import type { ProgObject } from '../syscall/objects.ts';
import { uapi } from '../uapi.ts';
import { BaseMap, NULL } from './base-map.ts';
import { createInRam, IndexedMap } from './indexed-map.ts';
import type { MapSpec } from './map.ts';
import type { MapCaps, MapHost, MapTypeRow } from './map-type.ts';
import { hasOnly, mayNetAdmin } from './map-type.ts';

/** struct bpf_devmap_val */
const VALUE_BYTES = 8;
/** A bucket is the head of a list. */
const POINTER_BYTES = 8;

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

/** What an entry holds. */
interface Target {
  readonly ifindex: number;
  readonly program: ProgObject | undefined;
}

/** The device to send to and the program before it, or -EINVAL. */
function targetOf({ kernel }: MapHost, { ifindex, progFd }: DevmapValue): Target | number {
  if (!(kernel.netDeviceExists?.(ifindex) ?? false)) return -errno.EINVAL;
  if (progFd <= 0) return { ifindex, program: undefined };
  const program = kernel.xdpProgramOfFd?.(progFd, 'xdp_devmap') ?? -errno.EINVAL;
  return typeof program === 'number' ? -errno.EINVAL : { ifindex, program };
}

function writeValue({ ram }: MapHost, at: RamOffset, { ifindex, program }: Target): void {
  ram.view.setUint32(at, ifindex, true);
  ram.view.setUint32(at + 4, program?.id ?? 0, true);
}

const NO_TARGET: Target = { ifindex: 0, program: undefined };

function copyOut(host: MapHost, spec: MapSpec, value: RamOffset, out: RamOffset): number {
  if (value === 0) return -errno.ENOENT;
  host.ram.u8.copyWithin(out, value, value + spec.valueBytes);
  return 0;
}

class DevMap extends IndexedMap {
  readonly #programs = new Map<number, ProgObject>();

  programAt(index: number): ProgObject | undefined {
    return this.#programs.get(index);
  }

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
    const given = readValue(this.host, this.spec, value);
    // Interface 0 empties the slot.
    if (given.ifindex === 0 && given.progFd > 0) return -errno.EINVAL;
    const target = given.ifindex === 0 ? NO_TARGET : targetOf(this.host, given);
    if (typeof target === 'number') return target;
    this.#store(index, target);
    return 0;
  }

  override delete(key: RamOffset): number {
    const index = this.index(key);
    if (index >= this.spec.maxEntries) return -errno.EINVAL;
    this.#store(index, NO_TARGET);
    return 0;
  }

  protected override release(): void {
    for (const program of this.#programs.values()) program.put();
  }

  #slot(index: number): RamOffset {
    return (this.offset + BpfMapStruct.size + index * VALUE_BYTES) as RamOffset;
  }

  #store(index: number, target: Target): void {
    writeValue(this.host, this.#slot(index), target);
    this.#programs.get(index)?.put();
    this.#programs.delete(index);
    if (target.program) this.#programs.set(index, target.program);
  }
}

const bucketCount = ({ maxEntries }: MapSpec) => 2 ** Math.ceil(Math.log2(maxEntries));

class DevMapHash extends BaseMap {
  /** Keys of a bucket, newest first. */
  readonly #buckets = new Map<number, number[]>();
  readonly #values = new Map<number, RamOffset>();
  readonly #programs = new Map<number, ProgObject>();

  get #bucketCount(): number {
    return bucketCount(this.spec);
  }

  redirectTarget(index: number): boolean {
    return this.#values.has(index);
  }

  programAt(index: number): ProgObject | undefined {
    return this.#programs.get(index);
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
    const given = readValue(this.host, this.spec, value);
    if (flags > uapi.BPF_EXIST || given.ifindex === 0) return -errno.EINVAL;
    const old = this.#values.get(number);
    if (old !== undefined && (flags & uapi.BPF_NOEXIST) !== 0) return -errno.EEXIST;
    const target = targetOf(this.host, given);
    if (typeof target === 'number') return target;
    if (old === undefined && this.#values.size >= this.spec.maxEntries) {
      target.program?.put();
      return -errno.E2BIG;
    }
    this.#remove(number);
    const at = this.host.ram.kzalloc(VALUE_BYTES);
    writeValue(this.host, at, target);
    this.#values.set(number, at);
    if (target.program) this.#programs.set(number, target.program);
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
    for (const program of this.#programs.values()) program.put();
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
    this.#programs.get(number)?.put();
    this.#programs.delete(number);
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
  checksInAlloc: true,
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
  checksInAlloc: true,
  check,
  create: (host, spec) =>
    createInRam(
      host,
      readOnly(spec),
      bucketCount(spec) * POINTER_BYTES,
      (offset, bytes) => new DevMapHash(host, readOnly(spec), offset, bytes),
    ),
};
