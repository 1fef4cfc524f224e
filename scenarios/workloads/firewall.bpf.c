// SPDX-License-Identifier: Apache-2.0 OR GPL-2.0-only
/*
 * A simple stateful firewall (the example of the hXDP paper): a flow may enter once somebody inside
 * has opened it. Both directions of a flow have one key, as addresses and ports are put in order.
 */
#include "workload.h"

#define OUTSIDE_IFINDEX 2

/* Indices into tx_port. */
#define PORT_INSIDE 1
#define PORT_OUTSIDE 2

struct flow_key {
	__u32 protocol;
	__be16 ports[2];
	__be32 addresses[2];
};

struct opened {
	/* Where packets from outside go. */
	__u8 port;
	__u8 pad;
	__u16 by_ifindex;
};

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 1024);
	__type(key, struct flow_key);
	__type(value, struct opened);
} flows SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_DEVMAP);
	__uint(max_entries, 16);
	__type(key, __u32);
	__type(value, __u32);
} tx_port SEC(".maps");

SEC("xdp")
int firewall(struct xdp_md *ctx)
{
	void *end = end_of(ctx);
	struct ethhdr *eth = data_of(ctx);
	struct iphdr *ip = (void *)(eth + 1);
	struct udphdr *l4 = (void *)(ip + 1);
	struct flow_key key = {};
	struct opened new_flow = {};
	struct opened *flow;

	if ((void *)(eth + 1) > end)
		return XDP_DROP;
	if (eth->h_proto != bpf_htons(ETH_P_IP))
		return XDP_DROP;
	if ((void *)(ip + 1) > end)
		return XDP_DROP;
	/* Ports stand at the same place in both. */
	if (ip->protocol != IPPROTO_UDP && ip->protocol != IPPROTO_TCP)
		return XDP_DROP;
	if ((void *)(l4 + 1) > end)
		return XDP_DROP;

	key.protocol = ip->protocol;
	key.addresses[0] = ip->saddr;
	key.addresses[1] = ip->daddr;
	key.ports[0] = l4->source;
	key.ports[1] = l4->dest;
	if (ip->daddr < ip->saddr) {
		key.addresses[0] = ip->daddr;
		key.addresses[1] = ip->saddr;
	}
	if (l4->dest < l4->source) {
		key.ports[0] = l4->dest;
		key.ports[1] = l4->source;
	}
	flow = bpf_map_lookup_elem(&flows, &key);

	if (ctx->ingress_ifindex == OUTSIDE_IFINDEX) {
		if (!flow)
			return XDP_DROP;
		return bpf_redirect_map(&tx_port, flow->port, 0);
	}
	if (!flow) {
		new_flow.port = PORT_INSIDE;
		new_flow.by_ifindex = ctx->ingress_ifindex;
		bpf_map_update_elem(&flows, &key, &new_flow, BPF_ANY);
	}
	return bpf_redirect_map(&tx_port, PORT_OUTSIDE, 0);
}
