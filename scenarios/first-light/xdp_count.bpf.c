// SPDX-License-Identifier: Apache-2.0 OR GPL-2.0-only
/*
 * Counts what arrives at an interface, by protocol and by sender, reports every TCP connection
 * attempt, and drops what is sent to one blocked port.
 */
#include <linux/bpf.h>
#include <linux/if_ether.h>
#include <linux/in.h>
#include <linux/ip.h>
#include <linux/ipv6.h>
#include <linux/tcp.h>
#include <linux/udp.h>
#include <bpf/bpf_endian.h>
#include <bpf/bpf_helpers.h>

/* 802.1Q allows one tag, 802.1ad two; a longer stack is not worth following. */
#define MAX_TAGS 2
/* Extension headers followed on the way to the transport header of IPv6. */
#define MAX_EXTENSIONS 6

#define IP_FRAGMENT_OFFSET 0x1fff
#define IP6_FRAGMENT_OFFSET 0xfff8

enum protocol {
	PROTO_OTHER,
	PROTO_ARP,
	PROTO_VLAN,
	PROTO_IPV4,
	PROTO_IPV6,
	PROTO_TCP,
	PROTO_UDP,
	PROTO_ICMP,
	PROTO_COUNT,
};

struct counter {
	__u64 packets;
	__u64 bytes;
};

/* IPv4 addresses as IPv6 has them: ::ffff:a.b.c.d. */
struct address {
	__u32 words[4];
};

struct syn_event {
	__u64 time_ns;
	struct address source;
	struct address destination;
	__u16 source_port;
	__u16 destination_port;
	__u16 vlan;
	__u8 blocked;
	__u8 pad;
};

struct vlan_tag {
	__be16 tci;
	__be16 inner_type;
};

struct ipv6_extension {
	__u8 next;
	__u8 length;
	__be16 fragment;
	__be32 rest;
};

/* Where the parser stands in the packet, and what it has found so far. */
struct cursor {
	void *at;
	void *end;
	__u32 bytes;
	__u16 type;
	__u16 vlan;
	__u8 transport;
	__u8 later_fragment;
	struct address source;
	struct address destination;
};

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, PROTO_COUNT);
	__type(key, __u32);
	__type(value, struct counter);
} protocols SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 1024);
	__type(key, struct address);
	__type(value, struct counter);
} sources SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_RINGBUF);
	__uint(max_entries, 64 * 1024);
} syns SEC(".maps");

/* .rodata: fixed before the program is loaded. */
const volatile __u8 report_syns = 1;
/* .data: may be changed while it runs. */
__u16 blocked_port = 2323;
/* .bss */
__u64 blocked_packets;

static __noinline void count(__u32 protocol, __u32 bytes)
{
	struct counter *counter = bpf_map_lookup_elem(&protocols, &protocol);

	if (!counter)
		return;
	/* This CPU's own: no other one writes it. */
	counter->packets++;
	counter->bytes += bytes;
}

static __noinline void count_source(const struct address *source, __u32 bytes)
{
	struct counter *counter = bpf_map_lookup_elem(&sources, source);
	struct counter first = { .packets = 1, .bytes = bytes };

	if (counter) {
		__sync_fetch_and_add(&counter->packets, 1);
		__sync_fetch_and_add(&counter->bytes, bytes);
		return;
	}
	/* When another CPU has been quicker with a new sender, one packet goes uncounted. */
	bpf_map_update_elem(&sources, source, &first, BPF_NOEXIST);
}

static __always_inline int parse_ethernet(struct cursor *cursor)
{
	struct ethhdr *eth = cursor->at;

	if ((void *)(eth + 1) > cursor->end)
		return -1;
	cursor->at = eth + 1;
	cursor->type = bpf_ntohs(eth->h_proto);

#pragma clang loop unroll(disable)
	for (int i = 0; i < MAX_TAGS; i++) {
		struct vlan_tag *tag = cursor->at;

		if (cursor->type != ETH_P_8021Q && cursor->type != ETH_P_8021AD)
			break;
		if ((void *)(tag + 1) > cursor->end)
			return -1;
		cursor->vlan = bpf_ntohs(tag->tci) & 0xfff;
		cursor->type = bpf_ntohs(tag->inner_type);
		cursor->at = tag + 1;
	}
	if (cursor->vlan)
		count(PROTO_VLAN, cursor->bytes);
	return 0;
}

