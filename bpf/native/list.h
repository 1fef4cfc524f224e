/* Circular doubly linked lists with a head, in the 16 bytes of Linux's struct list_head. */
#ifndef SKEP_LIST_H
#define SKEP_LIST_H

#include "kernel.h"

struct list_head {
	struct list_head *next __attribute__((aligned(8)));
	struct list_head *prev __attribute__((aligned(8)));
};

static inline void list_init(struct list_head *list)
{
	list->next = list->prev = list;
}

static inline bool list_empty(const struct list_head *list)
{
	return list->next == list;
}

static inline void list_add(struct list_head *node, struct list_head *head)
{
	node->next = head->next;
	node->prev = head;
	head->next->prev = node;
	head->next = node;
}

static inline void list_del(struct list_head *node)
{
	node->prev->next = node->next;
	node->next->prev = node->prev;
}

static inline void list_move(struct list_head *node, struct list_head *head)
{
	list_del(node);
	list_add(node, head);
}

#endif
