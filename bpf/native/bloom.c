/* Bloom filter maps (kernel/bpf/bloom_filter.c, Linux 6.1). */
#include "bloom.h"
#include "jhash.h"

static u32 bit_of(const struct bloom *bloom, const void *value, u32 function)
{
	return jhash(value, bloom->map.value_size, bloom->hash_seed + function) & bloom->bitset_mask;
}

s32 bloom_push(struct bpf_map *map, const void *value, u64 flags)
{
	struct bloom *bloom = (struct bloom *)map;
	if (flags != BPF_ANY)
		return -EINVAL;
	for (u32 i = 0; i < bloom->nr_hash_funcs; i++) {
		u32 bit = bit_of(bloom, value, i);
		bloom->bitset[bit / 8] |= 1 << bit % 8;
	}
	return 0;
}

/* 0: perhaps in the set; -ENOENT: not in it. */
s32 bloom_peek(struct bpf_map *map, const void *value)
{
	const struct bloom *bloom = (const struct bloom *)map;
	for (u32 i = 0; i < bloom->nr_hash_funcs; i++) {
		u32 bit = bit_of(bloom, value, i);
		if (!(bloom->bitset[bit / 8] >> bit % 8 & 1))
			return -ENOENT;
	}
	return 0;
}

/* The caller has allocated the bitset, whose bits are a power of two. */
EXPORT(bloom_alloc)
s32 bloom_alloc(struct bpf_map *map, u32 bitset_mask, u32 nr_hash_funcs, u32 seed)
{
	struct bloom *bloom = (struct bloom *)map;
	bloom->bitset_mask = bitset_mask;
	bloom->nr_hash_funcs = nr_hash_funcs;
	bloom->hash_seed = seed;
	return 0;
}
