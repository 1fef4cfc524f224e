/*
 * struct bpf_map and what all map types share. Layout of Linux 6.1 on x86-64; the TypeScript side
 * is kernel/types/bpf-map.ts, and layout.test.ts compares both.
 *
 * Each map type has a file with the operations of Linux's struct bpf_map_ops under its own prefix;
 * dispatch.c chooses by map_type.
 */
#ifndef SKEP_MAP_H
#define SKEP_MAP_H

#include "kernel.h"

enum bpf_map_type {
	BPF_MAP_TYPE_UNSPEC,
	BPF_MAP_TYPE_HASH,
	BPF_MAP_TYPE_ARRAY,
	BPF_MAP_TYPE_PROG_ARRAY,
	BPF_MAP_TYPE_PERF_EVENT_ARRAY,
	BPF_MAP_TYPE_PERCPU_HASH,
	BPF_MAP_TYPE_PERCPU_ARRAY,
	BPF_MAP_TYPE_STACK_TRACE,
	BPF_MAP_TYPE_CGROUP_ARRAY,
	BPF_MAP_TYPE_LRU_HASH,
	BPF_MAP_TYPE_LRU_PERCPU_HASH,
	BPF_MAP_TYPE_LPM_TRIE,
	BPF_MAP_TYPE_ARRAY_OF_MAPS,
	BPF_MAP_TYPE_HASH_OF_MAPS,
	BPF_MAP_TYPE_DEVMAP,
	BPF_MAP_TYPE_SOCKMAP,
	BPF_MAP_TYPE_CPUMAP,
	BPF_MAP_TYPE_XSKMAP,
	BPF_MAP_TYPE_SOCKHASH,
	BPF_MAP_TYPE_CGROUP_STORAGE,
	BPF_MAP_TYPE_REUSEPORT_SOCKARRAY,
	BPF_MAP_TYPE_PERCPU_CGROUP_STORAGE,
	BPF_MAP_TYPE_QUEUE,
	BPF_MAP_TYPE_STACK,
	BPF_MAP_TYPE_SK_STORAGE,
	BPF_MAP_TYPE_DEVMAP_HASH,
	BPF_MAP_TYPE_STRUCT_OPS,
	BPF_MAP_TYPE_RINGBUF,
	BPF_MAP_TYPE_INODE_STORAGE,
	BPF_MAP_TYPE_TASK_STORAGE,
	BPF_MAP_TYPE_BLOOM_FILTER,
	BPF_MAP_TYPE_USER_RINGBUF,
	/* Ours, far above Linux's. */
	BPF_MAP_TYPE_TCAM = 1000,
};

#define BPF_ANY 0
#define BPF_NOEXIST 1
#define BPF_EXIST 2
#define BPF_F_LOCK 4
#define BPF_F_NO_PREALLOC 1
#define BPF_F_NO_COMMON_LRU 2

/* Fields of a value that copying must leave alone: spin lock, timer, kptrs. */
struct bpf_map_off_arr {
	u32 cnt;
	u32 field_off[10];
	u8 field_sz[10];
};

struct bpf_map {
	kptr ops;
	kptr inner_map_meta;
	kptr security;
	u32 map_type;
	u32 key_size;
	u32 value_size;
	u32 max_entries;
	u64 map_extra;
	u32 map_flags;
	s32 spin_lock_off;
	kptr kptr_off_tab;
	s32 timer_off;
	u32 id;
	s32 numa_node;
	u32 btf_key_type_id;
	u32 btf_value_type_id;
	u32 btf_vmlinux_value_type_id;
	kptr btf;
	kptr objcg;
	char name[16];
	kptr off_arr;
	s64 refcnt;
	s64 usercnt;
	/* differs: Linux has a work_struct and rcu_head here. */
	u32 cpu_stride;
	u32 cpu_count;
	u32 work[6];
	u64 freeze_mutex[4];
	s64 writecnt;
	u32 owner_lock;
	kptr owner __attribute__((aligned(8)));
	u8 bypass_spec_v1;
	u8 frozen;
	u8 free_after_mult_rcu_gp;
	kptr elem_count __attribute__((aligned(8)));
	u64 cookie;
};
_Static_assert(sizeof(struct bpf_map) == 256, "four cache lines, as in Linux");

static inline bool has_special_fields(const struct bpf_map *map)
{
	return map->off_arr.offset != 0;
}

static inline void check_and_free_fields(struct bpf_map *map, void *value)
{
	if (unlikely(map->timer_off >= 0 || map->kptr_off_tab.offset))
		free_special_fields(map, value);
}

/* The copy of `cpu` of a per-CPU area. */
static inline void *per_cpu(const struct bpf_map *map, kptr area, u32 cpu)
{
	return (u8 *)from_kptr(area) + cpu * map->cpu_stride;
}

static inline void *this_cpu(const struct bpf_map *map, kptr area)
{
	return per_cpu(map, area, CURRENT_CPU);
}

/* map_copy.c */
void copy_special(const struct bpf_map *map, u8 *to, const u8 *from, u32 bytes);
void zero_special_fields(const struct bpf_map *map, void *value);

/* All bytes of a value but the special fields. */
static inline void copy_map_value(const struct bpf_map *map, void *to, const void *from)
{
	if (likely(!has_special_fields(map)))
		memcpy(to, from, map->value_size);
	else
		copy_special(map, to, from, map->value_size);
}

/* The same, rounded up to 8, for the per-CPU copies that bpf(2) passes. */
static inline void copy_map_value_long(const struct bpf_map *map, void *to, const void *from)
{
	if (likely(!has_special_fields(map)))
		memcpy(to, from, round_up(map->value_size, 8));
	else
		copy_special(map, to, from, round_up(map->value_size, 8));
}

/* BPF_NOEXIST and BPF_EXIST against what was found. */
static inline s32 check_flags(const void *old, u64 flags)
{
	if (old && (flags & ~(u64)BPF_F_LOCK) == BPF_NOEXIST)
		return -EEXIST;
	if (!old && (flags & ~(u64)BPF_F_LOCK) == BPF_EXIST)
		return -ENOENT;
	return 0;
}

#endif
