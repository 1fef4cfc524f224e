/** array and percpu_array: all elements exist from the start, keys are indices. */
import { errno } from '../../kernel/types/errno.ts';
import { PAGE_SIZE } from '../../kernel/ram/ram.ts';
import { BPF_ARRAY_VALUE } from '../../kernel/types/bpf-map.ts';
import type { RamOffset } from '../../kernel/types/units.ts';
import { uapi } from '../uapi.ts';
import { allocStruct } from './base-map.ts';
import type { CoreMapType } from './core-map.ts';
import { CoreMap, MAX_STRUCT_BYTES } from './core-map.ts';
import type { BpfMap, MapSpec } from './map.ts';
import type { MapHost, MapTypeRow } from './map-type.ts';
import { checkArray, roundUp } from './map-type.ts';

const arrayType: CoreMapType = {
  structBytes: (spec) => {
    const slotBytes = spec.type === 'percpu_array' ? 8 : roundUp(spec.valueBytes, 8);
    return BPF_ARRAY_VALUE + slotBytes * spec.maxEntries;
  },
  alloc: ({ core }, map) => core.exports.array_alloc(map),
  release: ({ core }, map) => core.exports.array_free(map),
};

/** A flat array: ld_imm64 may point into it, and user space may map it. */
class ArrayMap extends CoreMap {
  override readonly elementBytes: number;
  override readonly directValue: RamOffset;

  constructor(host: MapHost, spec: MapSpec, offset: RamOffset) {
    super(host, spec, offset, arrayType);
    this.elementBytes = roundUp(spec.valueBytes, 8);
    this.directValue = (offset + BPF_ARRAY_VALUE) as RamOffset;
  }

  /** With BPF_F_MMAPABLE the value is page-aligned and the struct stands in the page before. */
  protected override freeStruct(structBytes: number): void {
    if ((this.spec.flags & uapi.BPF_F_MMAPABLE) === 0) return super.freeStruct(structBytes);
    const pages = mmapablePages(this.spec);
    this.host.ram.pages.freeExact((this.directValue - PAGE_SIZE) as RamOffset, pages);
  }
}

function mmapablePages(spec: MapSpec): number {
  return 1 + Math.ceil((roundUp(spec.valueBytes, 8) * spec.maxEntries) / PAGE_SIZE);
}

/** Where the struct goes: anywhere, or so that the value starts a page. 0: no memory. */
function place(host: MapHost, spec: MapSpec): RamOffset {
  if ((spec.flags & uapi.BPF_F_MMAPABLE) === 0) {
    return host.core.areaAlloc(arrayType.structBytes(spec));
  }
  // Above the largest slab class, so that the area is whole pages.
  const area = host.core.pageAlloc(mmapablePages(spec));
  return area === 0 ? area : ((area + PAGE_SIZE - BPF_ARRAY_VALUE) as RamOffset);
}

function createArray(host: MapHost, spec: MapSpec): BpfMap | number {
  const structBytes = arrayType.structBytes(spec);
  if (structBytes > MAX_STRUCT_BYTES) return -errno.ENOMEM;
  const offset = allocStruct(host, spec, structBytes, place(host, spec));
  if (offset === 0) return -errno.ENOMEM;
  const result = arrayType.alloc(host, offset, spec);
  if (result < 0) {
    host.core.areaFree(offset, structBytes);
    return result;
  }
  return spec.type === 'array'
    ? new ArrayMap(host, spec, offset)
    : new CoreMap(host, spec, offset, arrayType);
}

export const arrayMap: MapTypeRow = { type: 'array', check: checkArray, create: createArray };
export const percpuArrayMap: MapTypeRow = {
  type: 'percpu_array',
  check: checkArray,
  create: createArray,
};
