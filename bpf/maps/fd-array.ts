/**
 * Arrays of references: prog_array, perf_event_array, cgroup_array, array_of_maps. User space
 * writes a descriptor; what it stands for is resolved by bpf(2) (programs, maps) or by the kernel
 * (perf events, cgroups), and a 32-bit reference is kept in the slot: a program's id, a map's RAM
 * offset, the kernel's handle. For programs and maps, values here are such references already.
 */
import { errno } from '../../kernel/types/errno.ts';
import { BPF_ARRAY_VALUE } from '../../kernel/types/bpf-map.ts';
import { KERNEL_BASE_HIGH } from '../../kernel/ram/ram.ts';
import type { RamOffset } from '../../kernel/types/units.ts';
import { uapi } from '../uapi.ts';
import { BaseMap, NULL } from './base-map.ts';
import type { CoreMapType } from './core-map.ts';
import { makeStruct } from './core-map.ts';
import type { MapSpec } from './map.ts';
import type { MapHost, MapTypeRow } from './map-type.ts';
import { checkArray } from './map-type.ts';

const POINTER_BYTES = 8;
const FD_BYTES = 4;

export const pointerArrayType: CoreMapType = {
  structBytes: (spec) => BPF_ARRAY_VALUE + POINTER_BYTES * spec.maxEntries,
  alloc: ({ core }, map) => core.exports.array_alloc(map),
  release: () => {},
};

export class FdArrayMap extends BaseMap {
  override readonly elementBytes = POINTER_BYTES;

  constructor(host: MapHost, spec: MapSpec, offset: RamOffset) {
    super(host, spec, offset, pointerArrayType.structBytes(spec), FD_BYTES);
  }

  /** The reference in a slot, 0 where it is empty. `index` is below max_entries. */
  referenceAt(index: number): number {
    return this.host.ram.view.getUint32(this.#slot(index), true);
  }

  progIdAt(index: number): number {
    return this.spec.type === 'prog_array' ? this.referenceAt(index) : 0;
  }

  /** For programs: the inner map itself. The other types cannot be looked up by programs. */
  override lookup(key: RamOffset): RamOffset {
    const index = this.host.ram.view.getUint32(key, true);
    if (this.spec.type !== 'array_of_maps' || index >= this.spec.maxEntries) return NULL;
    return this.referenceAt(index) as RamOffset;
  }

  override copyValue(key: RamOffset, out: RamOffset, _flags: number): number {
    if (this.spec.type === 'perf_event_array' || this.spec.type === 'cgroup_array') {
      return -errno.ENOTSUPP;
    }
    const { view } = this.host.ram;
    const index = view.getUint32(key, true);
    const reference = index < this.spec.maxEntries ? this.referenceAt(index) : 0;
    if (reference === 0) return -errno.ENOENT;
    view.setUint32(out, reference, true);
    return 0;
  }

  override updateFromUser(key: RamOffset, value: RamOffset, flags: number): number {
    const { view } = this.host.ram;
    const index = view.getUint32(key, true);
    if (flags !== uapi.BPF_ANY) return -errno.EINVAL;
    if (index >= this.spec.maxEntries) return -errno.E2BIG;
    const reference = this.#reference(value);
    if (reference < 0) return reference;
    this.#put(this.referenceAt(index));
    this.#store(index, reference);
    return 0;
  }

  override delete(key: RamOffset): number {
    const index = this.host.ram.view.getUint32(key, true);
    if (index >= this.spec.maxEntries) return -errno.E2BIG;
    if (this.referenceAt(index) === 0) return -errno.ENOENT;
    this.clearSlot(index);
    return 0;
  }

  clearSlot(index: number): void {
    this.#put(this.referenceAt(index));
    this.#store(index, 0);
  }

  override nextKey(key: RamOffset, out: RamOffset): number {
    return this.host.core.exports.map_get_next_key(this.offset, key, out);
  }

  protected override releaseUsers(): void {
    if (this.spec.type !== 'prog_array') return;
    for (let i = 0; i < this.spec.maxEntries; i++) this.clearSlot(i);
  }

  protected override release(): void {
    for (let i = 0; i < this.spec.maxEntries; i++) this.#put(this.referenceAt(i));
  }

  #reference(value: RamOffset): number {
    const { kernel, ram } = this.host;
    switch (this.spec.type) {
      case 'perf_event_array':
        return kernel.perfEventOfFd?.(ram.view.getInt32(value, true)) ?? -errno.EBADF;
      case 'cgroup_array':
        return kernel.cgroupOfFd?.(ram.view.getInt32(value, true)) ?? -errno.EBADF;
      default:
        return ram.view.getUint32(value, true);
    }
  }

  #put(reference: number): void {
    if (reference === 0) return;
    if (this.spec.type === 'perf_event_array') this.host.kernel.putPerfEvent?.(reference);
    if (this.spec.type === 'cgroup_array') this.host.kernel.putCgroup?.(reference);
  }

  #slot(index: number): number {
    return this.offset + BPF_ARRAY_VALUE + index * POINTER_BYTES;
  }

  /** A map is a pointer as programs see it; other references are numbers. */
  #store(index: number, reference: number): void {
    const { view } = this.host.ram;
    const isPointer = this.spec.type === 'array_of_maps' && reference !== 0;
    view.setUint32(this.#slot(index), reference, true);
    view.setUint32(this.#slot(index) + 4, isPointer ? KERNEL_BASE_HIGH : 0, true);
  }
}

/** fd_array_map_alloc_check. */
function checkFdArray(spec: MapSpec): number {
  const progAccess = uapi.BPF_F_RDONLY_PROG | uapi.BPF_F_WRONLY_PROG;
  if (spec.valueBytes !== FD_BYTES || (spec.flags & progAccess) !== 0) return -errno.EINVAL;
  return checkArray(spec);
}

/** Maps that may stand in another: 0, or why not (bpf_map_meta_alloc). */
export function checkInnerMap(spec: MapSpec): number {
  const inner = spec.innerMap;
  if (!inner) return spec.noInnerMap ?? -errno.EINVAL;
  if (inner.spec.innerMap) return -errno.EINVAL;
  // Types without map_meta_equal: what they hold is bound at run time.
  const refused = ['prog_array', 'cgroup_storage', 'percpu_cgroup_storage', 'struct_ops'];
  if (refused.includes(inner.spec.type)) return -errno.ENOTSUPP;
  return inner.spinLockOffset !== undefined ? -errno.ENOTSUPP : 0;
}

const row = (type: MapTypeRow['type'], check: MapTypeRow['check'] = checkFdArray): MapTypeRow => ({
  type,
  check,
  create: (host, spec) => {
    const offset = makeStruct(host, spec, pointerArrayType);
    return offset < 0 ? offset : new FdArrayMap(host, spec, offset as RamOffset);
  },
});

export const progArrayMap = row('prog_array');
export const perfEventArrayMap = row('perf_event_array');
export const cgroupArrayMap = row('cgroup_array');
export const arrayOfMapsMap = row(
  'array_of_maps',
  (spec) => checkFdArray(spec) || checkInnerMap(spec),
);
