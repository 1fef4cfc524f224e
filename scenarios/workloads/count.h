/* SPDX-License-Identifier: Apache-2.0 OR GPL-2.0-only */
/* What xdp1 and xdp2 do alike: find the IP protocol behind up to two VLAN tags, and count it. */
#ifndef SKEP_COUNT_H
#define SKEP_COUNT_H

#include "workload.h"

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 256);
	__type(key, __u32);
	__type(value, __u64);
} rxcnt SEC(".maps");

/* The transport protocol, 0 where there is none, or -1 for a packet that is cut short. */
static __always_inline int protocol_of(struct xdp_md *ctx)
{
	void *end = end_of(ctx);
	struct ethhdr *eth = data_of(ctx);
	void *next = eth + 1;
	__u16 type;

	if (next > end)
		return -1;
	type = eth->h_proto;
#pragma unroll
	for (int tags = 0; tags < 2; tags++) {
		struct vlan_tag *tag = next;

		if (type != bpf_htons(ETH_P_8021Q) && type != bpf_htons(ETH_P_8021AD))
			break;
		if ((void *)(tag + 1) > end)
			return -1;
		type = tag->inner_type;
		next = tag + 1;
	}
	if (type == bpf_htons(ETH_P_IP)) {
		struct iphdr *ip = next;

		return (void *)(ip + 1) > end ? 0 : ip->protocol;
	}
	if (type == bpf_htons(ETH_P_IPV6)) {
		struct ipv6hdr *ip6 = next;

		return (void *)(ip6 + 1) > end ? 0 : ip6->nexthdr;
	}
	return 0;
}

static __always_inline void count(__u32 protocol)
{
	__u64 *packets = bpf_map_lookup_elem(&rxcnt, &protocol);

	if (packets)
		*packets += 1;
}

#endif
