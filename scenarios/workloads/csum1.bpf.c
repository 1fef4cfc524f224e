// SPDX-License-Identifier: Apache-2.0 OR GPL-2.0-only
/* 1 call of the checksum helper. */
#define CALLS 1
#include "csum.h"

SEC("xdp")
int csum1(struct xdp_md *ctx)
{
	return checksum(ctx);
}
