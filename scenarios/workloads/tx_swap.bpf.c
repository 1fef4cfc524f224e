// SPDX-License-Identifier: Apache-2.0 OR GPL-2.0-only
/* Swaps the MAC addresses and sends every packet back: hXDP's XDP_TX on x86. */
#include "workload.h"

SEC("xdp")
int tx_swap(struct xdp_md *ctx)
{
	struct ethhdr *eth = data_of(ctx);

	if ((void *)(eth + 1) > end_of(ctx))
		return XDP_DROP;
	swap_macs(eth);
	return XDP_TX;
}
