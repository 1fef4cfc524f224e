// SPDX-License-Identifier: Apache-2.0 OR GPL-2.0-only
/*
 * Counts packets by receive queue and does with them what its configuration says. The receiving
 * interface must be the configured one.
 */
#include "workload.h"

#define MAX_QUEUES 64

enum option {
	OPTION_READ = 1,
	OPTION_SWAP_MACS = 2,
};

struct config {
	__u32 action;
	__u32 ifindex;
	__u32 options;
};

struct counts {
	__u64 processed;
	__u64 issues;
};

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct config);
} configuration SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct counts);
} totals SEC(".maps");

/* One more than there are queues, for those that are out of range. */
struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, MAX_QUEUES + 1);
	__type(key, __u32);
	__type(value, struct counts);
} by_queue SEC(".maps");

SEC("xdp")
int rxq_info(struct xdp_md *ctx)
{
	struct ethhdr *eth = data_of(ctx);
	struct counts *total, *queue;
	struct config *config;
	__u32 key = 0;
	__u32 index;

	total = bpf_map_lookup_elem(&totals, &key);
	if (!total)
		return XDP_ABORTED;
	total->processed++;
	config = bpf_map_lookup_elem(&configuration, &key);
	if (!config)
		return XDP_ABORTED;
	if (ctx->ingress_ifindex != config->ifindex) {
		total->issues++;
		return XDP_ABORTED;
	}
	index = ctx->rx_queue_index;
	if (index >= MAX_QUEUES) {
		index = MAX_QUEUES;
		total->issues++;
	}
	queue = bpf_map_lookup_elem(&by_queue, &index);
	if (!queue)
		return XDP_ABORTED;
	queue->processed++;
	if (index == MAX_QUEUES)
		queue->issues++;
	if (config->options & (OPTION_READ | OPTION_SWAP_MACS)) {
		if ((void *)(eth + 1) > end_of(ctx))
			return XDP_ABORTED;
		if (config->options & OPTION_READ && bpf_ntohs(eth->h_proto) < ETH_P_802_3_MIN)
			return XDP_ABORTED;
		if (config->options & OPTION_SWAP_MACS)
			swap_macs(eth);
	}
	return config->action;
}
