/* SPDX-License-Identifier: Apache-2.0 OR GPL-2.0-only */
/* CALLS calls of the checksum helper over the IPv4 header. */
#include "workload.h"

static __always_inline int checksum(struct xdp_md *ctx)
{
	struct iphdr *ip = data_of(ctx) + sizeof(struct ethhdr);
	__s64 sum = 0;

	if ((void *)(ip + 1) > end_of(ctx))
		return XDP_ABORTED;
#pragma unroll
	for (int i = 0; i < CALLS; i++)
		sum = bpf_csum_diff(0, 0, (void *)ip, sizeof(*ip), sum);
	return sum ? XDP_TX : XDP_DROP;
}
