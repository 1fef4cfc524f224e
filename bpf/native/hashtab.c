/* See hashtab.h; htab_alloc.c makes and frees the tables. */
#include "hashtab.h"

static inline bool is_prealloc(const struct bpf_map *map)
{
	return !(map->map_flags & BPF_F_NO_PREALLOC);
}

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

static inline u32 hash_key(const struct bpf_map *map, const void *key)
{
	return jhash(key, map->key_size, ((const struct bpf_htab *)map)->hashrnd);
}

static inline struct bucket *select_bucket(struct bpf_map *map, u32 hash)
{
	struct bpf_htab *htab = (struct bpf_htab *)map;
	return &htab->buckets[hash & (htab->n_buckets - 1)];
}

static inline __attribute__((always_inline)) struct htab_elem *
find_in_bucket(struct bucket *bucket, const void *key, u32 bytes, u32 hash)
{
	for (struct htab_elem *elem = bucket->first; elem; elem = elem->next)
		if (elem->hash == hash && bytes_equal(elem->key, key, bytes))
			return elem;
	return NULL;
}

static inline __attribute__((always_inline)) struct htab_elem *
find_sized(struct bpf_map *map, const void *key, u32 bytes)
{
	u32 hash = jhash(key, bytes, ((const struct bpf_htab *)map)->hashrnd);
	return find_in_bucket(select_bucket(map, hash), key, bytes, hash);
}

/* With the size a constant, hash and comparison of the common sizes unroll to a few words. */
static inline struct htab_elem *find(struct bpf_map *map, const void *key)
{
	switch (map->key_size) {
	case 4:
		return find_sized(map, key, 4);
	case 8:
		return find_sized(map, key, 8);
	case 16:
		return find_sized(map, key, 16);
	default:
		return find_sized(map, key, map->key_size);
	}
}

static void link_elem(struct htab_elem *elem, struct bucket *bucket)
{
	elem->next = bucket->first;
	elem->pprev = &bucket->first;
	if (elem->next)
		elem->next->pprev = &elem->next;
	bucket->first = elem;
}

/* `next` stays, so that a walk that stands on the element can go on. */
static void unlink_elem(struct htab_elem *elem)
{
	*elem->pprev = elem->next;
	if (elem->next)
		elem->next->pprev = elem->pprev;
	elem->pprev = NULL;
}

EXPORT(htab_lookup) void *htab_lookup(struct bpf_map *map, const void *key)
{
	struct htab_elem *elem = find(map, key);
	return elem ? htab_value(map, elem) : NULL;
}

EXPORT(htab_lru_lookup) void *htab_lru_lookup(struct bpf_map *map, const void *key)
{
	struct htab_elem *elem = find(map, key);
	if (!elem)
		return NULL;
	lru_set_ref(&elem->lru_node);
	return htab_value(map, elem);
}

EXPORT(htab_percpu_lookup) void *htab_percpu_lookup(struct bpf_map *map, const void *key)
{
	struct htab_elem *elem = find(map, key);
	return elem ? this_cpu(map, *htab_value_ptr(map, elem)) : NULL;
}

EXPORT(htab_lru_percpu_lookup) void *htab_lru_percpu_lookup(struct bpf_map *map, const void *key)
{
	struct htab_elem *elem = find(map, key);
	if (!elem)
		return NULL;
	lru_set_ref(&elem->lru_node);
	return this_cpu(map, *htab_value_ptr(map, elem));
}

void *htab_percpu_lookup_cpu(struct bpf_map *map, const void *key, u32 cpu)
{
	if (cpu >= map->cpu_count)
		return NULL;
	struct htab_elem *elem = find(map, key);
	if (!elem)
		return NULL;
	if (is_lru(map))
		lru_set_ref(&elem->lru_node);
	return per_cpu(map, *htab_value_ptr(map, elem), cpu);
}

EXPORT(htab_of_maps_lookup) void *htab_of_maps_lookup(struct bpf_map *map, const void *key)
{
	struct htab_elem *elem = find(map, key);
	return elem ? from_kptr(*htab_value_ptr(map, elem)) : NULL;
}

/* Freed elements keep their bytes: who still holds a pointer reads what was there. */
static void push_free(struct bpf_htab *htab, struct htab_elem *elem)
{
	elem->pprev = (struct htab_elem **)htab->free;
	htab->free = elem;
}

static struct htab_elem *pop_free(struct bpf_htab *htab)
{
	struct htab_elem *elem = htab->free;
	if (elem)
		htab->free = (struct htab_elem *)elem->pprev;
	return elem;
}

static void free_elem(struct bpf_htab *htab, struct htab_elem *elem)
{
	struct bpf_map *map = &htab->map;
	if (map->map_type == BPF_MAP_TYPE_HASH_OF_MAPS)
		put_inner_map(from_kptr(*htab_value_ptr(map, elem)));
	else if (!is_percpu(map))
		check_and_free_fields(map, htab_value(map, elem));
	if (!is_prealloc(map))
		htab->count--;
	push_free(htab, elem);
}

