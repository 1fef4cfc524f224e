// SPDX-License-Identifier: Apache-2.0 OR GPL-2.0-only
/* Drops every packet once its Ethernet type has been read. */
#include "workload.h"

SEC("xdp")
int drop_read(struct xdp_md *ctx)
{
	struct ethhdr *eth = data_of(ctx);

	if ((void *)(eth + 1) > end_of(ctx))
		return XDP_ABORTED;
	return eth->h_proto == bpf_htons(ETH_P_LOOPBACK) ? XDP_PASS : XDP_DROP;
}
