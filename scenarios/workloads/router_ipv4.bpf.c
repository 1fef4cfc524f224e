// SPDX-License-Identifier: Apache-2.0 OR GPL-2.0-only
/*
 * Routes IPv4: a cache of exact destinations first, else the longest prefix, whose next hop's
 * address is looked up in turn; new MAC addresses, one hop less to live, out of the port.
 */
#include "workload.h"

struct prefix {
	__u32 length;
	__be32 address;
};

struct next_hop {
	__u8 dest[ETH_ALEN];
	__u8 source[ETH_ALEN];
	__u32 port;
};

struct {
	__uint(type, BPF_MAP_TYPE_LPM_TRIE);
	__uint(max_entries, 1024);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, struct prefix);
	__type(value, __be32);
} routes SEC(".maps");

/* Of neighbours, and of destinations that were looked up before. */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 1024);
	__type(key, __be32);
	__type(value, struct next_hop);
} neighbours SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_DEVMAP);
	__uint(max_entries, 16);
	__type(key, __u32);
	__type(value, __u32);
} ports SEC(".maps");

SEC("xdp")
int router_ipv4(struct xdp_md *ctx)
{
	struct ethhdr *eth = data_of(ctx);
	struct iphdr *ip = (void *)(eth + 1);
	struct prefix prefix = { .length = 32 };
	struct next_hop *hop;
	__be32 *gateway;
	__be32 address;

	if ((void *)(ip + 1) > end_of(ctx) || eth->h_proto != bpf_htons(ETH_P_IP))
		return XDP_PASS;
	if (ip->ttl <= 1)
		return XDP_PASS;
	address = ip->daddr;
	hop = bpf_map_lookup_elem(&neighbours, &address);
	if (!hop) {
		prefix.address = address;
		gateway = bpf_map_lookup_elem(&routes, &prefix);
		if (!gateway)
			return XDP_PASS;
		address = *gateway;
		hop = bpf_map_lookup_elem(&neighbours, &address);
		if (!hop)
			return XDP_PASS;
	}
	decrease_ttl(ip);
	set_macs(eth, hop->dest, hop->source);
	return bpf_redirect_map(&ports, hop->port, 0);
}
