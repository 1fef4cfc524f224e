/** ringbuf and user_ringbuf; the layout is described in bpf/native/ringbuf.c. */
import { errno } from '../../kernel/types/errno.ts';
import { PAGE_SIZE } from '../../kernel/ram/ram.ts';
import { BpfMapStruct } from '../../kernel/types/bpf-map.ts';
import type { RamOffset } from '../../kernel/types/units.ts';
import { uapi } from '../uapi.ts';
import { BaseMap } from './base-map.ts';
import type { CoreMapType } from './core-map.ts';
import { makeStruct } from './core-map.ts';
import type { MapSpec } from './map.ts';
import type { MapHost, MapTypeRow } from './map-type.ts';
import { hasOnly } from './map-type.ts';

/** struct bpf_ringbuf_map: the map and a pointer. */
const RINGBUF_MAP_BYTES = BpfMapStruct.size + 8;
/** RINGBUF_MAX_DATA_SZ (6.1): a record's page offset has 24 bits; 3 pages come before the data. */
const MAX_DATA_BYTES = (2 ** 24 - 3) * PAGE_SIZE;

const ringbufType: CoreMapType = {
  structBytes: () => RINGBUF_MAP_BYTES,
  alloc: ({ core }, map) => core.exports.ringbuf_alloc(map),
  release: ({ core }, map) => core.exports.ringbuf_free(map),
};

export class RingbufMap extends BaseMap {
  constructor(host: MapHost, spec: MapSpec, offset: RamOffset) {
    super(host, spec, offset, RINGBUF_MAP_BYTES);
  }

  /** What mmap maps, page by page: consumer position, producer position, the data twice. */
  get pages(): readonly RamOffset[] {
    const area = this.host.core.exports.ringbuf_area(this.offset) >>> 0;
    const data = Array.from(
      { length: this.spec.maxEntries / PAGE_SIZE },
      (_, i) => (area + (3 + i) * PAGE_SIZE) as RamOffset,
    );
    const positions = [area + PAGE_SIZE, area + 2 * PAGE_SIZE] as RamOffset[];
    return [...positions, ...data, ...data];
  }

  /** Bytes between producer and consumer position: poll's EPOLLIN is that there are any. */
  get availableBytes(): number {
    return Number(this.host.core.exports.ringbuf_query(this.offset, 0n));
  }

  protected override release(): void {
    this.host.core.exports.ringbuf_free(this.offset);
  }
}

const row = (type: MapTypeRow['type']): MapTypeRow => ({
  type,
  check: ({ flags, keyBytes, valueBytes, maxEntries }) => {
    const isPowerOfTwo = maxEntries !== 0 && (maxEntries & (maxEntries - 1)) === 0;
    if (!hasOnly(flags, uapi.BPF_F_NUMA_NODE)) return -errno.EINVAL;
    if (keyBytes !== 0 || valueBytes !== 0 || !isPowerOfTwo || maxEntries % PAGE_SIZE !== 0) {
      return -errno.EINVAL;
    }
    return maxEntries > MAX_DATA_BYTES ? -errno.E2BIG : 0;
  },
  create: (host, spec) => {
    const offset = makeStruct(host, spec, ringbufType);
    return offset < 0 ? offset : new RingbufMap(host, spec, offset as RamOffset);
  },
});

export const ringbufMap = row('ringbuf');
export const userRingbufMap = row('user_ringbuf');
