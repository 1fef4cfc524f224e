/** queue and stack: maps without keys. */
import { errno } from '../../kernel/types/errno.ts';
import { uapi } from '../uapi.ts';
import type { CoreMapType } from './core-map.ts';
import { createCoreMap } from './core-map.ts';
import type { MapTypeRow } from './map-type.ts';
import { ACCESS_FLAGS, accessIsOk, hasOnly, KMALLOC_MAX_BYTES, mayBpf } from './map-type.ts';

/** Offset of the elements in struct queue_stack of bpf/native/queue_stack.h. */
export const QUEUE_STACK_ELEMENTS = 272;

const queueStackType: CoreMapType = {
  structBytes: (spec) => QUEUE_STACK_ELEMENTS + (spec.maxEntries + 1) * spec.valueBytes,
  alloc: ({ core }, map) => core.exports.queue_stack_alloc(map),
  release: () => {},
};

const row = (type: MapTypeRow['type']): MapTypeRow => ({
  type,
  check: (spec, caps) => {
    if (!mayBpf(caps)) return -errno.EPERM;
    const ok =
      spec.maxEntries !== 0 &&
      spec.keyBytes === 0 &&
      spec.valueBytes !== 0 &&
      hasOnly(spec.flags, uapi.BPF_F_NUMA_NODE | ACCESS_FLAGS) &&
      accessIsOk(spec.flags);
    if (!ok) return -errno.EINVAL;
    return spec.valueBytes > KMALLOC_MAX_BYTES ? -errno.E2BIG : 0;
  },
  create: (host, spec) => createCoreMap(host, spec, queueStackType),
});

export const queueMap = row('queue');
export const stackMap = row('stack');
