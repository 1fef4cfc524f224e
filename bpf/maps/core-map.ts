/** Maps whose elements are plain bytes and whose operations are the C core's. */
import { errno } from '../../kernel/types/errno.ts';
import { PAGE_SIZE } from '../../kernel/ram/ram.ts';
import type { RamOffset } from '../../kernel/types/units.ts';
import { allocStruct, BaseMap, NULL } from './base-map.ts';
import type { BpfMap, MapSpec } from './map.ts';
import type { MapHost } from './map-type.ts';
import { HTAB_ELEM_BYTES, roundUp } from './map-type.ts';

/** Beyond what any RAM has, and what the core can count. */
export const MAX_STRUCT_BYTES = 2 ** 32 - PAGE_SIZE;

/** How the core makes and unmakes one type. */
export interface CoreMapType {
  /** Size of the struct in RAM, with elements where they follow it. */
  structBytes(spec: MapSpec): number;
  /** Runs in the core once struct bpf_map is filled in: 0 or -errno. */
  alloc(host: MapHost, map: RamOffset, spec: MapSpec): number;
  /** Gives back what alloc took; also after alloc failed. */
  release(host: MapHost, map: RamOffset): void;
}

export class CoreMap extends BaseMap {
  declare readonly directValue?: RamOffset;
  readonly #type: CoreMapType;
  readonly #core;

  constructor(host: MapHost, spec: MapSpec, offset: RamOffset, type: CoreMapType) {
    const percpu = spec.type.includes('percpu');
    const perUser = percpu ? roundUp(spec.valueBytes, 8) * host.kernel.cpuCount : spec.valueBytes;
    super(host, spec, offset, type.structBytes(spec), perUser);
    this.#type = type;
    this.#core = host.core.exports;
  }

  override lookup(key: RamOffset): RamOffset {
    return (this.#core.map_lookup_elem(this.offset, key) >>> 0) as RamOffset;
  }

  override update(key: RamOffset, value: RamOffset, flags: number): number {
    return this.#core.map_update_elem(this.offset, key, value, BigInt(flags));
  }

  override delete(key: RamOffset): number {
    return this.#core.map_delete_elem(this.offset, key);
  }

  override copyValue(key: RamOffset, out: RamOffset, _flags: number): number {
    return this.#core.map_copy_value(this.offset, key, out);
  }

  override updateFromUser(key: RamOffset, value: RamOffset, flags: number): number {
    return this.#core.map_update_value(this.offset, key, value, BigInt(flags));
  }

  override nextKey(key: RamOffset, out: RamOffset): number {
    return this.#core.map_get_next_key(this.offset, key, out);
  }

  lookupAndDelete(key: RamOffset, out: RamOffset, flags: number): number {
    switch (this.spec.type) {
      case 'queue':
      case 'stack':
        return this.#core.map_pop_elem(this.offset, out);
      case 'hash':
      case 'percpu_hash':
      case 'lru_hash':
      case 'lru_percpu_hash':
        return this.copyValue(key, out, flags) || this.delete(key);
      default:
        return -errno.ENOTSUPP;
    }
  }

  /** Values outlive the last descriptor where programs have the map; their timers do not. */
  protected override releaseUsers(): void {
    const { timers } = this.host;
    const at = this.timerOffset;
    if (timers === undefined || at === undefined) return;
    for (const value of this.#values()) timers.free((value + at) as RamOffset);
  }

  /** Of all elements; for maps that are not per CPU. */
  *#values(): Generator<RamOffset> {
    const { keyBytes, maxEntries } = this.spec;
    const first = this.directValue;
    if (first !== undefined) {
      for (let i = 0; i < maxEntries; i++) yield (first + i * this.elementBytes) as RamOffset;
      return;
    }
    const buckets = this.#core.htab_bucket_count(this.offset) >>> 0;
    for (let bucket = 0; bucket < buckets; bucket++) {
      let elem = this.#core.htab_bucket_first(this.offset, bucket) >>> 0;
      for (; elem !== 0; elem = this.host.ram.view.getUint32(elem, true)) {
        yield (elem + HTAB_ELEM_BYTES + roundUp(keyBytes, 8)) as RamOffset;
      }
    }
  }

  protected override release(): void {
    this.#type.release(this.host, this.offset);
  }
}

/** Allocate the struct, let the core make the map: the struct's offset or -errno. */
export function makeStruct(host: MapHost, spec: MapSpec, type: CoreMapType): RamOffset | number {
  const structBytes = type.structBytes(spec);
  if (structBytes > MAX_STRUCT_BYTES) return -errno.ENOMEM;
  const offset = allocStruct(host, spec, structBytes);
  if (offset === NULL) return -errno.ENOMEM;
  const result = type.alloc(host, offset, spec);
  if (result === 0) return offset;
  type.release(host, offset);
  host.core.areaFree(offset, structBytes);
  return result;
}

export function createCoreMap(host: MapHost, spec: MapSpec, type: CoreMapType): BpfMap | number {
  const offset = makeStruct(host, spec, type);
  if (offset < 0) return offset;
  return new CoreMap(host, spec, offset as RamOffset, type);
}
