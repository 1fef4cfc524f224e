/*
 * Hash maps: hash, LRU hash, their per-CPU forms, and hash of maps. Each bucket is a list with the
 * newest element first; an element is a header, the key, and the value or a pointer to it, each
 * rounded up to 8. Sizes and order are those of Linux 6.1 (kernel/bpf/hashtab.c).
 *
 * differs: links between elements are 32-bit offsets in Linux's 64-bit fields, and there are no
 * bucket locks, since one CPU runs at a time.
 */
#ifndef SKEP_HASHTAB_H
#define SKEP_HASHTAB_H

#include "jhash.h"
#include "lru.h"
#include "map.h"

struct htab_elem {
	struct htab_elem *next __attribute__((aligned(8)));
	/* The link that points here; while free, the next free element. */
	struct htab_elem **pprev __attribute__((aligned(8)));
	struct lru_node lru_node;
	u32 hash;
	u8 key[] __attribute__((aligned(8)));
};
_Static_assert(offsetof(struct htab_elem, key) == 48, "sizeof(struct htab_elem) on x86-64");

struct bucket {
	struct htab_elem *first __attribute__((aligned(8)));
	u32 raw_lock __attribute__((aligned(8)));
};
_Static_assert(sizeof(struct bucket) == 16, "sizeof(struct bucket) on x86-64");

struct bpf_htab {
	struct bpf_map map;
	struct bucket *buckets;
	/* All elements, where they are preallocated. */
	u8 *elems;
	struct htab_elem *free;
	/* A spare element a CPU, so that replacing needs no free one. */
	struct htab_elem **extra;
	/* Values of preallocated per-CPU elements. */
	u8 *percpu_area;
	u32 count;
	u32 n_buckets;
	u32 elem_size;
	u32 hashrnd;
	struct lru lru;
};

static inline u8 *htab_value(const struct bpf_map *map, struct htab_elem *elem)
{
	return elem->key + round_up(map->key_size, 8);
}

static inline kptr *htab_value_ptr(const struct bpf_map *map, struct htab_elem *elem)
{
	return (kptr *)htab_value(map, elem);
}

void *htab_lookup(struct bpf_map *map, const void *key);
void *htab_lru_lookup(struct bpf_map *map, const void *key);
void *htab_lookup_sys(struct bpf_map *map, const void *key);
void *htab_percpu_lookup(struct bpf_map *map, const void *key);
void *htab_lru_percpu_lookup(struct bpf_map *map, const void *key);
void *htab_of_maps_lookup(struct bpf_map *map, const void *key);
void *htab_percpu_lookup_cpu(struct bpf_map *map, const void *key, u32 cpu);
s32 htab_update(struct bpf_map *map, const void *key, const void *value, u64 flags);
s32 htab_lru_update(struct bpf_map *map, const void *key, const void *value, u64 flags);
s32 htab_percpu_update(struct bpf_map *map, const void *key, const u8 *values, u64 flags,
		       bool all_cpus);
s32 htab_percpu_copy(struct bpf_map *map, const void *key, u8 *out);
s32 htab_delete(struct bpf_map *map, const void *key);
s32 htab_next_key(struct bpf_map *map, const void *key, void *next);

#endif
