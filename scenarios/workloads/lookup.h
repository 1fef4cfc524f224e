/* SPDX-License-Identifier: Apache-2.0 OR GPL-2.0-only */
/* One look into a hash table whose key is the packet from the IPv4 addresses on: KEY_WORDS words. */
#include "workload.h"

struct key {
	WORD words[KEY_WORDS];
};

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 1024);
	__type(key, struct key);
	__type(value, __u32);
} table SEC(".maps");

static __always_inline int lookup(struct xdp_md *ctx)
{
	const WORD *words = data_of(ctx) + sizeof(struct ethhdr) + 12;
	struct key key;

	if ((void *)(words + KEY_WORDS) > end_of(ctx))
		return XDP_ABORTED;
#pragma unroll
	for (int i = 0; i < KEY_WORDS; i++)
		key.words[i] = words[i];
	bpf_map_lookup_elem(&table, &key);
	return XDP_TX;
}
