// SPDX-License-Identifier: Apache-2.0 OR GPL-2.0-only
/* Counts packets by IP protocol and sends those of UDP back to their senders. */
#include "count.h"

SEC("xdp")
int xdp2(struct xdp_md *ctx)
{
	struct ethhdr *eth = data_of(ctx);
	int protocol = protocol_of(ctx);

	if (protocol < 0)
		return XDP_DROP;
	count(protocol);
	if (protocol != IPPROTO_UDP || (void *)(eth + 1) > end_of(ctx))
		return XDP_DROP;
	swap_macs(eth);
	return XDP_TX;
}
