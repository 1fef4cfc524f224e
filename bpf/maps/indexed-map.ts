/** Maps whose keys are indices below max_entries and whose slots live outside the C core. */
import { errno } from '../../kernel/types/errno.ts';
import { BpfMapStruct } from '../../kernel/types/bpf-map.ts';
import type { RamOffset } from '../../kernel/types/units.ts';
import { allocStruct, BaseMap } from './base-map.ts';
import type { BpfMap, MapSpec } from './map.ts';
import type { MapHost } from './map-type.ts';

export class IndexedMap extends BaseMap {
  /** The index in a key. */
  protected index(key: RamOffset): number {
    return this.host.ram.view.getUint32(key, true);
  }

  /** As array_map_get_next_key: a key beyond the end asks for the first. */
  override nextKey(key: RamOffset, out: RamOffset): number {
    const { maxEntries } = this.spec;
    const index = key === 0 ? maxEntries : this.index(key);
    if (index === maxEntries - 1) return -errno.ENOENT;
    this.host.ram.view.setUint32(out, index >= maxEntries ? 0 : index + 1, true);
    return 0;
  }
}

/** Makes a map whose struct in RAM is struct bpf_map and `extraBytes` behind it. */
export function createInRam(
  host: MapHost,
  spec: MapSpec,
  extraBytes: number,
  construct: (offset: RamOffset, structBytes: number) => BpfMap,
): BpfMap | number {
  const structBytes = BpfMapStruct.size + extraBytes;
  if (structBytes > 0xffff_ffff) return -errno.ENOMEM;
  const offset = allocStruct(host, spec, structBytes);
  return offset === 0 ? -errno.ENOMEM : construct(offset, structBytes);
}