/* On demand: from those freed before, or new. -E2BIG and -ENOMEM through `error`. */
static struct htab_elem *alloc_on_demand(struct bpf_htab *htab, bool replaces, s32 *error)
{
	struct bpf_map *map = &htab->map;
	*error = -E2BIG;
	if (htab->count >= map->max_entries && !replaces)
		return NULL;
	struct htab_elem *elem = pop_free(htab);
	*error = -ENOMEM;
	if (!elem) {
		elem = area_alloc(htab->elem_size);
		if (!elem)
			return NULL;
		if (is_percpu(map)) {
			u8 *area = area_alloc(map->cpu_stride * map->cpu_count);
			if (!area) {
				area_free(elem, htab->elem_size);
				return NULL;
			}
			*htab_value_ptr(map, elem) = to_kptr(area);
		}
	}
	htab->count++;
	return elem;
}

static struct htab_elem *alloc_elem(struct bpf_htab *htab, const void *key, u32 hash,
				    struct htab_elem *old, s32 *error)
{
	struct htab_elem *elem;
	if (!is_prealloc(&htab->map)) {
		elem = alloc_on_demand(htab, old != NULL, error);
	} else if (old) {
		elem = htab->extra[CURRENT_CPU];
		htab->extra[CURRENT_CPU] = old;
	} else {
		elem = pop_free(htab);
		*error = -E2BIG;
	}
	if (elem) {
		memcpy(elem->key, key, htab->map.key_size);
		elem->hash = hash;
	}
	return elem;
}

static void set_value(struct bpf_map *map, struct htab_elem *elem, const void *value)
{
	if (map->map_type == BPF_MAP_TYPE_HASH_OF_MAPS)
		memcpy(htab_value(map, elem), value, sizeof(kptr));
	else
		copy_map_value(map, htab_value(map, elem), value);
}

s32 htab_update(struct bpf_map *map, const void *key, const void *value, u64 flags)
{
	struct bpf_htab *htab = (struct bpf_htab *)map;
	if (unlikely((flags & ~(u64)BPF_F_LOCK) > BPF_EXIST))
		return -EINVAL;
	if (unlikely((flags & BPF_F_LOCK) && map->spin_lock_off < 0))
		return -EINVAL;
	u32 hash = hash_key(map, key);
	struct bucket *bucket = select_bucket(map, hash);
	struct htab_elem *old = find_in_bucket(bucket, key, map->key_size, hash);
	s32 error = check_flags(old, flags);
	if (error)
		return error;
	if (old && (flags & BPF_F_LOCK)) {
		copy_map_value(map, htab_value(map, old), value);
		return 0;
	}
	struct htab_elem *elem = alloc_elem(htab, key, hash, old, &error);
	if (!elem)
		return error;
	set_value(map, elem, value);
	link_elem(elem, bucket);
	if (!old)
		return 0;
	unlink_elem(old);
	if (!is_prealloc(map)) {
		free_elem(htab, old);
	} else if (map->map_type == BPF_MAP_TYPE_HASH_OF_MAPS) {
		put_inner_map(from_kptr(*htab_value_ptr(map, old)));
	} else {
		check_and_free_fields(map, htab_value(map, old));
	}
	return 0;
}

static struct htab_elem *elem_of_node(struct lru_node *node)
{
	return (struct htab_elem *)((u8 *)node - offsetof(struct htab_elem, lru_node));
}

void htab_set_node_hash(struct lru_node *node, u32 hash)
{
	elem_of_node(node)->hash = hash;
}

bool htab_lru_delete_node(struct bpf_htab *htab, struct lru_node *node)
{
	struct htab_elem *elem = elem_of_node(node);
	if (!elem->pprev)
		return false;
	unlink_elem(elem);
	if (!is_percpu(&htab->map))
		check_and_free_fields(&htab->map, htab_value(&htab->map, elem));
	return true;
}

static struct htab_elem *pop_lru(struct bpf_htab *htab, const void *key, u32 hash)
{
	struct lru_node *node = lru_pop_free(&htab->lru, hash, htab->map.cpu_count);
	if (!node)
		return NULL;
	struct htab_elem *elem = elem_of_node(node);
	elem->pprev = NULL;
	memcpy(elem->key, key, htab->map.key_size);
	return elem;
}

