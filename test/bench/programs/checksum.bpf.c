// SPDX-License-Identifier: Apache-2.0 OR GPL-2.0-only
/* The Internet checksum (RFC 1071) of the whole frame, 16 bits at a time. */
#include "packet.h"

SEC("xdp")
int checksum(struct xdp_md *ctx)
{
	__u16 *word = data_of(ctx);
	void *end = end_of(ctx);
	__u64 sum = 0;
	int i;

#pragma clang loop unroll(disable)
	for (i = 0; i < 757; i++) {
		if ((void *)(word + 1) > end)
			break;
		sum += *word++;
	}
	sum = (sum & 0xffff) + (sum >> 16);
	sum = (sum & 0xffff) + (sum >> 16);
	return (__u16)~sum & 1 ? XDP_PASS : XDP_TX;
}
