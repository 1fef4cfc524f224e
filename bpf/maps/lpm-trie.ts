/** lpm_trie: longest prefix match on a `struct bpf_lpm_trie_key`. */
import { errno } from '../../kernel/types/errno.ts';
import { uapi } from '../uapi.ts';
import type { CoreMapType } from './core-map.ts';
import { createCoreMap } from './core-map.ts';
import type { MapTypeRow } from './map-type.ts';
import { ACCESS_FLAGS, accessIsOk, hasOnly, KMALLOC_MAX_BYTES, mayBpf } from './map-type.ts';

/** sizeof(struct lpm_trie) of bpf/native/lpm_trie.h; layout.test.ts compares. */
export const LPM_TRIE_BYTES = 272;
/** The prefix length in front of the data. */
const PREFIXLEN_BYTES = 4;
/** kernel/bpf/lpm_trie.c: LPM_DATA_SIZE_MAX and sizeof(struct lpm_trie_node). */
const DATA_MAX_BYTES = 256;
const NODE_BYTES = 40;

const trieType: CoreMapType = {
  structBytes: () => LPM_TRIE_BYTES,
  alloc: ({ core }, map) => core.exports.trie_alloc(map),
  release: ({ core }, map) => core.exports.trie_free(map),
};

export const lpmTrieMap: MapTypeRow = {
  type: 'lpm_trie',
  check: (spec, caps) => {
    const allowed = uapi.BPF_F_NO_PREALLOC | uapi.BPF_F_NUMA_NODE | ACCESS_FLAGS;
    if (!mayBpf(caps)) return -errno.EPERM;
    const ok =
      spec.maxEntries !== 0 &&
      (spec.flags & uapi.BPF_F_NO_PREALLOC) !== 0 &&
      hasOnly(spec.flags, allowed) &&
      accessIsOk(spec.flags) &&
      spec.keyBytes > PREFIXLEN_BYTES &&
      spec.keyBytes <= PREFIXLEN_BYTES + DATA_MAX_BYTES &&
      spec.valueBytes > 0 &&
      spec.valueBytes <= KMALLOC_MAX_BYTES - DATA_MAX_BYTES - NODE_BYTES;
    return ok ? 0 : -errno.EINVAL;
  },
  create: (host, spec) => createCoreMap(host, spec, trieType),
};
