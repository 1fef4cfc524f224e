// SPDX-License-Identifier: Apache-2.0 OR GPL-2.0-only
/* 64 calls of a subprogram that calls another: what BPF-to-BPF calls cost. */
#include "packet.h"

static __noinline __u32 step(__u32 x, __u32 y)
{
	return rotate(x, 5) ^ y * 0x9e3779b1;
}

static __noinline __u32 mix(__u32 x, __u32 round)
{
	return step(x, round) + step(round, x);
}

SEC("xdp")
int calls(struct xdp_md *ctx)
{
	__u32 *seed = data_of(ctx);
	__u32 x, i;

	if ((void *)(seed + 1) > end_of(ctx))
		return XDP_DROP;
	x = *seed;
#pragma clang loop unroll(disable)
	for (i = 0; i < 64; i++)
		x = mix(x, i);
	return x & 1 ? XDP_PASS : XDP_TX;
}
