/*
 * The operations of struct bpf_map_ops, chosen by map type. Generated code calls these exports
 * where it does not know the map, and the type's own function where it does.
 *
 * Types whose elements are not plain bytes (devices, sockets, programs …) live in TypeScript
 * (bpf/maps); for them the call goes out through an import.
 */
#include "array.h"
#include "bloom.h"
#include "hashtab.h"
#include "lpm_trie.h"
#include "queue_stack.h"
#include "tcam.h"

IMPORT(other_lookup) void *other_lookup(struct bpf_map *map, const void *key);
IMPORT(other_update)
s32 other_update(struct bpf_map *map, const void *key, const void *value, u64 flags);
IMPORT(other_delete) s32 other_delete(struct bpf_map *map, const void *key);
IMPORT(other_next_key) s32 other_next_key(struct bpf_map *map, const void *key, void *next);

/* What a program gets: the value, or NULL. */
EXPORT(map_lookup_elem) void *map_lookup_elem(struct bpf_map *map, const void *key)
{
	switch (map->map_type) {
	case BPF_MAP_TYPE_HASH:
		return htab_lookup(map, key);
	case BPF_MAP_TYPE_ARRAY:
		return array_lookup(map, key);
	case BPF_MAP_TYPE_PERCPU_HASH:
		return htab_percpu_lookup(map, key);
	case BPF_MAP_TYPE_PERCPU_ARRAY:
		return percpu_array_lookup(map, key);
	case BPF_MAP_TYPE_LRU_HASH:
		return htab_lru_lookup(map, key);
	case BPF_MAP_TYPE_LRU_PERCPU_HASH:
		return htab_lru_percpu_lookup(map, key);
	case BPF_MAP_TYPE_LPM_TRIE:
		return trie_lookup(map, key);
	case BPF_MAP_TYPE_TCAM:
		return tcam_match(map, key);
	case BPF_MAP_TYPE_ARRAY_OF_MAPS:
		return array_of_maps_lookup(map, key);
	case BPF_MAP_TYPE_HASH_OF_MAPS:
		return htab_of_maps_lookup(map, key);
	case BPF_MAP_TYPE_QUEUE:
	case BPF_MAP_TYPE_STACK:
	case BPF_MAP_TYPE_BLOOM_FILTER:
	case BPF_MAP_TYPE_RINGBUF:
	case BPF_MAP_TYPE_USER_RINGBUF:
		return NULL;
	default:
		return other_lookup(map, key);
	}
}

EXPORT(map_lookup_percpu_elem)
void *map_lookup_percpu_elem(struct bpf_map *map, const void *key, u32 cpu)
{
	switch (map->map_type) {
	case BPF_MAP_TYPE_PERCPU_ARRAY:
		return percpu_array_lookup_cpu(map, key, cpu);
	case BPF_MAP_TYPE_PERCPU_HASH:
	case BPF_MAP_TYPE_LRU_PERCPU_HASH:
		return htab_percpu_lookup_cpu(map, key, cpu);
	default:
		return NULL;
	}
}

EXPORT(map_update_elem)
s32 map_update_elem(struct bpf_map *map, const void *key, const void *value, u64 flags)
{
	switch (map->map_type) {
	case BPF_MAP_TYPE_HASH:
	case BPF_MAP_TYPE_HASH_OF_MAPS:
		return htab_update(map, key, value, flags);
	case BPF_MAP_TYPE_ARRAY:
	case BPF_MAP_TYPE_PERCPU_ARRAY:
		return array_update(map, key, value, flags);
	case BPF_MAP_TYPE_PERCPU_HASH:
	case BPF_MAP_TYPE_LRU_PERCPU_HASH:
		return htab_percpu_update(map, key, value, flags, false);
	case BPF_MAP_TYPE_LRU_HASH:
		return htab_lru_update(map, key, value, flags);
	case BPF_MAP_TYPE_LPM_TRIE:
		return trie_update(map, key, value, flags);
	case BPF_MAP_TYPE_TCAM:
		return tcam_update(map, key, value, flags);
	case BPF_MAP_TYPE_QUEUE:
	case BPF_MAP_TYPE_STACK:
	case BPF_MAP_TYPE_BLOOM_FILTER:
		return -EINVAL;
	case BPF_MAP_TYPE_RINGBUF:
	case BPF_MAP_TYPE_USER_RINGBUF:
		return -ENOTSUPP;
	default:
		return other_update(map, key, value, flags);
	}
}

EXPORT(map_delete_elem) s32 map_delete_elem(struct bpf_map *map, const void *key)
{
	switch (map->map_type) {
	case BPF_MAP_TYPE_HASH:
	case BPF_MAP_TYPE_PERCPU_HASH:
	case BPF_MAP_TYPE_LRU_HASH:
	case BPF_MAP_TYPE_LRU_PERCPU_HASH:
	case BPF_MAP_TYPE_HASH_OF_MAPS:
		return htab_delete(map, key);
	case BPF_MAP_TYPE_LPM_TRIE:
		return trie_delete(map, key);
	case BPF_MAP_TYPE_TCAM:
		return tcam_delete(map, key);
	case BPF_MAP_TYPE_ARRAY:
	case BPF_MAP_TYPE_PERCPU_ARRAY:
	case BPF_MAP_TYPE_QUEUE:
	case BPF_MAP_TYPE_STACK:
		return -EINVAL;
	case BPF_MAP_TYPE_BLOOM_FILTER:
		return -EOPNOTSUPP;
	case BPF_MAP_TYPE_RINGBUF:
	case BPF_MAP_TYPE_USER_RINGBUF:
		return -ENOTSUPP;
	default:
		return other_delete(map, key);
	}
}

