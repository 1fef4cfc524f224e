// SPDX-License-Identifier: Apache-2.0 OR GPL-2.0-only
/* Drops frames from MAC addresses that are on a list, and counts them there; others pass. */
#include "workload.h"

struct mac {
	__u8 bytes[ETH_ALEN];
	__u16 pad;
};

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 1024);
	__type(key, struct mac);
	__type(value, __u64);
} denied SEC(".maps");

SEC("xdp")
int l2_acl(struct xdp_md *ctx)
{
	struct ethhdr *eth = data_of(ctx);
	struct mac source = {};
	__u64 *hits;

	if ((void *)(eth + 1) > end_of(ctx))
		return XDP_DROP;
	__builtin_memcpy(source.bytes, eth->h_source, ETH_ALEN);
	hits = bpf_map_lookup_elem(&denied, &source);
	if (!hits)
		return XDP_PASS;
	__sync_fetch_and_add(hits, 1);
	return XDP_DROP;
}
