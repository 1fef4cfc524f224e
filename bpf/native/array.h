/*
 * Array maps: array, per-CPU array, and the arrays of pointers (programs, perf events, maps …).
 * All share Linux's struct bpf_array; elements or pointers begin at `value`.
 */
#ifndef SKEP_ARRAY_H
#define SKEP_ARRAY_H

#include "map.h"

struct bpf_array {
	struct bpf_map map;
	u32 elem_size;
	u32 index_mask;
	kptr aux;
	union {
		u8 value[0];
		kptr ptrs[0];
	};
};
_Static_assert(offsetof(struct bpf_array, value) == 272, "kernel/types/bpf-map.ts");

static inline u32 array_index(const void *key)
{
	u32 index;
	memcpy(&index, key, 4);
	return index;
}

static inline u8 *array_value(struct bpf_array *array, u32 index)
{
	return array->value + (u64)array->elem_size * index;
}

void *array_lookup(struct bpf_map *map, const void *key);
void *percpu_array_lookup(struct bpf_map *map, const void *key);
void *array_of_maps_lookup(struct bpf_map *map, const void *key);
void *percpu_array_lookup_cpu(struct bpf_map *map, const void *key, u32 cpu);
s32 array_update(struct bpf_map *map, const void *key, const void *value, u64 flags);
s32 percpu_array_update_all(struct bpf_map *map, const void *key, const u8 *values, u64 flags);
s32 percpu_array_copy(struct bpf_map *map, const void *key, u8 *out);
s32 array_next_key(struct bpf_map *map, const void *key, void *next);
s32 array_alloc(struct bpf_map *map);
void array_free(struct bpf_map *map);

#endif