s32 htab_lru_update(struct bpf_map *map, const void *key, const void *value, u64 flags)
{
	struct bpf_htab *htab = (struct bpf_htab *)map;
	if (unlikely(flags > BPF_EXIST))
		return -EINVAL;
	u32 hash = hash_key(map, key);
	/* As in Linux the new element is taken first, which may evict even if the update then fails. */
	struct htab_elem *elem = pop_lru(htab, key, hash);
	if (!elem)
		return -ENOMEM;
	copy_map_value(map, htab_value(map, elem), value);
	struct bucket *bucket = select_bucket(map, hash);
	struct htab_elem *old = find_in_bucket(bucket, key, map->key_size, hash);
	s32 error = check_flags(old, flags);
	struct htab_elem *unused = elem;
	if (!error) {
		link_elem(elem, bucket);
		unused = old;
		if (old) {
			lru_set_ref(&elem->lru_node);
			unlink_elem(old);
		}
	}
	if (unused) {
		check_and_free_fields(map, htab_value(map, unused));
		lru_push_free(&htab->lru, &unused->lru_node);
	}
	return error;
}

/* From a program: this CPU's copy. From bpf(2): all CPUs', each rounded up to 8. */
static void set_percpu(struct bpf_map *map, kptr area, const u8 *values, bool all_cpus, bool fresh)
{
	u32 size = round_up(map->value_size, 8);
	for (u32 cpu = 0; cpu < map->cpu_count; cpu++) {
		void *to = per_cpu(map, area, cpu);
		if (all_cpus)
			memcpy(to, values + cpu * size, size);
		else if (cpu == CURRENT_CPU)
			memcpy(to, values, map->value_size);
		else if (fresh)
			memset(to, 0, size);
	}
}

s32 htab_percpu_update(struct bpf_map *map, const void *key, const u8 *values, u64 flags,
		       bool all_cpus)
{
	struct bpf_htab *htab = (struct bpf_htab *)map;
	bool lru = is_lru(map);
	if (unlikely(flags > BPF_EXIST))
		return -EINVAL;
	u32 hash = hash_key(map, key);
	struct htab_elem *elem = NULL;
	if (lru && flags != BPF_EXIST) {
		elem = pop_lru(htab, key, hash);
		if (!elem)
			return -ENOMEM;
	}
	struct bucket *bucket = select_bucket(map, hash);
	struct htab_elem *old = find_in_bucket(bucket, key, map->key_size, hash);
	s32 error = check_flags(old, flags);
	if (!error && old) {
		if (lru)
			lru_set_ref(&old->lru_node);
		set_percpu(map, *htab_value_ptr(map, old), values, all_cpus, false);
	} else if (!error) {
		if (!lru)
			elem = alloc_elem(htab, key, hash, NULL, &error);
		if (!elem)
			return error;
		set_percpu(map, *htab_value_ptr(map, elem), values, all_cpus, true);
		link_elem(elem, bucket);
		return 0;
	}
	if (elem)
		lru_push_free(&htab->lru, &elem->lru_node);
	return error;
}

s32 htab_percpu_copy(struct bpf_map *map, const void *key, u8 *out)
{
	u32 size = round_up(map->value_size, 8);
	struct htab_elem *elem = find(map, key);
	if (!elem)
		return -ENOENT;
	for (u32 cpu = 0; cpu < map->cpu_count; cpu++)
		memcpy(out + cpu * size, per_cpu(map, *htab_value_ptr(map, elem), cpu), size);
	return 0;
}

s32 htab_delete(struct bpf_map *map, const void *key)
{
	struct bpf_htab *htab = (struct bpf_htab *)map;
	struct htab_elem *elem = find(map, key);
	if (!elem)
		return -ENOENT;
	unlink_elem(elem);
	if (is_lru(map)) {
		if (!is_percpu(map))
			check_and_free_fields(map, htab_value(map, elem));
		lru_push_free(&htab->lru, &elem->lru_node);
	} else {
		free_elem(htab, elem);
	}
	return 0;
}

/* The first element of the first bucket from `bucket` on that has one. */
static struct htab_elem *first_from(struct bpf_htab *htab, u32 bucket)
{
	for (; bucket < htab->n_buckets; bucket++)
		if (htab->buckets[bucket].first)
			return htab->buckets[bucket].first;
	return NULL;
}

/* A key that is not in the map, deleted meanwhile perhaps, starts over, as in Linux. */
s32 htab_next_key(struct bpf_map *map, const void *key, void *next)
{
	struct bpf_htab *htab = (struct bpf_htab *)map;
	struct htab_elem *elem = key ? find(map, key) : NULL, *found;
	if (!elem)
		found = first_from(htab, 0);
	else
		found = elem->next ? elem->next
				   : first_from(htab, (elem->hash & (htab->n_buckets - 1)) + 1);
	if (!found)
		return -ENOENT;
	memcpy(next, found->key, map->key_size);
	return 0;
}

/*
 * For walks in place (bpf_for_each_map_elem, iterators, batches): a bucket's first element. The
 * walker reads an element's `next` before it lets anyone delete the element.
 */
EXPORT(htab_bucket_first) struct htab_elem *htab_bucket_first(struct bpf_map *map, u32 bucket)
{
	return ((struct bpf_htab *)map)->buckets[bucket].first;
}

EXPORT(htab_bucket_count) u32 htab_bucket_count(struct bpf_map *map)
{
	return ((struct bpf_htab *)map)->n_buckets;
}
