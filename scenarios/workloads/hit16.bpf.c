// SPDX-License-Identifier: Apache-2.0 OR GPL-2.0-only
/* One element with a key of 16 bytes, found and counted. */
#define WORD __u64
#define KEY_WORDS 2
#include "hit.h"

SEC("xdp")
int hit16(struct xdp_md *ctx)
{
	return hit(ctx);
}
