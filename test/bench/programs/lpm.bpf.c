// SPDX-License-Identifier: Apache-2.0 OR GPL-2.0-only
/* The next hop for an IPv4 destination: longest prefix match. */
#include "packet.h"

struct prefix {
	__u32 length;
	__be32 address;
};

struct {
	__uint(type, BPF_MAP_TYPE_LPM_TRIE);
	__uint(max_entries, 1024);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, struct prefix);
	__type(value, __u32);
} routes SEC(".maps");

SEC("xdp")
int lpm(struct xdp_md *ctx)
{
	struct prefix prefix = { .length = 32 };
	struct flow flow;
	__u32 *hop;

	read_flow(ctx, &flow);
	prefix.address = flow.daddr;
	hop = bpf_map_lookup_elem(&routes, &prefix);
	return hop && *hop ? XDP_TX : XDP_PASS;
}
