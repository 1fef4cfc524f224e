/* SPDX-License-Identifier: Apache-2.0 OR GPL-2.0-only */
/*
 * CALLS times the checksum of the IPv4 header, written back each time, then a count, and a drop: hXDP's
 * helper calls as they were measured on x86.
 */
#include "workload.h"

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 256);
	__type(key, __u32);
	__type(value, __u64);
} rxcnt SEC(".maps");

static __always_inline int sums(struct xdp_md *ctx)
{
	void *end = end_of(ctx);
	struct ethhdr *eth = data_of(ctx);
	struct iphdr *ip = (void *)(eth + 1);
	__u32 sum = 0, key = 23;
	__u64 *packets;

	if ((void *)(eth + 1) > end || eth->h_proto != bpf_htons(ETH_P_IP) || (void *)(ip + 1) > end)
		return XDP_DROP;
#pragma unroll
	for (int i = 0; i < CALLS; i++) {
		sum = bpf_csum_diff(0, 0, (void *)ip, sizeof(*ip), sum);
		sum = (__u16)~((sum & 0xffff) + (sum >> 16));
		ip->check = sum;
	}
	packets = bpf_map_lookup_elem(&rxcnt, &key);
	if (packets)
		*packets += 1;
	return XDP_DROP;
}
