/* See tcam.c. */
#ifndef SKEP_TCAM_H
#define SKEP_TCAM_H

#include "map.h"

struct tcam {
	struct bpf_map map;
	u32 count;
	/* Of a slot: key and value, each rounded up to 8. */
	u32 slot_bytes;
	/* All slots by number: those in use in the order in which they match, then the free ones. */
	u32 order[];
};

void *tcam_match(struct bpf_map *map, const void *key);
void *tcam_find(struct bpf_map *map, const void *key);
s32 tcam_update(struct bpf_map *map, const void *key, const void *value, u64 flags);
s32 tcam_delete(struct bpf_map *map, const void *key);
s32 tcam_next_key(struct bpf_map *map, const void *key, void *next);

#endif
