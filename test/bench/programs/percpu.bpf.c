// SPDX-License-Identifier: Apache-2.0 OR GPL-2.0-only
/* Packets and bytes by IP protocol, in per-CPU counters. */
#include "packet.h"

struct counter {
	__u64 packets;
	__u64 bytes;
};

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 256);
	__type(key, __u32);
	__type(value, struct counter);
} counters SEC(".maps");

SEC("xdp")
int percpu(struct xdp_md *ctx)
{
	struct ethhdr *eth = data_of(ctx);
	struct iphdr *ip = (void *)(eth + 1);
	struct counter *counter;
	__u32 key = 255;

	if ((void *)(ip + 1) <= end_of(ctx) && eth->h_proto == bpf_htons(ETH_P_IP))
		key = ip->protocol;
	counter = bpf_map_lookup_elem(&counters, &key);
	if (!counter)
		return XDP_ABORTED;
	counter->packets++;
	counter->bytes += end_of(ctx) - data_of(ctx);
	return XDP_PASS;
}
