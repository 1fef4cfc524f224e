// SPDX-License-Identifier: Apache-2.0 OR GPL-2.0-only
/* Jenkins' hash of the packet's flow under 32 seeds: rendezvous hashing over 32 servers. */
#include "packet.h"

SEC("xdp")
int jhash(struct xdp_md *ctx)
{
	__u32 best = 0, server = 0, i;
	struct flow flow;

	read_flow(ctx, &flow);
#pragma clang loop unroll(disable)
	for (i = 0; i < 32; i++) {
		__u32 score = hash_flow(&flow, i);

		if (score > best) {
			best = score;
			server = i;
		}
	}
	return server & 1 ? XDP_PASS : XDP_TX;
}
