/* See array.h. Semantics: kernel/bpf/arraymap.c of Linux 6.1. */
#include "array.h"

EXPORT(array_lookup) void *array_lookup(struct bpf_map *map, const void *key)
{
	u32 index = array_index(key);
	return likely(index < map->max_entries) ? array_value((struct bpf_array *)map, index) : NULL;
}

EXPORT(percpu_array_lookup) void *percpu_array_lookup(struct bpf_map *map, const void *key)
{
	u32 index = array_index(key);
	if (unlikely(index >= map->max_entries))
		return NULL;
	return this_cpu(map, ((struct bpf_array *)map)->ptrs[index]);
}

void *percpu_array_lookup_cpu(struct bpf_map *map, const void *key, u32 cpu)
{
	u32 index = array_index(key);
	if (cpu >= map->cpu_count || index >= map->max_entries)
		return NULL;
	return per_cpu(map, ((struct bpf_array *)map)->ptrs[index], cpu);
}

/* The inner map itself, not the slot that holds it. */
EXPORT(array_of_maps_lookup) void *array_of_maps_lookup(struct bpf_map *map, const void *key)
{
	u32 index = array_index(key);
	return index < map->max_entries ? from_kptr(((struct bpf_array *)map)->ptrs[index]) : NULL;
}

s32 array_update(struct bpf_map *map, const void *key, const void *value, u64 flags)
{
	struct bpf_array *array = (struct bpf_array *)map;
	u32 index = array_index(key);
	if (unlikely((flags & ~(u64)BPF_F_LOCK) > BPF_EXIST))
		return -EINVAL;
	if (unlikely(index >= map->max_entries))
		return -E2BIG;
	if (unlikely(flags & BPF_NOEXIST))
		return -EEXIST;
	if (unlikely((flags & BPF_F_LOCK) && map->spin_lock_off < 0))
		return -EINVAL;
	void *to = map->map_type == BPF_MAP_TYPE_PERCPU_ARRAY ? this_cpu(map, array->ptrs[index])
							       : array_value(array, index);
	copy_map_value(map, to, value);
	check_and_free_fields(map, to);
	return 0;
}

/* bpf(2): one value for each CPU, each rounded up to 8 bytes. */
s32 percpu_array_update_all(struct bpf_map *map, const void *key, const u8 *values, u64 flags)
{
	struct bpf_array *array = (struct bpf_array *)map;
	u32 index = array_index(key);
	if (flags > BPF_EXIST)
		return -EINVAL;
	if (index >= map->max_entries)
		return -E2BIG;
	if (flags == BPF_NOEXIST)
		return -EEXIST;
	for (u32 cpu = 0; cpu < map->cpu_count; cpu++) {
		void *to = per_cpu(map, array->ptrs[index], cpu);
		copy_map_value_long(map, to, values + cpu * array->elem_size);
		check_and_free_fields(map, to);
	}
	return 0;
}

s32 percpu_array_copy(struct bpf_map *map, const void *key, u8 *out)
{
	struct bpf_array *array = (struct bpf_array *)map;
	u32 index = array_index(key);
	if (index >= map->max_entries)
		return -ENOENT;
	for (u32 cpu = 0; cpu < map->cpu_count; cpu++, out += array->elem_size) {
		copy_map_value_long(map, out, per_cpu(map, array->ptrs[index], cpu));
		zero_special_fields(map, out);
	}
	return 0;
}

/* A key beyond the end asks for the first, as none does. */
s32 array_next_key(struct bpf_map *map, const void *key, void *next)
{
	u32 index = key ? array_index(key) : ~0u;
	if (index < map->max_entries && index == map->max_entries - 1)
		return -ENOENT;
	index = index >= map->max_entries ? 0 : index + 1;
	memcpy(next, &index, 4);
	return 0;
}

/* The caller has allocated the array and filled in its struct bpf_map. */
EXPORT(array_alloc) s32 array_alloc(struct bpf_map *map)
{
	struct bpf_array *array = (struct bpf_array *)map;
	array->elem_size = round_up(map->value_size, 8);
	array->index_mask = roundup_pow_of_two(map->max_entries) - 1;
	if (map->map_type != BPF_MAP_TYPE_PERCPU_ARRAY)
		return 0;
	/* One dense area a CPU, so that CPUs share no cache line. */
	u64 stride = ((u64)array->elem_size * map->max_entries + 63) & ~63ull;
	if (stride * map->cpu_count > ~0u)
		return -ENOMEM;
	map->cpu_stride = stride;
	u8 *area = area_alloc(map->cpu_stride * map->cpu_count);
	if (!area)
		return -ENOMEM;
	for (u32 i = 0; i < map->max_entries; i++)
		array->ptrs[i] = to_kptr(area + i * array->elem_size);
	return 0;
}

/* Gives back what array_alloc took; the array itself is the caller's. */
EXPORT(array_free) void array_free(struct bpf_map *map)
{
	struct bpf_array *array = (struct bpf_array *)map;
	bool percpu = map->map_type == BPF_MAP_TYPE_PERCPU_ARRAY;
	if (map->kptr_off_tab.offset || map->timer_off >= 0) {
		for (u32 i = 0; i < map->max_entries; i++) {
			for (u32 cpu = 0; cpu < (percpu ? map->cpu_count : 1); cpu++)
				check_and_free_fields(map, percpu ? per_cpu(map, array->ptrs[i], cpu)
								   : array_value(array, i));
		}
	}
	if (percpu)
		area_free(from_kptr(array->ptrs[0]), map->cpu_stride * map->cpu_count);
}