static __always_inline int parse_ipv4(struct cursor *cursor)
{
	struct iphdr *ip = cursor->at;
	__u32 length;

	if ((void *)(ip + 1) > cursor->end)
		return -1;
	length = ip->ihl * 4;
	if (length < sizeof(*ip))
		return -1;
	cursor->transport = ip->protocol;
	cursor->later_fragment = (bpf_ntohs(ip->frag_off) & IP_FRAGMENT_OFFSET) != 0;
	cursor->source.words[2] = bpf_htonl(0xffff);
	cursor->source.words[3] = ip->saddr;
	cursor->destination.words[2] = bpf_htonl(0xffff);
	cursor->destination.words[3] = ip->daddr;
	cursor->at += length;
	count(PROTO_IPV4, cursor->bytes);
	return 0;
}

static __always_inline int parse_ipv6(struct cursor *cursor)
{
	struct ipv6hdr *ip6 = cursor->at;

	if ((void *)(ip6 + 1) > cursor->end)
		return -1;
	cursor->transport = ip6->nexthdr;
	__builtin_memcpy(&cursor->source, &ip6->saddr, sizeof(cursor->source));
	__builtin_memcpy(&cursor->destination, &ip6->daddr, sizeof(cursor->destination));
	cursor->at = ip6 + 1;

#pragma clang loop unroll(disable)
	for (int i = 0; i < MAX_EXTENSIONS; i++) {
		struct ipv6_extension *extension = cursor->at;
		__u32 length;

		if (cursor->transport != IPPROTO_HOPOPTS && cursor->transport != IPPROTO_ROUTING &&
		    cursor->transport != IPPROTO_DSTOPTS && cursor->transport != IPPROTO_FRAGMENT)
			break;
		if ((void *)(extension + 1) > cursor->end)
			return -1;
		length = (extension->length + 1) * 8;
		if (cursor->transport == IPPROTO_FRAGMENT) {
			cursor->later_fragment =
				(bpf_ntohs(extension->fragment) & IP6_FRAGMENT_OFFSET) != 0;
			length = sizeof(*extension);
		}
		cursor->transport = extension->next;
		cursor->at += length;
		if (cursor->later_fragment)
			break;
	}
	count(PROTO_IPV6, cursor->bytes);
	return 0;
}

static __always_inline void report_syn(const struct cursor *cursor, __u16 from, __u16 to)
{
	struct syn_event *event = bpf_ringbuf_reserve(&syns, sizeof(*event), 0);

	if (!event)
		return;
	event->time_ns = bpf_ktime_get_ns();
	event->source = cursor->source;
	event->destination = cursor->destination;
	event->source_port = from;
	event->destination_port = to;
	event->vlan = cursor->vlan;
	event->blocked = to == blocked_port;
	event->pad = 0;
	bpf_ringbuf_submit(event, 0);
}

static __always_inline int parse_transport(struct cursor *cursor)
{
	struct tcphdr *tcp = cursor->at;
	struct udphdr *udp = cursor->at;
	__u16 port;

	switch (cursor->transport) {
	case IPPROTO_TCP:
		count(PROTO_TCP, cursor->bytes);
		if (cursor->later_fragment)
			return XDP_PASS;
		if ((void *)(tcp + 1) > cursor->end)
			return XDP_PASS;
		port = bpf_ntohs(tcp->dest);
		if (report_syns && tcp->syn && !tcp->ack)
			report_syn(cursor, bpf_ntohs(tcp->source), port);
		break;
	case IPPROTO_UDP:
		count(PROTO_UDP, cursor->bytes);
		if (cursor->later_fragment)
			return XDP_PASS;
		if ((void *)(udp + 1) > cursor->end)
			return XDP_PASS;
		port = bpf_ntohs(udp->dest);
		break;
	case IPPROTO_ICMP:
	case IPPROTO_ICMPV6:
		count(PROTO_ICMP, cursor->bytes);
		return XDP_PASS;
	default:
		count(PROTO_OTHER, cursor->bytes);
		return XDP_PASS;
	}
	if (port != blocked_port)
		return XDP_PASS;
	__sync_fetch_and_add(&blocked_packets, 1);
	return XDP_DROP;
}

SEC("xdp")
int xdp_count(struct xdp_md *ctx)
{
	struct cursor cursor = {
		.at = (void *)(long)ctx->data,
		.end = (void *)(long)ctx->data_end,
		.bytes = ctx->data_end - ctx->data,
	};

	if (parse_ethernet(&cursor) < 0)
		return XDP_PASS;
	switch (cursor.type) {
	case ETH_P_IP:
		if (parse_ipv4(&cursor) < 0)
			return XDP_PASS;
		break;
	case ETH_P_IPV6:
		if (parse_ipv6(&cursor) < 0)
			return XDP_PASS;
		break;
	case ETH_P_ARP:
		count(PROTO_ARP, cursor.bytes);
		return XDP_PASS;
	default:
		count(PROTO_OTHER, cursor.bytes);
		return XDP_PASS;
	}
	count_source(&cursor.source, cursor.bytes);
	return parse_transport(&cursor);
}

char LICENSE[] SEC("license") = "GPL";
