/** hash, lru_hash and their per-CPU forms. */
import { errno } from '../../kernel/types/errno.ts';
import { uapi } from '../uapi.ts';
import type { CoreMapType } from './core-map.ts';
import { createCoreMap } from './core-map.ts';
import type { MapSpec } from './map.ts';
import type { MapCaps, MapHost, MapTypeRow } from './map-type.ts';
import {
  ACCESS_FLAGS,
  accessIsOk,
  bindsNode,
  hasOnly,
  HTAB_ELEM_BYTES,
  KMALLOC_MAX_BYTES,
  mayBpf,
  PCPU_MIN_UNIT_BYTES,
  roundUp,
} from './map-type.ts';

/** sizeof(struct bpf_htab) of bpf/native/hashtab.h; layout.test.ts compares. */
export const BPF_HTAB_BYTES = 312;

/** htab_map_alloc_check. */
export function checkHash(spec: MapSpec, caps: MapCaps): number {
  const { type, flags, keyBytes, valueBytes } = spec;
  const percpu = type === 'percpu_hash' || type === 'lru_percpu_hash';
  const lru = type === 'lru_hash' || type === 'lru_percpu_hash';
  const percpuLru = (flags & uapi.BPF_F_NO_COMMON_LRU) !== 0;
  const allowed =
    uapi.BPF_F_NO_PREALLOC |
    uapi.BPF_F_NO_COMMON_LRU |
    uapi.BPF_F_NUMA_NODE |
    ACCESS_FLAGS |
    uapi.BPF_F_ZERO_SEED;
  if (lru && !mayBpf(caps)) return -errno.EPERM;
  if ((flags & uapi.BPF_F_ZERO_SEED) !== 0 && !caps.sysAdmin) return -errno.EPERM;
  if (!hasOnly(flags, allowed) || !accessIsOk(flags)) return -errno.EINVAL;
  if (!lru && percpuLru) return -errno.EINVAL;
  if (lru && (flags & uapi.BPF_F_NO_PREALLOC) !== 0) return -errno.ENOTSUPP;
  if (bindsNode(spec) && (percpu || percpuLru)) return -errno.EINVAL;
  if (spec.maxEntries === 0 || keyBytes === 0 || valueBytes === 0) return -errno.EINVAL;
  if (keyBytes + valueBytes >= KMALLOC_MAX_BYTES - HTAB_ELEM_BYTES) return -errno.E2BIG;
  if (percpu && roundUp(valueBytes, 8) > PCPU_MIN_UNIT_BYTES) return -errno.E2BIG;
  return 0;
}

export const hashType: CoreMapType = {
  structBytes: () => BPF_HTAB_BYTES,
  alloc: ({ core, kernel }: MapHost, map, spec) => {
    const zeroSeed = (spec.flags & uapi.BPF_F_ZERO_SEED) !== 0;
    return core.exports.htab_alloc(map, zeroSeed ? 0 : kernel.random32());
  },
  release: ({ core }, map) => core.exports.htab_free(map),
};

const row = (type: MapTypeRow['type']): MapTypeRow => ({
  type,
  check: checkHash,
  create: (host, spec) => createCoreMap(host, spec, hashType),
});

export const hashMap = row('hash');
export const percpuHashMap = row('percpu_hash');
export const lruHashMap = row('lru_hash');
export const lruPercpuHashMap = row('lru_percpu_hash');
