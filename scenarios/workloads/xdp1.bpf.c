// SPDX-License-Identifier: Apache-2.0 OR GPL-2.0-only
/* Counts packets by IP protocol and drops them. */
#include "count.h"

SEC("xdp")
int xdp1(struct xdp_md *ctx)
{
	int protocol = protocol_of(ctx);

	if (protocol >= 0)
		count(protocol);
	return XDP_DROP;
}
