// SPDX-License-Identifier: Apache-2.0 OR GPL-2.0-only
/* 1 call of the checksum helper, dropped. */
#define CALLS 1
#include "sum.h"

SEC("xdp")
int sum1(struct xdp_md *ctx)
{
	return sums(ctx);
}
