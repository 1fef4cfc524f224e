// SPDX-License-Identifier: Apache-2.0 OR GPL-2.0-only
/* 40 calls of the checksum helper. */
#define CALLS 40
#include "csum.h"

SEC("xdp")
int csum40(struct xdp_md *ctx)
{
	return checksum(ctx);
}
