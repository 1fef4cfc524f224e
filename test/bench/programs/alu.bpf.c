// SPDX-License-Identifier: Apache-2.0 OR GPL-2.0-only
/* 64-bit and 32-bit arithmetic in registers: 500 rounds, seeded from the packet. */
#include "packet.h"

SEC("xdp")
int alu(struct xdp_md *ctx)
{
	__u64 *seed = data_of(ctx);
	__u64 x, sum = 0;
	__u32 low = 1;
	int i;

	if ((void *)(seed + 1) > end_of(ctx))
		return XDP_DROP;
	x = *seed | 1;
#pragma clang loop unroll(disable)
	for (i = 0; i < 500; i++) {
		x ^= x << 13;
		x ^= x >> 7;
		x ^= x << 17;
		low = low * 1664525 + (__u32)x;
		sum += x * 0x2545f4914f6cdd1dULL ^ low;
	}
	return (sum >> 32 ^ sum) & 1 ? XDP_PASS : XDP_TX;
}
