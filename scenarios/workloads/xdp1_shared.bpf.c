// SPDX-License-Identifier: Apache-2.0 OR GPL-2.0-only
/* xdp1 for devices without memory of each CPU: its counters are shared, and added to atomically. */
#include "count_shared.h"

SEC("xdp")
int xdp1_shared(struct xdp_md *ctx)
{
	int protocol = protocol_of(ctx);

	if (protocol >= 0)
		count_shared(protocol);
	return XDP_DROP;
}
