// SPDX-License-Identifier: Apache-2.0 OR GPL-2.0-only
/* Drops one packet in sixteen, by chance: for which the card has no hardware. */
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

SEC("xdp")
int random_drop(struct xdp_md *ctx)
{
	if (bpf_get_prandom_u32() % 16 == 0)
		return XDP_DROP;
	return XDP_PASS;
}

char LICENSE[] SEC("license") = "Dual BSD/GPL";
