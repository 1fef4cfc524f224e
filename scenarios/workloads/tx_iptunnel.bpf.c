// SPDX-License-Identifier: Apache-2.0 OR GPL-2.0-only
/* Wraps packets to a virtual address into an IPv4 tunnel (RFC 2003) and sends them on. */
#include "workload.h"

struct tunnel {
	__be32 saddr;
	__be32 daddr;
	__u8 dmac[ETH_ALEN];
	__u8 pad[2];
};

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 256);
	__type(key, __u32);
	__type(value, __u64);
} rxcnt SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 256);
	__type(key, struct vip);
	__type(value, struct tunnel);
} vip2tunnel SEC(".maps");

SEC("xdp")
int tx_iptunnel(struct xdp_md *ctx)
{
	struct ethhdr *eth = data_of(ctx);
	struct iphdr *ip = (void *)(eth + 1);
	struct ports *ports = (void *)(ip + 1);
	struct tunnel *tunnel;
	struct vip vip = {};
	__u16 inner_bytes;
	__u32 protocol;
	__u64 *packets;

	if ((void *)(ports + 1) > end_of(ctx) || eth->h_proto != bpf_htons(ETH_P_IP))
		return XDP_PASS;
	if (ip->protocol != IPPROTO_TCP && ip->protocol != IPPROTO_UDP)
		return XDP_PASS;
	vip.daddr = ip->daddr;
	vip.dport = ports->dest;
	vip.protocol = ip->protocol;
	tunnel = bpf_map_lookup_elem(&vip2tunnel, &vip);
	if (!tunnel)
		return XDP_PASS;
	inner_bytes = bpf_ntohs(ip->tot_len);
	protocol = ip->protocol;

	if (encapsulate(ctx, tunnel->dmac, tunnel->saddr, tunnel->daddr, inner_bytes))
		return XDP_DROP;

	packets = bpf_map_lookup_elem(&rxcnt, &protocol);
	if (packets)
		*packets += 1;
	return XDP_TX;
}
