/* Making and freeing hash maps; see hashtab.h. */
#include "hashtab.h"

static inline bool is_percpu(const struct bpf_map *map)
{
	return map->map_type == BPF_MAP_TYPE_PERCPU_HASH ||
	       map->map_type == BPF_MAP_TYPE_LRU_PERCPU_HASH;
}

static inline bool is_lru(const struct bpf_map *map)
{
	return map->map_type == BPF_MAP_TYPE_LRU_HASH ||
	       map->map_type == BPF_MAP_TYPE_LRU_PERCPU_HASH;
}

/* Plain and map-of-maps tables replace an element through a spare one; the others in place. */
static inline bool has_extra(const struct bpf_map *map)
{
	return !is_percpu(map) && !is_lru(map);
}

static u32 elem_count(const struct bpf_map *map)
{
	return map->max_entries + (has_extra(map) ? map->cpu_count : 0);
}

static u32 percpu_bytes(const struct bpf_map *map)
{
	return map->cpu_stride * map->cpu_count;
}

static struct htab_elem *elem_at(struct bpf_htab *htab, u32 index)
{
	return (struct htab_elem *)(htab->elems + index * htab->elem_size);
}

static void push_free(struct bpf_htab *htab, struct htab_elem *elem)
{
	elem->pprev = (struct htab_elem **)htab->free;
	htab->free = elem;
}

/* Values of all elements: one dense area a CPU, so that CPUs share no cache line. */
static s32 alloc_percpu_values(struct bpf_htab *htab, u32 count)
{
	struct bpf_map *map = &htab->map;
	u32 size = round_up(map->value_size, 8);
	u64 stride = ((u64)size * count + 63) & ~63ull;
	if (stride * map->cpu_count > ~0u)
		return -ENOMEM;
	map->cpu_stride = stride;
	htab->percpu_area = area_alloc(percpu_bytes(map));
	if (!htab->percpu_area)
		return -ENOMEM;
	for (u32 i = 0; i < count; i++)
		*htab_value_ptr(map, elem_at(htab, i)) = to_kptr(htab->percpu_area + i * size);
	return 0;
}

static s32 prealloc(struct bpf_htab *htab)
{
	struct bpf_map *map = &htab->map;
	u32 count = elem_count(map);
	if ((u64)count * htab->elem_size > ~0u)
		return -ENOMEM;
	htab->elems = area_alloc(count * htab->elem_size);
	if (!htab->elems)
		return -ENOMEM;
	if (is_percpu(map) && alloc_percpu_values(htab, count))
		return -ENOMEM;
	if (is_lru(map)) {
		bool percpu_lru = map->map_flags & BPF_F_NO_COMMON_LRU;
		if (lru_init(&htab->lru, htab, percpu_lru, map->cpu_count))
			return -ENOMEM;
		lru_populate(&htab->lru, htab->elems + offsetof(struct htab_elem, lru_node),
			     htab->elem_size, count, map->cpu_count);
		return 0;
	}
	for (u32 i = has_extra(map) ? map->cpu_count : 0; i < count; i++)
		push_free(htab, elem_at(htab, i));
	if (!has_extra(map))
		return 0;
	htab->extra = area_alloc(map->cpu_count * sizeof(*htab->extra));
	if (!htab->extra)
		return -ENOMEM;
	for (u32 cpu = 0; cpu < map->cpu_count; cpu++)
		htab->extra[cpu] = elem_at(htab, cpu);
	return 0;
}

/* An element that was allocated on demand. */
static void release(struct bpf_htab *htab, struct htab_elem *elem)
{
	if (is_percpu(&htab->map))
		area_free(from_kptr(*htab_value_ptr(&htab->map, elem)), percpu_bytes(&htab->map));
	area_free(elem, htab->elem_size);
}

/* What an element in use holds besides its bytes. */
static void drop_value(struct bpf_htab *htab, struct htab_elem *elem)
{
	struct bpf_map *map = &htab->map;
	if (map->map_type == BPF_MAP_TYPE_HASH_OF_MAPS)
		put_inner_map(from_kptr(*htab_value_ptr(map, elem)));
	else if (!is_percpu(map))
		check_and_free_fields(map, htab_value(map, elem));
}

EXPORT(htab_free) void htab_free(struct bpf_map *map)
{
	struct bpf_htab *htab = (struct bpf_htab *)map;
	bool on_demand = map->map_flags & BPF_F_NO_PREALLOC;
	for (u32 i = 0; htab->buckets && i < htab->n_buckets; i++) {
		for (struct htab_elem *elem = htab->buckets[i].first, *next; elem; elem = next) {
			next = elem->next;
			drop_value(htab, elem);
			if (on_demand)
				release(htab, elem);
		}
	}
	for (struct htab_elem *elem = htab->free, *next; on_demand && elem; elem = next) {
		next = (struct htab_elem *)elem->pprev;
		release(htab, elem);
	}
	if (is_lru(map))
		lru_destroy(&htab->lru, map->cpu_count);
	if (htab->extra)
		area_free(htab->extra, map->cpu_count * sizeof(*htab->extra));
	if (htab->percpu_area)
		area_free(htab->percpu_area, percpu_bytes(map));
	if (htab->elems)
		area_free(htab->elems, elem_count(map) * htab->elem_size);
	if (htab->buckets)
		area_free(htab->buckets, htab->n_buckets * sizeof(struct bucket));
}

/*
 * The caller has allocated the zeroed struct and filled in its struct bpf_map. On failure the
 * caller calls htab_free.
 */
EXPORT(htab_alloc) s32 htab_alloc(struct bpf_map *map, u32 hashrnd)
{
	struct bpf_htab *htab = (struct bpf_htab *)map;
	htab->hashrnd = hashrnd;
	if (map->map_flags & BPF_F_NO_COMMON_LRU) {
		/* Each CPU's list gets as many elements as the others'. */
		u32 wanted = map->max_entries;
		map->max_entries = round_up(wanted, map->cpu_count);
		if (map->max_entries < wanted)
			map->max_entries = wanted - wanted % map->cpu_count;
	}
	if (map->max_entries > 1u << 31)
		return -E2BIG;
	u32 buckets = roundup_pow_of_two(map->max_entries);
	if (buckets > ~0u / sizeof(struct bucket))
		return -E2BIG;
	htab->elem_size = sizeof(struct htab_elem) + round_up(map->key_size, 8) +
			  (is_percpu(map) ? sizeof(kptr) : round_up(map->value_size, 8));
	htab->buckets = area_alloc(buckets * sizeof(struct bucket));
	if (!htab->buckets)
		return -ENOMEM;
	htab->n_buckets = buckets;
	if (!(map->map_flags & BPF_F_NO_PREALLOC))
		return prealloc(htab);
	if (is_percpu(map))
		map->cpu_stride = round_up(map->value_size, 64);
	return 0;
}
