// SPDX-License-Identifier: Apache-2.0 OR GPL-2.0-only
/* One hash lookup with a key of 4 bytes. */
#define WORD __u32
#define KEY_WORDS 1
#include "lookup.h"

SEC("xdp")
int lookup4(struct xdp_md *ctx)
{
	return lookup(ctx);
}
