// SPDX-License-Identifier: Apache-2.0 OR GPL-2.0-only
/*
 * Answers IPv4 packets that are too big with ICMP "fragmentation needed": the packet is cut behind
 * its first bytes, and an ICMP and an IP header are put in front of them.
 */
#include "workload.h"

#define MAX_PACKET_BYTES 600
#define NEXT_HOP_MTU 576
/* What an ICMP error quotes: the IP header and eight bytes (RFC 792). */
#define QUOTED_BYTES (sizeof(struct iphdr) + 8)
#define ADDED_BYTES (sizeof(struct iphdr) + sizeof(struct icmp_error))
#define CUT_BYTES (sizeof(struct ethhdr) + QUOTED_BYTES)

#define ICMP_DEST_UNREACH 3
#define ICMP_FRAG_NEEDED 4

/* RFC 1191. */
struct icmp_error {
	__u8 type;
	__u8 code;
	__sum16 checksum;
	__be16 unused;
	__be16 mtu;
};

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, __u64);
} sent SEC(".maps");

static __always_inline int answer(struct xdp_md *ctx, int bytes)
{
	struct ethhdr *eth, *old;
	struct icmp_error *icmp;
	struct iphdr *ip, *quoted;
	__u32 key = 0;
	__u64 *count;
	__s64 sum;

	if (bpf_xdp_adjust_tail(ctx, (int)CUT_BYTES - bytes))
		return XDP_DROP;
	if (bpf_xdp_adjust_head(ctx, -(int)ADDED_BYTES))
		return XDP_DROP;
	eth = data_of(ctx);
	ip = (void *)(eth + 1);
	icmp = (void *)(ip + 1);
	quoted = (void *)(icmp + 1);
	old = (void *)eth + ADDED_BYTES;
	if ((void *)quoted + QUOTED_BYTES > end_of(ctx))
		return XDP_DROP;

	/* The old Ethernet header lies where the ICMP header will be. */
	set_macs(eth, old->h_source, old->h_dest);
	eth->h_proto = bpf_htons(ETH_P_IP);

	__builtin_memset(icmp, 0, sizeof(*icmp));
	icmp->type = ICMP_DEST_UNREACH;
	icmp->code = ICMP_FRAG_NEEDED;
	icmp->mtu = bpf_htons(NEXT_HOP_MTU);
	sum = bpf_csum_diff(0, 0, (void *)icmp, sizeof(*icmp) + QUOTED_BYTES, 0);
	icmp->checksum = fold(sum);

	__builtin_memset(ip, 0, sizeof(*ip));
	ip->version = 4;
	ip->ihl = sizeof(*ip) / 4;
	ip->tot_len = bpf_htons(ADDED_BYTES + QUOTED_BYTES);
	ip->ttl = 64;
	ip->protocol = IPPROTO_ICMP;
	ip->saddr = quoted->daddr;
	ip->daddr = quoted->saddr;
	ip->check = header_check(ip);

	count = bpf_map_lookup_elem(&sent, &key);
	if (count)
		__sync_fetch_and_add(count, 1);
	return XDP_TX;
}

SEC("xdp")
int adjust_tail(struct xdp_md *ctx)
{
	struct ethhdr *eth = data_of(ctx);
	struct iphdr *ip = (void *)(eth + 1);
	int bytes = end_of(ctx) - data_of(ctx);

	if ((void *)(ip + 1) > end_of(ctx) || eth->h_proto != bpf_htons(ETH_P_IP))
		return XDP_PASS;
	if (bytes <= MAX_PACKET_BYTES)
		return XDP_PASS;
	return answer(ctx, bytes);
}
