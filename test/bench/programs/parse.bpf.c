// SPDX-License-Identifier: Apache-2.0 OR GPL-2.0-only
/* Ethernet, VLAN tags, IPv4 with options or IPv6 with extension headers, down to the ports. */
#include "packet.h"

#define MAX_TAGS 2
#define MAX_EXTENSIONS 4

struct extension {
	__u8 next;
	__u8 length;
};

static __always_inline int verdict(struct ports *ports, void *end)
{
	if ((void *)(ports + 1) > end)
		return XDP_DROP;
	return ports->dest == bpf_htons(53) ? XDP_TX : XDP_PASS;
}

static __always_inline int parse_ipv4(void *at, void *end)
{
	struct iphdr *ip = at;
	__u32 length;

	if ((void *)(ip + 1) > end || ip->version != 4 || ip->ihl < 5)
		return XDP_DROP;
	if (ip->protocol != IPPROTO_TCP && ip->protocol != IPPROTO_UDP)
		return XDP_PASS;
	if (ip->frag_off & bpf_htons(0x1fff))
		return XDP_PASS;
	length = ip->ihl * 4;
	return verdict(at + length, end);
}

static __always_inline int parse_ipv6(void *at, void *end)
{
	struct ipv6hdr *ip = at;
	__u8 next;
	int i;

	if ((void *)(ip + 1) > end || ip->version != 6)
		return XDP_DROP;
	next = ip->nexthdr;
	at = ip + 1;
#pragma clang loop unroll(disable)
	for (i = 0; i < MAX_EXTENSIONS; i++) {
		struct extension *extension = at;

		if (next != IPPROTO_HOPOPTS && next != IPPROTO_ROUTING && next != IPPROTO_DSTOPTS)
			break;
		if ((void *)(extension + 1) > end)
			return XDP_DROP;
		next = extension->next;
		at += (extension->length + 1) * 8;
	}
	if (next != IPPROTO_TCP && next != IPPROTO_UDP)
		return XDP_PASS;
	return verdict(at, end);
}

SEC("xdp")
int parse(struct xdp_md *ctx)
{
	struct ethhdr *eth = data_of(ctx);
	void *end = end_of(ctx);
	void *at = eth + 1;
	__be16 protocol;
	int i;

	if (at > end)
		return XDP_DROP;
	protocol = eth->h_proto;
#pragma clang loop unroll(disable)
	for (i = 0; i < MAX_TAGS; i++) {
		struct vlan_tag *tag = at;

		if (protocol != bpf_htons(ETH_P_8021Q) && protocol != bpf_htons(ETH_P_8021AD))
			break;
		at = tag + 1;
		if (at > end)
			return XDP_DROP;
		protocol = tag->protocol;
	}
	if (protocol == bpf_htons(ETH_P_IP))
		return parse_ipv4(at, end);
	if (protocol == bpf_htons(ETH_P_IPV6))
		return parse_ipv6(at, end);
	return XDP_PASS;
}
