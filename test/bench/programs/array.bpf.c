// SPDX-License-Identifier: Apache-2.0 OR GPL-2.0-only
/* Sixteen lookups in an array, as a table-driven classifier makes them. */
#include "packet.h"

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 256);
	__type(key, __u32);
	__type(value, __u32);
} table SEC(".maps");

SEC("xdp")
int array(struct xdp_md *ctx)
{
	__u8 *data = data_of(ctx);
	__u32 state = 0;
	int i;

	if (data + 16 > (__u8 *)end_of(ctx))
		return XDP_DROP;
#pragma clang loop unroll(disable)
	for (i = 0; i < 16; i++) {
		__u32 key = (state ^ data[i]) & 255;
		__u32 *next = bpf_map_lookup_elem(&table, &key);

		if (!next)
			return XDP_ABORTED;
		state += *next + 1;
	}
	return state & 1 ? XDP_PASS : XDP_TX;
}
