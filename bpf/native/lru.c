/* See lru.h. */
#include "lru.h"

/* kernel/bpf/bpf_lru_list.c */
#define LOCAL_FREE_TARGET 128
#define LOCAL_NR_SCANS LOCAL_FREE_TARGET
#define PERCPU_FREE_TARGET 4
#define PERCPU_NR_SCANS PERCPU_FREE_TARGET

static struct lru_node *node_of(struct list_head *entry)
{
	return (struct lru_node *)entry;
}

static void count(struct lru_list *l, u8 type, s32 by)
{
	if (type <= LRU_INACTIVE)
		l->counts[type] += by;
}

/* The rotation stands on this node: let it stand on the one before. */
static void step_off(struct lru_list *l, struct lru_node *node)
{
	if (&node->list == l->next_inactive_rotation)
		l->next_inactive_rotation = l->next_inactive_rotation->prev;
}

/* To one of the lists of `l`; the reference bit is used up. */
static void move(struct lru_list *l, struct lru_node *node, u8 type)
{
	if (node->type != type) {
		count(l, node->type, -1);
		count(l, type, 1);
		node->type = type;
	}
	node->ref = 0;
	step_off(l, node);
	list_move(&node->list, &l->lists[type]);
}

static void move_to_free(struct lru_list *l, struct lru_node *node, struct list_head *free, u8 type)
{
	step_off(l, node);
	count(l, node->type, -1);
	node->type = type;
	list_move(&node->list, free);
}

static void rotate_active(struct lru *lru, struct lru_list *l)
{
	struct list_head *active = &l->lists[LRU_ACTIVE], *first = active->next, *before;
	u32 scanned = 0;
	for (struct list_head *at = active->prev; at != active; at = before) {
		before = at->prev;
		move(l, node_of(at), node_of(at)->ref ? LRU_ACTIVE : LRU_INACTIVE);
		if (++scanned == lru->nr_scans || at == first)
			break;
	}
}

static void rotate_inactive(struct lru *lru, struct lru_list *l)
{
	struct list_head *inactive = &l->lists[LRU_INACTIVE], *next = inactive;
	if (list_empty(inactive))
		return;
	struct list_head *last = l->next_inactive_rotation->next;
	if (last == inactive)
		last = last->next;
	struct list_head *at = l->next_inactive_rotation;
	for (u32 scanned = 0; scanned < lru->nr_scans;) {
		if (at == inactive) {
			at = at->prev;
			continue;
		}
		next = at->prev;
		if (node_of(at)->ref)
			move(l, node_of(at), LRU_ACTIVE);
		if (at == last)
			break;
		at = next;
		scanned++;
	}
	l->next_inactive_rotation = next;
}

static void rotate(struct lru *lru, struct lru_list *l)
{
	if (l->counts[LRU_INACTIVE] < l->counts[LRU_ACTIVE])
		rotate_active(lru, l);
	rotate_inactive(lru, l);
}

/* Evict from the tail of the inactive list those without a reference. */
static u32 shrink_inactive(struct lru *lru, struct lru_list *l, u32 target,
			   struct list_head *free, u8 type)
{
	struct list_head *inactive = &l->lists[LRU_INACTIVE], *before;
	u32 shrunk = 0, scanned = 0;
	for (struct list_head *at = inactive->prev; at != inactive; at = before) {
		before = at->prev;
		if (node_of(at)->ref) {
			move(l, node_of(at), LRU_ACTIVE);
		} else if (htab_lru_delete_node(lru->htab, node_of(at))) {
			move_to_free(l, node_of(at), free, type);
			if (++shrunk == target)
				break;
		}
		if (++scanned == lru->nr_scans)
			break;
	}
	return shrunk;
}

static void shrink(struct lru *lru, struct lru_list *l, u32 target, struct list_head *free, u8 type)
{
	if (shrink_inactive(lru, l, target, free, type))
		return;
	/* All had a second chance: take one regardless. */
	struct list_head *list = &l->lists[LRU_INACTIVE], *before;
	if (list_empty(list))
		list = &l->lists[LRU_ACTIVE];
	for (struct list_head *at = list->prev; at != list; at = before) {
		before = at->prev;
		if (htab_lru_delete_node(lru->htab, node_of(at))) {
			move_to_free(l, node_of(at), free, type);
			return;
		}
	}
}

static void refill_local(struct lru *lru, struct lru_local *local)
{
	struct lru_list *l = lru->lists;
	struct list_head *before;
	for (struct list_head *at = local->pending.prev; at != &local->pending; at = before) {
		before = at->prev;
		u8 type = node_of(at)->ref ? LRU_ACTIVE : LRU_INACTIVE;
		count(l, type, 1);
		node_of(at)->type = type;
		node_of(at)->ref = 0;
		list_move(at, &l->lists[type]);
	}
	rotate(lru, l);
	u32 taken = 0;
	struct list_head *free = &l->lists[LRU_FREE], *after;
	for (struct list_head *at = free->next; at != free; at = after) {
		after = at->next;
		move_to_free(l, node_of(at), &local->free, LRU_LOCAL_FREE);
		if (++taken == LOCAL_FREE_TARGET)
			break;
	}
	if (taken < LOCAL_FREE_TARGET)
		shrink(lru, l, LOCAL_FREE_TARGET - taken, &local->free, LRU_LOCAL_FREE);
}

