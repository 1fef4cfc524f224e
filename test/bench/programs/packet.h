/* SPDX-License-Identifier: Apache-2.0 OR GPL-2.0-only */
/* What the programs of the bench share: headers, the packet's bounds, Jenkins' hash. */
#ifndef SKEP_BENCH_PACKET_H
#define SKEP_BENCH_PACKET_H

#include <linux/bpf.h>
#include <linux/if_ether.h>
#include <linux/in.h>
#include <linux/ip.h>
#include <linux/ipv6.h>
#include <bpf/bpf_endian.h>
#include <bpf/bpf_helpers.h>

struct vlan_tag {
	__be16 tci;
	__be16 protocol;
};

struct ports {
	__be16 source;
	__be16 dest;
};

/* An IPv4 flow; what is not IPv4 has zeroes. */
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

static __always_inline void read_flow(struct xdp_md *ctx, struct flow *flow)
{
	struct ethhdr *eth = data_of(ctx);
	struct iphdr *ip = (void *)(eth + 1);
	struct ports *ports = (void *)(ip + 1);

	__builtin_memset(flow, 0, sizeof(*flow));
	if ((void *)(ports + 1) > end_of(ctx) || eth->h_proto != bpf_htons(ETH_P_IP))
		return;
	flow->saddr = ip->saddr;
	flow->daddr = ip->daddr;
	flow->protocol = ip->protocol;
	if (ip->ihl == 5)
		flow->ports = *ports;
}

static __always_inline __u32 rotate(__u32 x, int by)
{
	return x << by | x >> (32 - by);
}

/* The last round of Bob Jenkins' lookup3, over three words (burtleburtle.net/bob/c/lookup3.c). */
static __always_inline __u32 hash_words(__u32 a, __u32 b, __u32 c)
{
	c = (c ^ b) - rotate(b, 14);
	a = (a ^ c) - rotate(c, 11);
	b = (b ^ a) - rotate(a, 25);
	c = (c ^ b) - rotate(b, 16);
	a = (a ^ c) - rotate(c, 4);
	b = (b ^ a) - rotate(a, 14);
	return (c ^ b) - rotate(b, 24);
}

static __always_inline __u32 hash_flow(const struct flow *flow, __u32 seed)
{
	__u32 ports = (__u32)flow->ports.source << 16 | flow->ports.dest;

	return hash_words(flow->saddr + seed, flow->daddr + flow->protocol, ports + seed);
}

char LICENSE[] SEC("license") = "Dual BSD/GPL";

#endif
