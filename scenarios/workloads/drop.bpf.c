// SPDX-License-Identifier: Apache-2.0 OR GPL-2.0-only
/* Drops every packet without looking at it. */
#include "workload.h"

SEC("xdp")
int drop(struct xdp_md *ctx)
{
	return XDP_DROP;
}
