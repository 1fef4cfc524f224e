// SPDX-License-Identifier: Apache-2.0 OR GPL-2.0-only
/* Packets by flow in a hash map of 4,096 flows; a new flow is added. */
#include "packet.h"

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 4096);
	__type(key, struct flow);
	__type(value, __u64);
} flows SEC(".maps");

SEC("xdp")
int hash(struct xdp_md *ctx)
{
	struct flow flow;
	__u64 *packets, one = 1;

	read_flow(ctx, &flow);
	packets = bpf_map_lookup_elem(&flows, &flow);
	if (packets)
		__sync_fetch_and_add(packets, 1);
	else
		bpf_map_update_elem(&flows, &flow, &one, BPF_NOEXIST);
	return XDP_PASS;
}
