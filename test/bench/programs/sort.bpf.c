// SPDX-License-Identifier: Apache-2.0 OR GPL-2.0-only
/* Sorts 16 bytes of the packet on the stack by insertion: memory and unpredictable branches. */
#include "packet.h"

#define COUNT 16

SEC("xdp")
int sort(struct xdp_md *ctx)
{
	__u8 *data = data_of(ctx);
	__u32 sorted[COUNT];
	__u32 i, j;

	if (data + COUNT > (__u8 *)end_of(ctx))
		return XDP_DROP;
#pragma clang loop unroll(disable)
	for (i = 0; i < COUNT; i++) {
		__u32 value = data[i];

#pragma clang loop unroll(disable)
		for (j = i; j > 0 && j < COUNT; j--) {
			if (sorted[j - 1] <= value)
				break;
			sorted[j] = sorted[j - 1];
		}
		sorted[j & (COUNT - 1)] = value;
	}
	return sorted[COUNT / 2] & 1 ? XDP_PASS : XDP_TX;
}
