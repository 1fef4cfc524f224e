/**
 * What all maps have: the struct bpf_map in RAM, which programs point at, and its attributes.
 *
 *   allocStruct(host, spec, bytes)   a zeroed struct with its struct bpf_map filled in, or 0
 *   class BaseMap                    a BpfMap whose operations answer "not supported"
 */
import { errno } from '../../kernel/types/errno.ts';
import { PAGE_SIZE } from '../../kernel/ram/ram.ts';
import { BpfMapStruct } from '../../kernel/types/bpf-map.ts';
import type { BpfMapView } from '../../kernel/types/bpf-map.ts';
import type { RamOffset } from '../../kernel/types/units.ts';
import { mapTypeNumber } from '../uapi.ts';
import type { BpfMap, MapSpec } from './map.ts';
import type { MapHost } from './map-type.ts';
import { bindsNode, permanentFlags, roundUp } from './map-type.ts';
import { findSpecialFields, NO_SPECIAL_FIELDS, offArrayFor } from './special-fields.ts';
import type { KptrField, SpecialFields } from './special-fields.ts';

export const NULL = 0 as RamOffset;

/** @param at where the struct is to be, if it is already allocated */
export function allocStruct(
  host: MapHost,
  spec: MapSpec,
  sizeBytes: number,
  at = host.core.areaAlloc(sizeBytes),
): RamOffset {
  if (at === 0) return NULL;
  const map = BpfMapStruct.at(host.ram, at);
  map.map_type = mapTypeNumber(spec.type);
  map.key_size = spec.keyBytes;
  map.value_size = spec.valueBytes;
  map.max_entries = spec.maxEntries;
  map.map_extra = spec.mapExtra ?? 0n;
  map.map_flags = permanentFlags(spec.flags);
  map.numa_node = bindsNode(spec) ? 0 : -1;
  map.name = spec.name;
  map.btf_key_type_id = spec.btfKeyTypeId ?? 0;
  map.btf_value_type_id = spec.btfValueTypeId ?? 0;
  map.cpu_count = host.kernel.cpuCount;
  map.bypass_spec_v1 = 1;
  map.refcnt = 1n;
  map.usercnt = 1n;
  const fields = specialFieldsOf(spec);
  map.spin_lock_off = fields.spinLock;
  map.timer_off = fields.timer;
  map.off_arr = offArrayFor(host.ram, fields);
  if (fields.kptrs.length > 0) map.kptr_off_tab = map.off_arr;
  if (spec.innerMap) map.inner_map_meta = spec.innerMap.offset;
  return at;
}

export function specialFieldsOf(spec: MapSpec): SpecialFields {
  if (!spec.btf || !spec.btfValueTypeId) return NO_SPECIAL_FIELDS;
  return findSpecialFields(spec.btf, spec.btfValueTypeId);
}

export class BaseMap implements BpfMap {
  readonly spec: MapSpec;
  readonly offset: RamOffset;
  readonly elementBytes: number = 0;
  readonly userValueBytes: number;
  protected readonly host: MapHost;
  readonly #structBytes: number;
  readonly #view: BpfMapView;

  constructor(
    host: MapHost,
    spec: MapSpec,
    offset: RamOffset,
    structBytes: number,
    userValueBytes: number = spec.valueBytes,
  ) {
    this.host = host;
    this.offset = offset;
    this.#structBytes = structBytes;
    this.#view = BpfMapStruct.at(host.ram, offset);
    // Making the map may have changed how many elements it has.
    const maxEntries = this.#view.max_entries;
    this.spec = maxEntries === spec.maxEntries ? spec : { ...spec, maxEntries };
    this.userValueBytes = userValueBytes;
    host.maps?.set(offset, this);
  }

  get id(): number {
    return this.#view.id;
  }

  set id(id: number) {
    this.#view.id = id;
  }

  get frozen(): boolean {
    return this.#view.frozen !== 0;
  }

  set frozen(frozen: boolean) {
    this.#view.frozen = frozen ? 1 : 0;
  }

  get spinLockOffset(): number | undefined {
    return this.#view.spin_lock_off >= 0 ? this.#view.spin_lock_off : undefined;
  }

  get timerOffset(): number | undefined {
    return this.#view.timer_off >= 0 ? this.#view.timer_off : undefined;
  }

  get kptrs(): readonly KptrField[] {
    return (this.#kptrs ??= specialFieldsOf(this.spec).kptrs);
  }
  #kptrs: readonly KptrField[] | undefined;

  /** bpf_map_memory_footprint (6.1): from the sizes asked for, not from what was allocated. */
  get memoryBytes(): number {
    const element = roundUp(this.spec.keyBytes + this.userValueBytes, 8);
    return roundUp(element * this.spec.maxEntries, PAGE_SIZE);
  }

  lookup(_key: RamOffset): RamOffset {
    return NULL;
  }

  update(_key: RamOffset, _value: RamOffset, _flags: number): number {
    return -errno.ENOTSUPP;
  }

  delete(_key: RamOffset): number {
    return -errno.ENOTSUPP;
  }

  copyValue(_key: RamOffset, _out: RamOffset, _flags: number): number {
    return -errno.ENOTSUPP;
  }

  updateFromUser(key: RamOffset, value: RamOffset, flags: number): number {
    return this.update(key, value, flags);
  }

  nextKey(_key: RamOffset, _out: RamOffset): number {
    return -errno.ENOTSUPP;
  }

  setUsers(count: number): void {
    this.#view.usercnt = BigInt(count);
    if (count === 0) this.releaseUsers();
  }

  /** map_release_uref: the last descriptor and pin are gone, though programs may have the map. */
  protected releaseUsers(): void {}

  /** What the type holds besides its struct. */
  protected release(): void {}

  free(): void {
    // The core asks for the map by its offset while it lets elements go.
    this.release();
    this.host.maps?.delete(this.offset);
    const { off_arr: offArray } = this.#view;
    if (offArray !== 0) this.host.ram.kfree(offArray);
    this.freeStruct(this.#structBytes);
  }

  protected freeStruct(structBytes: number): void {
    this.host.core.areaFree(this.offset, structBytes);
  }
}
