// SPDX-License-Identifier: Apache-2.0 OR GPL-2.0-only
/* Counts packets and sends them out of another port, MAC addresses swapped. */
#include "workload.h"

struct {
	__uint(type, BPF_MAP_TYPE_DEVMAP);
	__uint(max_entries, 100);
	__type(key, __u32);
	__type(value, __u32);
} tx_port SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, __u64);
} rxcnt SEC(".maps");

SEC("xdp")
int redirect_map(struct xdp_md *ctx)
{
	struct ethhdr *eth = data_of(ctx);
	__u32 key = 0;
	__u64 *packets;

	if ((void *)(eth + 1) > end_of(ctx))
		return XDP_DROP;
	packets = bpf_map_lookup_elem(&rxcnt, &key);
	if (packets)
		*packets += 1;
	swap_macs(eth);
	return bpf_redirect_map(&tx_port, 0, 0);
}
