// SPDX-License-Identifier: Apache-2.0 OR GPL-2.0-only
/* One hash lookup with a key of 16 bytes. */
#define WORD __u64
#define KEY_WORDS 2
#include "lookup.h"

SEC("xdp")
int lookup16(struct xdp_md *ctx)
{
	return lookup(ctx);
}
