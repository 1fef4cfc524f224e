/* See bloom.c. */
#ifndef SKEP_BLOOM_H
#define SKEP_BLOOM_H

#include "map.h"

struct bloom {
	struct bpf_map map;
	u32 bitset_mask;
	u32 hash_seed;
	u32 aligned_u32_count;
	u32 nr_hash_funcs;
	u8 bitset[];
};

s32 bloom_push(struct bpf_map *map, const void *value, u64 flags);
s32 bloom_peek(struct bpf_map *map, const void *value);

#endif
