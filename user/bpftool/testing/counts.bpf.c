// SPDX-License-Identifier: Apache-2.0
/* Maps and programs for bpftool to show: clang -O2 -g --target=bpf -c counts.bpf.c */
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

struct val {
	__u32 a;
	__u64 b[2];
	char name[8];
};

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 16);
	__type(key, __u32);
	__type(value, struct val);
} counts SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 2);
	__type(key, __u32);
	__type(value, __u64);
} percpu SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_PROG_ARRAY);
	__uint(max_entries, 2);
	__type(key, __u32);
	__type(value, __u32);
} jumps SEC(".maps");

int limit = 5;

static __noinline int length(struct xdp_md *ctx)
{
	return ctx->data_end - ctx->data;
}

SEC("xdp")
int pass(struct xdp_md *ctx)
{
	__u32 key = 0;
	__u64 *count = bpf_map_lookup_elem(&percpu, &key);

	if (count)
		*count += 1;
	if (length(ctx) > limit)
		bpf_tail_call(ctx, &jumps, 0);
	return bpf_map_lookup_elem(&counts, &key) ? XDP_DROP : XDP_PASS;
}

char _license[] SEC("license") = "GPL";
