/*
 * The approximate LRU of LRU hash maps: which element goes when a new one is needed.
 * Follows Linux's kernel/bpf/bpf_lru_list.c (6.1) step by step, so that eviction order agrees:
 * an active and an inactive list with a reference bit (a second chance), and for maps common to
 * all CPUs a small free list and a list of pending nodes for each CPU in front of them.
 */
#ifndef SKEP_LRU_H
#define SKEP_LRU_H

#include "list.h"
#include "map.h"

enum lru_type { LRU_ACTIVE, LRU_INACTIVE, LRU_FREE, LRU_LOCAL_FREE, LRU_LOCAL_PENDING };

struct lru_node {
	struct list_head list;
	u16 cpu;
	u8 type;
	u8 ref;
};

struct lru_list {
	struct list_head lists[3];
	u32 counts[2];
	struct list_head *next_inactive_rotation;
};

struct lru_local {
	struct list_head free, pending;
	u32 next_steal;
};

struct bpf_htab;

struct lru {
	struct bpf_htab *htab;
	/* One, or with BPF_F_NO_COMMON_LRU one a CPU. */
	struct lru_list *lists;
	/* One a CPU; only for the common LRU. */
	struct lru_local *locals;
	u32 nr_scans;
	bool percpu;
};

s32 lru_init(struct lru *lru, struct bpf_htab *htab, bool percpu, u32 cpu_count);
void lru_destroy(struct lru *lru, u32 cpu_count);
/* Put `count` nodes, `stride` bytes apart, on the free lists. */
void lru_populate(struct lru *lru, u8 *first, u32 stride, u32 count, u32 cpu_count);
/* A free node, evicting one if needed; NULL if none can be had. */
struct lru_node *lru_pop_free(struct lru *lru, u32 hash, u32 cpu_count);
void lru_push_free(struct lru *lru, struct lru_node *node);

static inline void lru_set_ref(struct lru_node *node)
{
	if (!node->ref)
		node->ref = 1;
}

/* hashtab.c: take the node's element out of its bucket; false if it is in none. */
bool htab_lru_delete_node(struct bpf_htab *htab, struct lru_node *node);
void htab_set_node_hash(struct lru_node *node, u32 hash);

#endif
