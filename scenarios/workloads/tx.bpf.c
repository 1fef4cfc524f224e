// SPDX-License-Identifier: Apache-2.0 OR GPL-2.0-only
/* Sends every packet back out of the port that it came in by. */
#include "workload.h"

SEC("xdp")
int tx(struct xdp_md *ctx)
{
	return XDP_TX;
}
