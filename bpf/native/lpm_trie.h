/* See lpm_trie.c. */
#ifndef SKEP_LPM_TRIE_H
#define SKEP_LPM_TRIE_H

#include "map.h"

/* LPM_DATA_SIZE_MAX is 256 bytes. */
#define LPM_MAX_PREFIXLEN 2048

struct lpm_key {
	u32 prefixlen;
	u8 data[];
};

/* 40 bytes before the data, as struct lpm_trie_node on x86-64. */
struct lpm_node {
	u32 bytes;
	u32 pad[3];
	struct lpm_node *child[2];
	u32 pad_child[2];
	u32 prefixlen;
	u32 intermediate;
	u8 data[];
};
_Static_assert(sizeof(struct lpm_node) == 40, "sizeof(struct lpm_trie_node)");

struct lpm_trie {
	struct bpf_map map;
	struct lpm_node *root;
	u32 n_entries;
	u32 max_prefixlen;
	u32 data_size;
};

void *trie_lookup(struct bpf_map *map, const void *key);
s32 trie_update(struct bpf_map *map, const void *key, const void *value, u64 flags);
s32 trie_delete(struct bpf_map *map, const void *key);
s32 trie_next_key(struct bpf_map *map, const void *key, void *next);

#endif
