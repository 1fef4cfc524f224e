// SPDX-License-Identifier: Apache-2.0 OR GPL-2.0-only
/* xdp2 for devices without memory of each CPU: its counters are shared, and added to atomically. */
#include "count_shared.h"

SEC("xdp")
int xdp2_shared(struct xdp_md *ctx)
{
	struct ethhdr *eth = data_of(ctx);
	int protocol = protocol_of(ctx);

	if (protocol < 0)
		return XDP_DROP;
	count_shared(protocol);
	if (protocol != IPPROTO_UDP || (void *)(eth + 1) > end_of(ctx))
		return XDP_DROP;
	swap_macs(eth);
	return XDP_TX;
}
