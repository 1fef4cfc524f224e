// SPDX-License-Identifier: Apache-2.0 OR GPL-2.0-only
/* Sends a packet back: addresses swapped, TTL one less, header checksum adjusted (RFC 1624). */
#include "packet.h"

static __always_inline void swap_mac(struct ethhdr *eth)
{
	__u8 kept[ETH_ALEN];

	__builtin_memcpy(kept, eth->h_dest, ETH_ALEN);
	__builtin_memcpy(eth->h_dest, eth->h_source, ETH_ALEN);
	__builtin_memcpy(eth->h_source, kept, ETH_ALEN);
}

SEC("xdp")
int rewrite(struct xdp_md *ctx)
{
	struct ethhdr *eth = data_of(ctx);
	struct iphdr *ip = (void *)(eth + 1);
	struct ports *ports = (void *)(ip + 1);
	__be32 address;
	__be16 port;
	__u32 sum;

	if ((void *)(ports + 1) > end_of(ctx) || eth->h_proto != bpf_htons(ETH_P_IP))
		return XDP_PASS;
	swap_mac(eth);
	address = ip->saddr;
	ip->saddr = ip->daddr;
	ip->daddr = address;
	port = ports->source;
	ports->source = ports->dest;
	ports->dest = port;
	if (ip->ttl <= 1)
		return XDP_TX;
	ip->ttl--;
	sum = (__u16)~ip->check + (__u16)~bpf_htons(0x0100);
	sum = (sum & 0xffff) + (sum >> 16);
	ip->check = ~(sum + (sum >> 16));
	return XDP_TX;
}
