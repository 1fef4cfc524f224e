/** hash_of_maps: a hash whose values are maps. Values here are RAM offsets of maps (fd-array.ts). */
import { errno } from '../../kernel/types/errno.ts';
import type { RamOffset } from '../../kernel/types/units.ts';
import { BaseMap, NULL } from './base-map.ts';
import { makeStruct } from './core-map.ts';
import { checkInnerMap } from './fd-array.ts';
import { BPF_HTAB_BYTES, checkHash, hashType } from './hash.ts';
import type { MapSpec } from './map.ts';
import type { MapHost, MapTypeRow } from './map-type.ts';

const FD_BYTES = 4;

class HashOfMaps extends BaseMap {
  constructor(host: MapHost, spec: MapSpec, offset: RamOffset) {
    super(host, spec, offset, BPF_HTAB_BYTES, FD_BYTES);
  }

  override lookup(key: RamOffset): RamOffset {
    return (this.host.core.exports.htab_of_maps_lookup(this.offset, key) >>> 0) as RamOffset;
  }

  override copyValue(key: RamOffset, out: RamOffset, _flags: number): number {
    const inner = this.lookup(key);
    if (inner === NULL) return -errno.ENOENT;
    this.host.ram.view.setUint32(out, inner, true);
    return 0;
  }

  override updateFromUser(key: RamOffset, value: RamOffset, flags: number): number {
    const { ram, core } = this.host;
    const pointer = ram.kzalloc(8);
    ram.writePointer(pointer, ram.view.getUint32(value, true) as RamOffset);
    const result = core.exports.map_update_elem(this.offset, key, pointer, BigInt(flags));
    ram.kfree(pointer);
    return result;
  }

  override delete(key: RamOffset): number {
    return this.host.core.exports.map_delete_elem(this.offset, key);
  }

  override nextKey(key: RamOffset, out: RamOffset): number {
    return this.host.core.exports.map_get_next_key(this.offset, key, out);
  }

  protected override release(): void {
    hashType.release(this.host, this.offset);
  }
}

export const hashOfMapsMap: MapTypeRow = {
  type: 'hash_of_maps',
  check: (spec, caps) => {
    if (spec.valueBytes !== FD_BYTES) return -errno.EINVAL;
    return checkHash(spec, caps) || checkInnerMap(spec);
  },
  create: (host, spec) => {
    const offset = makeStruct(host, spec, hashType);
    return offset < 0 ? offset : new HashOfMaps(host, spec, offset as RamOffset);
  },
};
