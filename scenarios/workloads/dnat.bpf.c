// SPDX-License-Identifier: Apache-2.0 OR GPL-2.0-only
/* Gives UDP and TCP packets to a public address and port another destination, and fixes checksums. */
#include "workload.h"

struct service {
	__be32 daddr;
	__be16 dport;
	__u16 protocol;
};

struct target {
	__be32 daddr;
	__be16 dport;
	__u8 dmac[ETH_ALEN];
};

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 1024);
	__type(key, struct service);
	__type(value, struct target);
} services SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, __u64);
} translated SEC(".maps");

SEC("xdp")
int dnat(struct xdp_md *ctx)
{
	struct ethhdr *eth = data_of(ctx);
	struct iphdr *ip = (void *)(eth + 1);
	void *transport = ip + 1;
	struct ports *ports = transport;
	struct service service = {};
	struct target *target;
	__u32 key = 0;
	__u64 *packets;
	__u16 *check;

	if ((void *)(ports + 1) > end_of(ctx) || eth->h_proto != bpf_htons(ETH_P_IP))
		return XDP_PASS;
	if (ip->ihl != 5 || ip->frag_off & bpf_htons(IP_FRAGMENT))
		return XDP_PASS;
	if (ip->protocol == IPPROTO_TCP)
		check = &((struct tcphdr *)transport)->check;
	else if (ip->protocol == IPPROTO_UDP)
		check = &((struct udphdr *)transport)->check;
	else
		return XDP_PASS;
	if ((void *)(check + 1) > end_of(ctx))
		return XDP_PASS;
	service.daddr = ip->daddr;
	service.dport = ports->dest;
	service.protocol = ip->protocol;
	target = bpf_map_lookup_elem(&services, &service);
	if (!target)
		return XDP_PASS;

	/* No checksum at all is UDP's right, over IPv4. */
	if (ip->protocol == IPPROTO_TCP || *check) {
		*check = replaced(*check, service.daddr, target->daddr);
		*check = replaced(*check, service.dport, target->dport);
	}
	ip->check = replaced(ip->check, service.daddr, target->daddr);
	ip->daddr = target->daddr;
	ports->dest = target->dport;
	decrease_ttl(ip);
	set_macs(eth, target->dmac, eth->h_dest);
	packets = bpf_map_lookup_elem(&translated, &key);
	if (packets)
		*packets += 1;
	return XDP_TX;
}
