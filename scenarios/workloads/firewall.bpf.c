// SPDX-License-Identifier: Apache-2.0 OR GPL-2.0-only
/*
 * A simple stateful firewall: a flow may enter once somebody inside has opened it. Which side a
 * packet is from, its interface says.
 */
#include "workload.h"

#define INSIDE_IFINDEX 1

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 1024);
	__type(key, struct flow);
	__type(value, __u64);
} flows SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_DEVMAP);
	__uint(max_entries, 16);
	__type(key, __u32);
	__type(value, __u32);
} tx_port SEC(".maps");

#define PORT_OUTSIDE 0
#define PORT_INSIDE 1

SEC("xdp")
int firewall(struct xdp_md *ctx)
{
	struct ethhdr *eth = data_of(ctx);
	struct iphdr *ip = (void *)(eth + 1);
	struct ports *ports = (void *)(ip + 1);
	struct flow flow = {};
	__u64 opened = 1;

	if ((void *)(ports + 1) > end_of(ctx))
		return XDP_DROP;
	if (eth->h_proto != bpf_htons(ETH_P_IP))
		return XDP_DROP;
	if (ip->protocol != IPPROTO_TCP && ip->protocol != IPPROTO_UDP)
		return XDP_DROP;
	flow.protocol = ip->protocol;

	/* One key for both directions: that of who opened the flow. */
	if (ctx->ingress_ifindex == INSIDE_IFINDEX) {
		flow.saddr = ip->saddr;
		flow.daddr = ip->daddr;
		flow.ports = *ports;
		if (!bpf_map_lookup_elem(&flows, &flow))
			bpf_map_update_elem(&flows, &flow, &opened, BPF_ANY);
		return bpf_redirect_map(&tx_port, PORT_OUTSIDE, 0);
	}
	flow.saddr = ip->daddr;
	flow.daddr = ip->saddr;
	flow.ports.source = ports->dest;
	flow.ports.dest = ports->source;
	if (!bpf_map_lookup_elem(&flows, &flow))
		return XDP_DROP;
	return bpf_redirect_map(&tx_port, PORT_INSIDE, 0);
}