static struct lru_node *pop_local_free(struct lru_local *local)
{
	if (list_empty(&local->free))
		return NULL;
	struct lru_node *node = node_of(local->free.next);
	list_del(&node->list);
	return node;
}

/* The oldest pending one without a reference; failing that, the oldest. */
static struct lru_node *pop_local_pending(struct lru *lru, struct lru_local *local)
{
	for (int force = 0; force < 2; force++) {
		for (struct list_head *at = local->pending.prev; at != &local->pending; at = at->prev) {
			if ((!node_of(at)->ref || force) &&
			    htab_lru_delete_node(lru->htab, node_of(at))) {
				list_del(at);
				return node_of(at);
			}
		}
	}
	return NULL;
}

static void add_pending(struct lru_local *local, struct lru_node *node, u32 hash)
{
	htab_set_node_hash(node, hash);
	node->cpu = CURRENT_CPU;
	node->type = LRU_LOCAL_PENDING;
	node->ref = 0;
	list_add(&node->list, &local->pending);
}

static struct lru_node *common_pop_free(struct lru *lru, u32 hash, u32 cpu_count)
{
	struct lru_local *local = &lru->locals[CURRENT_CPU];
	struct lru_node *node = pop_local_free(local);
	if (!node) {
		refill_local(lru, local);
		node = pop_local_free(local);
	}
	if (node) {
		add_pending(local, node, hash);
		return node;
	}
	/* Steal from the CPUs in turn, ours among them. */
	u32 first = local->next_steal, steal = first;
	do {
		node = pop_local_free(&lru->locals[steal]);
		if (!node)
			node = pop_local_pending(lru, &lru->locals[steal]);
		steal = steal + 1 < cpu_count ? steal + 1 : 0;
	} while (!node && steal != first);
	local->next_steal = steal;
	if (node)
		add_pending(local, node, hash);
	return node;
}

static struct lru_node *percpu_pop_free(struct lru *lru, u32 hash)
{
	struct lru_list *l = &lru->lists[CURRENT_CPU];
	struct list_head *free = &l->lists[LRU_FREE];
	rotate(lru, l);
	if (list_empty(free))
		shrink(lru, l, PERCPU_FREE_TARGET, free, LRU_FREE);
	if (list_empty(free))
		return NULL;
	struct lru_node *node = node_of(free->next);
	htab_set_node_hash(node, hash);
	move(l, node, LRU_INACTIVE);
	return node;
}

struct lru_node *lru_pop_free(struct lru *lru, u32 hash, u32 cpu_count)
{
	return lru->percpu ? percpu_pop_free(lru, hash) : common_pop_free(lru, hash, cpu_count);
}

void lru_push_free(struct lru *lru, struct lru_node *node)
{
	if (node->type == LRU_LOCAL_PENDING) {
		node->type = LRU_LOCAL_FREE;
		node->ref = 0;
		list_move(&node->list, &lru->locals[node->cpu].free);
		return;
	}
	move(&lru->lists[lru->percpu ? node->cpu : 0], node, LRU_FREE);
}

void lru_populate(struct lru *lru, u8 *first, u32 stride, u32 nodes, u32 cpu_count)
{
	u32 per_list = lru->percpu ? nodes / cpu_count : nodes;
	for (u32 i = 0; i < nodes; i++) {
		struct lru_node *node = (struct lru_node *)(first + i * stride);
		node->cpu = lru->percpu ? i / per_list : 0;
		node->type = LRU_FREE;
		node->ref = 0;
		list_add(&node->list, &lru->lists[node->cpu].lists[LRU_FREE]);
	}
}

s32 lru_init(struct lru *lru, struct bpf_htab *htab, bool percpu, u32 cpu_count)
{
	u32 lists = percpu ? cpu_count : 1;
	lru->htab = htab;
	lru->percpu = percpu;
	lru->nr_scans = percpu ? PERCPU_NR_SCANS : LOCAL_NR_SCANS;
	lru->lists = area_alloc(lists * sizeof(struct lru_list));
	lru->locals = percpu ? NULL : area_alloc(cpu_count * sizeof(struct lru_local));
	if (!lru->lists || (!percpu && !lru->locals))
		return -ENOMEM;
	for (u32 i = 0; i < lists; i++) {
		for (u32 type = 0; type < 3; type++)
			list_init(&lru->lists[i].lists[type]);
		lru->lists[i].next_inactive_rotation = &lru->lists[i].lists[LRU_INACTIVE];
	}
	for (u32 cpu = 0; !percpu && cpu < cpu_count; cpu++) {
		list_init(&lru->locals[cpu].free);
		list_init(&lru->locals[cpu].pending);
		lru->locals[cpu].next_steal = cpu;
	}
	return 0;
}

void lru_destroy(struct lru *lru, u32 cpu_count)
{
	if (lru->lists)
		area_free(lru->lists, (lru->percpu ? cpu_count : 1) * sizeof(struct lru_list));
	if (lru->locals)
		area_free(lru->locals, cpu_count * sizeof(struct lru_local));
}
