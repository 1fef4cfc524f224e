// SPDX-License-Identifier: Apache-2.0 OR GPL-2.0-only
/* Sends every packet out of another interface. */
#include "workload.h"

#define OUT_IFINDEX 2

SEC("xdp")
int redirect(struct xdp_md *ctx)
{
	return bpf_redirect(OUT_IFINDEX, 0);
}
