/**
 * tcam: ternary match, which Linux has not; it stands for the memory of a switch that the targets in
 * hw/ map tables to. The key is `struct { __u32 priority; __u8 data[n]; __u8 mask[n]; }`: programs
 * look data up and get the value of the matching entry with the lowest priority number; bpf(2) sees
 * entries by their whole keys. Data outside of the mask must be zero, as in P4Runtime (8.3).
 * differs: a map type of skep's own, number 1000, on machines of level `latest`.
 */
import { errno } from '../../kernel/types/errno.ts';
import { uapi } from '../uapi.ts';
import type { CoreMapType } from './core-map.ts';
import { createCoreMap } from './core-map.ts';
import type { MapSpec } from './map.ts';
import type { MapTypeRow } from './map-type.ts';
import {
  ACCESS_FLAGS,
  accessIsOk,
  hasOnly,
  KMALLOC_MAX_BYTES,
  mayBpf,
  roundUp,
} from './map-type.ts';

/** Offset of the order in struct tcam of bpf/native/tcam.h; layout.test.ts compares. */
export const TCAM_ORDER = 264;
/** As much as an LPM trie's. */
const DATA_MAX_BYTES = 256;
const PRIORITY_BYTES = 4;

const tcamType: CoreMapType = {
  structBytes: ({ keyBytes, valueBytes, maxEntries }: MapSpec) =>
    TCAM_ORDER +
    roundUp(maxEntries * 4, 8) +
    maxEntries * (roundUp(keyBytes, 8) + roundUp(valueBytes, 8)),
  alloc: ({ core }, map) => core.exports.tcam_alloc(map),
  release: () => {},
};

export const tcamMap: MapTypeRow = {
  type: 'tcam',
  check: (spec, caps) => {
    if (!mayBpf(caps)) return -errno.EPERM;
    const dataBytes = (spec.keyBytes - PRIORITY_BYTES) / 2;
    const ok =
      spec.maxEntries !== 0 &&
      spec.valueBytes !== 0 &&
      Number.isInteger(dataBytes) &&
      dataBytes >= 1 &&
      dataBytes <= DATA_MAX_BYTES &&
      hasOnly(spec.flags, uapi.BPF_F_NUMA_NODE | ACCESS_FLAGS) &&
      accessIsOk(spec.flags);
    if (!ok) return -errno.EINVAL;
    return spec.valueBytes > KMALLOC_MAX_BYTES ? -errno.E2BIG : 0;
  },
  create: (host, spec) => createCoreMap(host, spec, tcamType),
};
