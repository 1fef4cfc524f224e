// SPDX-License-Identifier: Apache-2.0
/* An iterator for `bpftool iter pin`: clang -O2 -g --target=bpf -c maps_iter.bpf.c */
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_tracing.h>

#define CORE __attribute__((preserve_access_index))

struct seq_file;
struct bpf_iter_meta {
	struct seq_file *seq;
} CORE;
struct bpf_map {
	char name[16];
	__u32 max_entries;
} CORE;
struct bpf_iter__bpf_map {
	struct bpf_iter_meta *meta;
	struct bpf_map *map;
} CORE;

SEC("iter/bpf_map")
int dump(struct bpf_iter__bpf_map *ctx)
{
	struct seq_file *seq = ctx->meta->seq;
	struct bpf_map *map = ctx->map;

	if (map)
		BPF_SEQ_PRINTF(seq, "%s %d\n", map->name, map->max_entries);
	return 0;
}

char _license[] SEC("license") = "GPL";
