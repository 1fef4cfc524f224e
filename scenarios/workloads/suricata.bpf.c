// SPDX-License-Identifier: Apache-2.0 OR GPL-2.0-only
/*
 * In the manner of Suricata's bypass: packets of flows that the intrusion detection has decided on
 * are counted and dropped here; the others go up to it. IPv4 and IPv6, one VLAN tag.
 */
#include "workload.h"

struct flow6 {
	__be32 saddr[4];
	__be32 daddr[4];
	struct ports ports;
	__u32 protocol;
};

struct bypassed {
	__u64 time_ns;
	__u64 packets;
	__u64 bytes;
};

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 4096);
	__type(key, struct flow);
	__type(value, struct bypassed);
} flow_table_v4 SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 4096);
	__type(key, struct flow6);
	__type(value, struct bypassed);
} flow_table_v6 SEC(".maps");

static __always_inline int seen(struct bypassed *flow, __u64 bytes)
{
	if (!flow)
		return XDP_PASS;
	flow->time_ns = bpf_ktime_get_ns();
	__sync_fetch_and_add(&flow->packets, 1);
	__sync_fetch_and_add(&flow->bytes, bytes);
	return XDP_DROP;
}

static __always_inline int filter_v4(struct iphdr *ip, void *end, __u64 bytes)
{
	struct ports *ports = (void *)(ip + 1);
	struct flow flow = {};

	if ((void *)(ports + 1) > end)
		return XDP_PASS;
	if (ip->protocol != IPPROTO_TCP && ip->protocol != IPPROTO_UDP)
		return XDP_PASS;
	if (ip->frag_off & bpf_htons(IP_FRAGMENT))
		return XDP_PASS;
	flow.saddr = ip->saddr;
	flow.daddr = ip->daddr;
	flow.ports = *ports;
	flow.protocol = ip->protocol;
	return seen(bpf_map_lookup_elem(&flow_table_v4, &flow), bytes);
}

static __always_inline int filter_v6(struct ipv6hdr *ip6, void *end, __u64 bytes)
{
	struct ports *ports = (void *)(ip6 + 1);
	struct flow6 flow = {};

	if ((void *)(ports + 1) > end)
		return XDP_PASS;
	if (ip6->nexthdr != IPPROTO_TCP && ip6->nexthdr != IPPROTO_UDP)
		return XDP_PASS;
	__builtin_memcpy(flow.saddr, &ip6->saddr, sizeof(flow.saddr));
	__builtin_memcpy(flow.daddr, &ip6->daddr, sizeof(flow.daddr));
	flow.ports = *ports;
	flow.protocol = ip6->nexthdr;
	return seen(bpf_map_lookup_elem(&flow_table_v6, &flow), bytes);
}

SEC("xdp")
int suricata(struct xdp_md *ctx)
{
	void *end = end_of(ctx);
	struct ethhdr *eth = data_of(ctx);
	__u64 bytes = end - data_of(ctx);
	void *next = eth + 1;
	__u16 type;

	if (next > end)
		return XDP_PASS;
	type = eth->h_proto;
	if (type == bpf_htons(ETH_P_8021Q)) {
		struct vlan_tag *tag = next;

		if ((void *)(tag + 1) > end)
			return XDP_PASS;
		type = tag->inner_type;
		next = tag + 1;
	}
	if (type == bpf_htons(ETH_P_IP))
		return filter_v4(next, end, bytes);
	if (type == bpf_htons(ETH_P_IPV6))
		return filter_v6(next, end, bytes);
	return XDP_PASS;
}
