// SPDX-License-Identifier: Apache-2.0 OR GPL-2.0-only
/* 10 calls of the checksum helper, dropped. */
#define CALLS 10
#include "sum.h"

SEC("xdp")
int sum10(struct xdp_md *ctx)
{
	return sums(ctx);
}
