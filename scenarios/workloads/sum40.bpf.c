// SPDX-License-Identifier: Apache-2.0 OR GPL-2.0-only
/* 40 calls of the checksum helper, dropped. */
#define CALLS 40
#include "sum.h"

SEC("xdp")
int sum40(struct xdp_md *ctx)
{
	return sums(ctx);
}
