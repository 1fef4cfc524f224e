// SPDX-License-Identifier: Apache-2.0 OR GPL-2.0-only
/*
 * A load balancer in the manner of Katran: connections that are known keep their server, others get
 * one from the virtual address's ring (Maglev hashing); the packet goes there in an IPv4 tunnel.
 */
#include "workload.h"

#define MAX_VIPS 8
#define MAX_REALS 256
/* Prime, as Maglev's tables are; of each virtual address. */
#define RING_SIZE 1021

struct real {
	__be32 daddr;
	__u8 dmac[ETH_ALEN];
	__u8 pad[2];
};

struct counts {
	__u64 packets;
	__u64 bytes;
};

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, MAX_VIPS);
	__type(key, struct vip);
	__type(value, __u32);
} vips SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, 4096);
	__type(key, struct flow);
	__type(value, __u32);
} connections SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, MAX_VIPS *RING_SIZE);
	__type(key, __u32);
	__type(value, __u32);
} rings SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, MAX_REALS);
	__type(key, __u32);
	__type(value, struct real);
} reals SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, MAX_VIPS);
	__type(key, __u32);
	__type(value, struct counts);
} stats SEC(".maps");

static __always_inline __u32 rotate(__u32 x, int by)
{
	return x << by | x >> (32 - by);
}

/* Bob Jenkins' final mix of three words (lookup3, public domain). */
static __always_inline __u32 mix(__u32 a, __u32 b, __u32 c)
{
	c ^= b;
	c -= rotate(b, 14);
	a ^= c;
	a -= rotate(c, 11);
	b ^= a;
	b -= rotate(a, 25);
	c ^= b;
	c -= rotate(b, 16);
	a ^= c;
	a -= rotate(c, 4);
	b ^= a;
	b -= rotate(a, 14);
	c ^= b;
	c -= rotate(b, 24);
	return c;
}

static __always_inline struct real *server_of(const struct flow *flow, __u32 vip)
{
	__u32 *known = bpf_map_lookup_elem(&connections, flow);
	__u32 *server;
	__u32 index;

	if (known) {
		index = *known;
		return bpf_map_lookup_elem(&reals, &index);
	}
	index = mix(flow->saddr, *(const __u32 *)&flow->ports, flow->protocol) % RING_SIZE;
	index += vip * RING_SIZE;
	server = bpf_map_lookup_elem(&rings, &index);
	if (!server)
		return 0;
	index = *server;
	bpf_map_update_elem(&connections, flow, &index, BPF_ANY);
	return bpf_map_lookup_elem(&reals, &index);
}

SEC("xdp")
int balancer(struct xdp_md *ctx)
{
	struct ethhdr *eth = data_of(ctx);
	struct iphdr *ip = (void *)(eth + 1);
	struct ports *ports = (void *)(ip + 1);
	struct flow flow = {};
	struct vip vip = {};
	struct counts *counts;
	struct real *real;
	__be32 client;
	__u16 bytes;
	__u32 *index;

	if ((void *)(ports + 1) > end_of(ctx) || eth->h_proto != bpf_htons(ETH_P_IP))
		return XDP_PASS;
	if (ip->ihl != 5 || ip->frag_off & bpf_htons(IP_FRAGMENT))
		return XDP_DROP;
	if (ip->protocol != IPPROTO_TCP && ip->protocol != IPPROTO_UDP)
		return XDP_PASS;
	vip.daddr = ip->daddr;
	vip.dport = ports->dest;
	vip.protocol = ip->protocol;
	index = bpf_map_lookup_elem(&vips, &vip);
	if (!index)
		return XDP_PASS;
	flow.saddr = ip->saddr;
	flow.daddr = ip->daddr;
	flow.ports = *ports;
	flow.protocol = ip->protocol;
	real = server_of(&flow, *index);
	if (!real)
		return XDP_DROP;
	bytes = bpf_ntohs(ip->tot_len);
	client = ip->saddr;
	counts = bpf_map_lookup_elem(&stats, index);
	if (counts) {
		counts->packets++;
		counts->bytes += bytes;
	}

	/* A source of its own for each client, so that the servers' queues get their share. */
	client = bpf_htonl(0xac100000) | (client & bpf_htonl(0xffff));
	if (encapsulate(ctx, real->dmac, client, real->daddr, bytes))
		return XDP_DROP;
	return XDP_TX;
}
