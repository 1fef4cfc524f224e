// SPDX-License-Identifier: Apache-2.0 OR GPL-2.0-only
/* A load balancer's choice: hash of the flow, Maglev's table (NSDI 2016), then the server. */
#include "packet.h"

/* A prime, as the paper wants it; its small table. */
#define TABLE_SIZE 65537
#define SERVERS 64

struct server {
	__u8 mac[ETH_ALEN];
	__u16 enabled;
	__u64 packets;
};

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, TABLE_SIZE);
	__type(key, __u32);
	__type(value, __u32);
} table SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, SERVERS);
	__type(key, __u32);
	__type(value, struct server);
} servers SEC(".maps");

SEC("xdp")
int maglev(struct xdp_md *ctx)
{
	struct ethhdr *eth = data_of(ctx);
	struct server *server;
	struct flow flow;
	__u32 key, *index;

	if ((void *)(eth + 1) > end_of(ctx))
		return XDP_DROP;
	read_flow(ctx, &flow);
	key = hash_flow(&flow, 0) % TABLE_SIZE;
	index = bpf_map_lookup_elem(&table, &key);
	if (!index)
		return XDP_ABORTED;
	server = bpf_map_lookup_elem(&servers, index);
	if (!server || !server->enabled)
		return XDP_PASS;
	server->packets++;
	__builtin_memcpy(eth->h_dest, server->mac, ETH_ALEN);
	return XDP_TX;
}
