/** bloom_filter: a set that may say yes wrongly, never no. */
import { errno } from '../../kernel/types/errno.ts';
import { uapi } from '../uapi.ts';
import type { CoreMapType } from './core-map.ts';
import { createCoreMap } from './core-map.ts';
import type { MapSpec } from './map.ts';
import type { MapTypeRow } from './map-type.ts';
import { ACCESS_FLAGS, accessIsOk, hasOnly, KMALLOC_MAX_BYTES, mayBpf } from './map-type.ts';

/** Offset of the bits in struct bloom of bpf/native/bloom.h. */
export const BLOOM_BITSET = 272;
/** kernel/bpf/bloom_filter.c: hash functions where map_extra does not say. */
const DEFAULT_HASH_FUNCTIONS = 5;
const HASH_FUNCTIONS_MASK = 0xfn;
const BITS_PER_LONG = 64;

function hashFunctions(spec: MapSpec): number {
  return Number(spec.mapExtra ?? 0n) || DEFAULT_HASH_FUNCTIONS;
}

/** entries * functions / ln 2, with 7/5 for 1/ln 2, as a power of two. */
function bitCount(spec: MapSpec): number {
  const product = spec.maxEntries * hashFunctions(spec);
  const bits = Math.floor(product / 5) * 7;
  if (product > 0xffffffff || bits > 2 ** 31) return 2 ** 32;
  return bits <= BITS_PER_LONG ? BITS_PER_LONG : 2 ** Math.ceil(Math.log2(bits));
}

const bloomType: CoreMapType = {
  structBytes: (spec) => BLOOM_BITSET + bitCount(spec) / 8,
  alloc: ({ core, kernel }, map, spec) => {
    const seed = (spec.flags & uapi.BPF_F_ZERO_SEED) !== 0 ? 0 : kernel.random32();
    return core.exports.bloom_alloc(map, bitCount(spec) - 1, hashFunctions(spec), seed);
  },
  release: () => {},
};

export const bloomFilterMap: MapTypeRow = {
  type: 'bloom_filter',
  check: (spec, caps) => {
    if (spec.valueBytes > KMALLOC_MAX_BYTES) return -errno.E2BIG;
    if (!mayBpf(caps)) return -errno.EPERM;
    const ok =
      spec.keyBytes === 0 &&
      spec.valueBytes !== 0 &&
      spec.maxEntries !== 0 &&
      hasOnly(spec.flags, uapi.BPF_F_NUMA_NODE | uapi.BPF_F_ZERO_SEED | ACCESS_FLAGS) &&
      accessIsOk(spec.flags) &&
      ((spec.mapExtra ?? 0n) & ~HASH_FUNCTIONS_MASK) === 0n;
    return ok ? 0 : -errno.EINVAL;
  },
  create: (host, spec) => createCoreMap(host, spec, bloomType),
};
