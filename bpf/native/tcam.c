/*
 * Ternary maps, which are skep's own: what the content-addressable memory of a switch does. A key is
 * a u32 priority, then as many bytes of data as of mask. An entry matches where the data agree in
 * the bits of its mask; of those that match, the one with the lowest priority number counts, of
 * several with the same the one that has been there longest.
 */
#include "tcam.h"

#define PRIORITY_BYTES 4

static u8 *slot_at(struct tcam *tcam, u32 slot)
{
	u8 *slots = (u8 *)tcam->order + round_up(tcam->map.max_entries * sizeof(u32), 8);
	return slots + slot * tcam->slot_bytes;
}

static u8 *value_of(struct tcam *tcam, u8 *slot)
{
	return slot + round_up(tcam->map.key_size, 8);
}

static u32 priority_of(const u8 *key)
{
	u32 priority;
	memcpy(&priority, key, sizeof(priority));
	return priority;
}

/* A program's look-up; priority and mask of the key that it asks with do not matter. */
void *tcam_match(struct bpf_map *map, const void *key)
{
	struct tcam *tcam = (struct tcam *)map;
	const u8 *wanted = (const u8 *)key + PRIORITY_BYTES;
	u32 bytes = (map->key_size - PRIORITY_BYTES) / 2;
	for (u32 i = 0; i < tcam->count; i++) {
		u8 *slot = slot_at(tcam, tcam->order[i]);
		const u8 *data = slot + PRIORITY_BYTES, *mask = data + bytes;
		u32 at = 0;
		while (at < bytes && !((data[at] ^ wanted[at]) & mask[at]))
			at++;
		if (at == bytes)
			return value_of(tcam, slot);
	}
	return NULL;
}

/* Where in the order the entry of exactly this key is; the count where there is none. */
static u32 place_of(struct tcam *tcam, const void *key)
{
	u32 place = 0;
	while (place < tcam->count &&
	       !bytes_equal(slot_at(tcam, tcam->order[place]), key, tcam->map.key_size))
		place++;
	return place;
}

/* bpf(2)'s look-up: the entry of exactly this key. */
void *tcam_find(struct bpf_map *map, const void *key)
{
	struct tcam *tcam = (struct tcam *)map;
	u32 place = place_of(tcam, key);
	return place < tcam->count ? value_of(tcam, slot_at(tcam, tcam->order[place])) : NULL;
}

/* Data may be set only where the mask is, so that an entry has one key. */
static bool is_canonical(const struct bpf_map *map, const u8 *key)
{
	u32 bytes = (map->key_size - PRIORITY_BYTES) / 2;
	const u8 *data = key + PRIORITY_BYTES, *mask = data + bytes;
	for (u32 at = 0; at < bytes; at++)
		if (data[at] & ~mask[at])
			return false;
	return true;
}

s32 tcam_update(struct bpf_map *map, const void *key, const void *value, u64 flags)
{
	struct tcam *tcam = (struct tcam *)map;
	if (flags > BPF_EXIST || !is_canonical(map, key))
		return -EINVAL;
	void *old = tcam_find(map, key);
	s32 refused = check_flags(old, flags);
	if (refused)
		return refused;
	if (old) {
		memcpy(old, value, map->value_size);
		return 0;
	}
	if (tcam->count == map->max_entries)
		return -ENOSPC;
	u32 free_slot = tcam->order[tcam->count], place = tcam->count;
	u32 priority = priority_of(key);
	while (place && priority_of(slot_at(tcam, tcam->order[place - 1])) > priority) {
		tcam->order[place] = tcam->order[place - 1];
		place--;
	}
	tcam->order[place] = free_slot;
	tcam->count++;
	u8 *slot = slot_at(tcam, free_slot);
	memcpy(slot, key, map->key_size);
	memcpy(value_of(tcam, slot), value, map->value_size);
	return 0;
}

s32 tcam_delete(struct bpf_map *map, const void *key)
{
	struct tcam *tcam = (struct tcam *)map;
	u32 place = place_of(tcam, key);
	if (place == tcam->count)
		return -ENOENT;
	u32 slot = tcam->order[place];
	tcam->count--;
	for (; place < tcam->count; place++)
		tcam->order[place] = tcam->order[place + 1];
	tcam->order[tcam->count] = slot;
	return 0;
}

/* In the order in which they match; after a key that is not there comes the first, as in a hash. */
s32 tcam_next_key(struct bpf_map *map, const void *key, void *next)
{
	struct tcam *tcam = (struct tcam *)map;
	u32 place = key ? place_of(tcam, key) : tcam->count;
	place = place == tcam->count ? 0 : place + 1;
	if (place >= tcam->count)
		return -ENOENT;
	memcpy(next, slot_at(tcam, tcam->order[place]), map->key_size);
	return 0;
}

/* The caller has allocated room for the order and the slots. */
EXPORT(tcam_alloc) s32 tcam_alloc(struct bpf_map *map)
{
	struct tcam *tcam = (struct tcam *)map;
	tcam->slot_bytes = round_up(map->key_size, 8) + round_up(map->value_size, 8);
	for (u32 slot = 0; slot < map->max_entries; slot++)
		tcam->order[slot] = slot;
	return 0;
}
