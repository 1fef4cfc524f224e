// SPDX-License-Identifier: Apache-2.0 OR GPL-2.0-only
/* 10 calls of the checksum helper. */
#define CALLS 10
#include "csum.h"

SEC("xdp")
int csum10(struct xdp_md *ctx)
{
	return checksum(ctx);
}
