/* Queue and stack maps (kernel/bpf/queue_stack_maps.c, Linux 6.1): a ring with one slot to spare. */
#include "queue_stack.h"

s32 queue_stack_push(struct bpf_map *map, const void *value, u64 flags)
{
	struct queue_stack *qs = (struct queue_stack *)map;
	if ((flags & BPF_NOEXIST) || flags > BPF_EXIST)
		return -EINVAL;
	u32 after = qs->head + 1 < qs->size ? qs->head + 1 : 0;
	if (after == qs->tail) {
		/* BPF_EXIST makes room by giving up the oldest. */
		if (!(flags & BPF_EXIST))
			return -E2BIG;
		qs->tail = qs->tail + 1 < qs->size ? qs->tail + 1 : 0;
	}
	memcpy(qs->elements + qs->head * map->value_size, value, map->value_size);
	qs->head = after;
	return 0;
}

/* The oldest of a queue, the newest of a stack. */
s32 queue_stack_get(struct bpf_map *map, void *value, bool pop)
{
	struct queue_stack *qs = (struct queue_stack *)map;
	if (qs->head == qs->tail) {
		memset(value, 0, map->value_size);
		return -ENOENT;
	}
	if (map->map_type == BPF_MAP_TYPE_QUEUE) {
		memcpy(value, qs->elements + qs->tail * map->value_size, map->value_size);
		if (pop)
			qs->tail = qs->tail + 1 < qs->size ? qs->tail + 1 : 0;
		return 0;
	}
	u32 newest = qs->head ? qs->head - 1 : qs->size - 1;
	memcpy(value, qs->elements + newest * map->value_size, map->value_size);
	if (pop)
		qs->head = newest;
	return 0;
}

/* The caller has allocated room for max_entries + 1 elements. */
EXPORT(queue_stack_alloc) s32 queue_stack_alloc(struct bpf_map *map)
{
	((struct queue_stack *)map)->size = map->max_entries + 1;
	return 0;
}
