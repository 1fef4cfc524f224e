/* SPDX-License-Identifier: Apache-2.0 OR GPL-2.0-only */
/* What the workloads share: headers, the packet's bounds, checksums as RFC 1624 updates them. */
#ifndef SKEP_WORKLOAD_H
#define SKEP_WORKLOAD_H

#include <linux/bpf.h>
#include <linux/if_ether.h>
#include <linux/in.h>
#include <linux/ip.h>
#include <linux/ipv6.h>
#include <linux/tcp.h>
#include <linux/udp.h>
#include <bpf/bpf_endian.h>
#include <bpf/bpf_helpers.h>

#define IP_FRAGMENT 0x3fff

struct vlan_tag {
	__be16 tci;
	__be16 inner_type;
};

struct ports {
	__be16 source;
	__be16 dest;
};

/* A virtual address: what clients take for the server. */
struct vip {
	__be32 daddr;
	__be16 dport;
	__u8 protocol;
	__u8 pad;
};

/* An IPv4 flow as maps know it. */
struct flow {
	__be32 saddr;
	__be32 daddr;
	struct ports ports;
	__u32 protocol;
};

static __always_inline void *data_of(struct xdp_md *ctx)
{
	return (void *)(long)ctx->data;
}

static __always_inline void *end_of(struct xdp_md *ctx)
{
	return (void *)(long)ctx->data_end;
}

static __always_inline void swap_macs(struct ethhdr *eth)
{
	__u16 *words = (void *)eth;
	__u16 w0 = words[0], w1 = words[1], w2 = words[2];

	words[0] = words[3];
	words[1] = words[4];
	words[2] = words[5];
	words[3] = w0;
	words[4] = w1;
	words[5] = w2;
}

static __always_inline void set_macs(struct ethhdr *eth, const __u8 *dest, const __u8 *source)
{
	__builtin_memcpy(eth->h_dest, dest, ETH_ALEN);
	__builtin_memcpy(eth->h_source, source, ETH_ALEN);
}

/* Fold a sum of 16-bit words to the checksum. */
static __always_inline __u16 fold(__u32 sum)
{
	sum = (sum & 0xffff) + (sum >> 16);
	sum = (sum & 0xffff) + (sum >> 16);
	return ~sum;
}

/* The checksum once a 32-bit word it covers is another. */
static __always_inline __u16 replaced(__u16 check, __be32 before, __be32 after)
{
	__u32 sum = (__u16)~check;

	sum += (__u16)~before;
	sum += (__u16) ~(before >> 16);
	sum += (__u16)after;
	sum += after >> 16;
	return fold(sum);
}

/* One hop less to live: the checksum's word is the high byte of TTL and protocol. */
static __always_inline void decrease_ttl(struct iphdr *ip)
{
	__u32 check = ip->check;

	check += bpf_htons(0x0100);
	ip->check = check + (check >= 0xffff);
	ip->ttl--;
}

/* The checksum of a header without options. */
static __always_inline __u16 header_check(const struct iphdr *ip)
{
	const __u16 *words = (const void *)ip;
	__u32 sum = 0;

#pragma unroll
	for (int i = 0; i < (int)(sizeof(*ip) / 2); i++)
		sum += words[i];
	return fold(sum);
}

/* The packet in an IPv4 tunnel (RFC 2003); -1 if there is no room for the header. */
static __always_inline int encapsulate(struct xdp_md *ctx, const __u8 *dmac, __be32 saddr,
				       __be32 daddr, __u16 inner_bytes)
{
	struct ethhdr *eth, *old;
	struct iphdr *ip;

	if (bpf_xdp_adjust_head(ctx, -(int)sizeof(struct iphdr)))
		return -1;
	eth = data_of(ctx);
	ip = (void *)(eth + 1);
	old = (void *)eth + sizeof(*ip);
	if ((void *)(old + 1) > end_of(ctx) || (void *)(ip + 1) > end_of(ctx))
		return -1;
	set_macs(eth, dmac, old->h_dest);
	eth->h_proto = bpf_htons(ETH_P_IP);
	ip->version = 4;
	ip->ihl = sizeof(*ip) / 4;
	ip->tos = 0;
	ip->tot_len = bpf_htons(inner_bytes + sizeof(*ip));
	ip->id = 0;
	ip->frag_off = 0;
	ip->ttl = 64;
	ip->protocol = IPPROTO_IPIP;
	ip->check = 0;
	ip->saddr = saddr;
	ip->daddr = daddr;
	ip->check = header_check(ip);
	return 0;
}

#endif
