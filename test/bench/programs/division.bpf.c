// SPDX-License-Identifier: Apache-2.0 OR GPL-2.0-only
/* 64-bit division and remainder, by variables and by constants: rates over 64 intervals. */
#include "packet.h"

SEC("xdp")
int division(struct xdp_md *ctx)
{
	__u32 *word = data_of(ctx);
	__u64 bytes, interval, rate = 0, buckets = 0;
	int i;

	if ((void *)(word + 2) > end_of(ctx))
		return XDP_DROP;
	bytes = word[0];
	interval = word[1] | 1;
#pragma clang loop unroll(disable)
	for (i = 0; i < 64; i++) {
		rate += bytes * 1000000 / interval;
		buckets += bytes % 251;
		bytes += interval / 10;
		interval = interval * 3 + 1;
	}
	return (rate ^ buckets) & 1 ? XDP_PASS : XDP_TX;
}
