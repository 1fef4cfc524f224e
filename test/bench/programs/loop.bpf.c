// SPDX-License-Identifier: Apache-2.0 OR GPL-2.0-only
/* bpf_loop: 100 rounds of a callback that mixes a hash. */
#include "packet.h"

struct state {
	__u32 hash;
	__u32 seed;
};

static long mix(__u32 round, struct state *state)
{
	state->hash = hash_words(state->hash, round, state->seed);
	return 0;
}

SEC("xdp")
int loop(struct xdp_md *ctx)
{
	struct state state = { 0, 1 };
	__u32 *seed = data_of(ctx);

	if ((void *)(seed + 1) > end_of(ctx))
		return XDP_DROP;
	state.seed = *seed;
	bpf_loop(100, mix, &state, 0);
	return state.hash & 1 ? XDP_PASS : XDP_TX;
}
