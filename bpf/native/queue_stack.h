/* See queue_stack.c. */
#ifndef SKEP_QUEUE_STACK_H
#define SKEP_QUEUE_STACK_H

#include "map.h"

struct queue_stack {
	struct bpf_map map;
	u32 lock;
	u32 head, tail;
	u32 size;
	u8 elements[] __attribute__((aligned(8)));
};

s32 queue_stack_push(struct bpf_map *map, const void *value, u64 flags);
s32 queue_stack_get(struct bpf_map *map, void *value, bool pop);

#endif