/* `key` NULL asks for the first; -ENOENT after the last. */
EXPORT(map_get_next_key) s32 map_get_next_key(struct bpf_map *map, const void *key, void *next)
{
	switch (map->map_type) {
	case BPF_MAP_TYPE_HASH:
	case BPF_MAP_TYPE_PERCPU_HASH:
	case BPF_MAP_TYPE_LRU_HASH:
	case BPF_MAP_TYPE_LRU_PERCPU_HASH:
	case BPF_MAP_TYPE_HASH_OF_MAPS:
		return htab_next_key(map, key, next);
	case BPF_MAP_TYPE_ARRAY:
	case BPF_MAP_TYPE_PERCPU_ARRAY:
	case BPF_MAP_TYPE_PROG_ARRAY:
	case BPF_MAP_TYPE_PERF_EVENT_ARRAY:
	case BPF_MAP_TYPE_CGROUP_ARRAY:
	case BPF_MAP_TYPE_ARRAY_OF_MAPS:
		return array_next_key(map, key, next);
	case BPF_MAP_TYPE_LPM_TRIE:
		return trie_next_key(map, key, next);
	case BPF_MAP_TYPE_TCAM:
		return tcam_next_key(map, key, next);
	case BPF_MAP_TYPE_QUEUE:
	case BPF_MAP_TYPE_STACK:
		return -EINVAL;
	case BPF_MAP_TYPE_BLOOM_FILTER:
		return -EOPNOTSUPP;
	case BPF_MAP_TYPE_RINGBUF:
	case BPF_MAP_TYPE_USER_RINGBUF:
		return -ENOTSUPP;
	default:
		return other_next_key(map, key, next);
	}
}

EXPORT(map_push_elem) s32 map_push_elem(struct bpf_map *map, const void *value, u64 flags)
{
	return map->map_type == BPF_MAP_TYPE_BLOOM_FILTER ? bloom_push(map, value, flags)
							   : queue_stack_push(map, value, flags);
}

EXPORT(map_pop_elem) s32 map_pop_elem(struct bpf_map *map, void *value)
{
	if (map->map_type == BPF_MAP_TYPE_BLOOM_FILTER)
		return -EOPNOTSUPP;
	return queue_stack_get(map, value, true);
}

EXPORT(map_peek_elem) s32 map_peek_elem(struct bpf_map *map, void *value)
{
	return map->map_type == BPF_MAP_TYPE_BLOOM_FILTER ? bloom_peek(map, value)
							   : queue_stack_get(map, value, false);
}

/*
 * bpf(2)'s view of an element, copied to `out`: all CPUs' values for per-CPU maps; special fields
 * read as zero; an LRU element is not marked as used. Types of bpf/maps do it themselves.
 */
EXPORT(map_copy_value) s32 map_copy_value(struct bpf_map *map, const void *key, void *out)
{
	void *value;
	switch (map->map_type) {
	case BPF_MAP_TYPE_PERCPU_HASH:
	case BPF_MAP_TYPE_LRU_PERCPU_HASH:
		return htab_percpu_copy(map, key, out);
	case BPF_MAP_TYPE_PERCPU_ARRAY:
		return percpu_array_copy(map, key, out);
	case BPF_MAP_TYPE_QUEUE:
	case BPF_MAP_TYPE_STACK:
	case BPF_MAP_TYPE_BLOOM_FILTER:
		return map_peek_elem(map, out);
	case BPF_MAP_TYPE_RINGBUF:
	case BPF_MAP_TYPE_USER_RINGBUF:
		return -ENOTSUPP;
	case BPF_MAP_TYPE_LRU_HASH:
		value = htab_lookup(map, key);
		break;
	case BPF_MAP_TYPE_TCAM:
		value = tcam_find(map, key);
		break;
	default:
		value = map_lookup_elem(map, key);
	}
	if (!value)
		return -ENOENT;
	copy_map_value(map, out, value);
	zero_special_fields(map, out);
	return 0;
}

/* bpf(2)'s update: per-CPU maps take all CPUs' values, key-less maps push. */
EXPORT(map_update_value)
s32 map_update_value(struct bpf_map *map, const void *key, const void *value, u64 flags)
{
	switch (map->map_type) {
	case BPF_MAP_TYPE_PERCPU_HASH:
	case BPF_MAP_TYPE_LRU_PERCPU_HASH:
		return htab_percpu_update(map, key, value, flags, true);
	case BPF_MAP_TYPE_PERCPU_ARRAY:
		return percpu_array_update_all(map, key, value, flags);
	case BPF_MAP_TYPE_QUEUE:
	case BPF_MAP_TYPE_STACK:
	case BPF_MAP_TYPE_BLOOM_FILTER:
		return map_push_elem(map, value, flags);
	default:
		return map_update_elem(map, key, value, flags);
	}
}
