// SPDX-License-Identifier: Apache-2.0 OR GPL-2.0-only
/* One element with a key of 4 bytes, found and counted. */
#define WORD __u32
#define KEY_WORDS 1
#include "hit.h"

SEC("xdp")
int hit4(struct xdp_md *ctx)
{
	return hit(ctx);
}
