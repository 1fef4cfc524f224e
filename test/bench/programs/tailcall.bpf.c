// SPDX-License-Identifier: Apache-2.0 OR GPL-2.0-only
/* A chain of eight programs, each of which counts and tail-calls the next. */
#include "packet.h"

#define LENGTH 8

struct {
	__uint(type, BPF_MAP_TYPE_PROG_ARRAY);
	__uint(max_entries, LENGTH);
	__type(key, __u32);
	__type(value, __u32);
} chain SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, LENGTH);
	__type(key, __u32);
	__type(value, __u64);
} counts SEC(".maps");

static __always_inline int link(struct xdp_md *ctx, __u32 index)
{
	__u64 *count = bpf_map_lookup_elem(&counts, &index);

	if (count)
		*count += 1;
	bpf_tail_call(ctx, &chain, index + 1);
	return XDP_PASS;
}

#define LINK(name, index)                \
	SEC("xdp")                       \
	int name(struct xdp_md *ctx)     \
	{                                \
		return link(ctx, index); \
	}

LINK(tailcall, 0)
LINK(link_1, 1)
LINK(link_2, 2)
LINK(link_3, 3)
LINK(link_4, 4)
LINK(link_5, 5)
LINK(link_6, 6)
LINK(link_7, 7)
