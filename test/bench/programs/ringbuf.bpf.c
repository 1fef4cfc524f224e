// SPDX-License-Identifier: Apache-2.0 OR GPL-2.0-only
/* An event of 24 bytes for every packet into a ring buffer. */
#include "packet.h"

struct event {
	__u64 time_ns;
	struct flow flow;
};

struct {
	__uint(type, BPF_MAP_TYPE_RINGBUF);
	__uint(max_entries, 1 << 16);
} events SEC(".maps");

SEC("xdp")
int ringbuf(struct xdp_md *ctx)
{
	struct event *event = bpf_ringbuf_reserve(&events, sizeof(*event), 0);

	if (!event)
		return XDP_ABORTED;
	event->time_ns = bpf_ktime_get_ns();
	read_flow(ctx, &event->flow);
	bpf_ringbuf_submit(event, BPF_RB_NO_WAKEUP);
	return XDP_PASS;
}
