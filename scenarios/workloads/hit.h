/* SPDX-License-Identifier: Apache-2.0 OR GPL-2.0-only */
/*
 * Counts in the one element of a per-CPU hash table whose key has KEY_WORDS words, and drops; the
 * packet is not read. hXDP's map access as it was measured on x86: the element is in the cache.
 */
#include "workload.h"

struct key {
	WORD words[KEY_WORDS];
};

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_HASH);
	__uint(max_entries, 256);
	__type(key, struct key);
	__type(value, __u64);
} table SEC(".maps");

static __always_inline int hit(struct xdp_md *ctx)
{
	struct key key = { .words = { 23 } };
	__u64 *packets, one = 1;

	packets = bpf_map_lookup_elem(&table, &key);
	if (packets)
		*packets += 1;
	else
		bpf_map_update_elem(&table, &key, &one, BPF_ANY);
	return XDP_DROP;
}
