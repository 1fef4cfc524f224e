/*
 * Longest prefix match (kernel/bpf/lpm_trie.c, Linux 6.1): a binary trie with skipped levels. A key
 * is a 32-bit prefix length and the bits, most significant first. Nodes that only tell two
 * subtrees apart are marked intermediate and hold no value; each has two children.
 */
#include "lpm_trie.h"

/* -ENOSPC, as Linux has it here, not -E2BIG. */
static s32 add_entry(struct lpm_trie *trie, u64 flags)
{
	if (flags == BPF_EXIST)
		return -ENOENT;
	if (trie->n_entries == trie->map.max_entries)
		return -ENOSPC;
	trie->n_entries++;
	return 0;
}

static u32 bit_of(const u8 *data, u32 index)
{
	return data[index / 8] >> (7 - index % 8) & 1;
}

/* How many leading bits of node and key agree, at most the shorter prefix of both. */
static u32 match_length(const struct lpm_trie *trie, const struct lpm_node *node,
			const struct lpm_key *key)
{
	u32 limit = node->prefixlen < key->prefixlen ? node->prefixlen : key->prefixlen;
	u32 length = 0;
	for (u32 i = 0; i < trie->data_size && length < limit; i++) {
		u32 differ = node->data[i] ^ key->data[i];
		if (differ) {
			length += __builtin_clz(differ) - 24;
			break;
		}
		length += 8;
	}
	return length < limit ? length : limit;
}

EXPORT(trie_lookup) void *trie_lookup(struct bpf_map *map, const void *key_bytes)
{
	struct lpm_trie *trie = (struct lpm_trie *)map;
	const struct lpm_key *key = key_bytes;
	struct lpm_node *found = NULL;
	if (key->prefixlen > trie->max_prefixlen)
		return NULL;
	for (struct lpm_node *node = trie->root; node;) {
		u32 length = match_length(trie, node, key);
		if (length == trie->max_prefixlen) {
			found = node;
			break;
		}
		if (length < node->prefixlen)
			break;
		if (!node->intermediate)
			found = node;
		node = node->child[bit_of(key->data, node->prefixlen)];
	}
	return found ? found->data + trie->data_size : NULL;
}

static u32 node_bytes(const struct lpm_trie *trie, bool intermediate)
{
	return sizeof(struct lpm_node) + trie->data_size + (intermediate ? 0 : trie->map.value_size);
}

static struct lpm_node *alloc_node(struct lpm_trie *trie, u32 prefixlen, const u8 *data,
				   const void *value)
{
	struct lpm_node *node = area_alloc(node_bytes(trie, !value));
	if (!node)
		return NULL;
	node->prefixlen = prefixlen;
	/* A node keeps its size when a deletion makes it intermediate later. */
	node->bytes = node_bytes(trie, !value);
	node->intermediate = !value;
	memcpy(node->data, data, trie->data_size);
	if (value)
		memcpy(node->data + trie->data_size, value, trie->map.value_size);
	return node;
}

static void free_node(struct lpm_node *node)
{
	area_free(node, node->bytes);
}

/* Put `fresh` where `node` hangs in `slot`: in its place, above it, or beside it. */
static s32 insert(struct lpm_trie *trie, struct lpm_node **slot, struct lpm_node *fresh, u32 length,
		  u64 flags)
{
	struct lpm_node *node = *slot;
	if (node && node->prefixlen == length) {
		if (!node->intermediate && flags == BPF_NOEXIST)
			return -EEXIST;
		s32 error = node->intermediate ? add_entry(trie, flags) : 0;
		if (error)
			return error;
		fresh->child[0] = node->child[0];
		fresh->child[1] = node->child[1];
		*slot = fresh;
		free_node(node);
		return 0;
	}
	s32 error = add_entry(trie, flags);
	if (error)
		return error;
	if (node && length == fresh->prefixlen) {
		fresh->child[bit_of(node->data, length)] = node;
	} else if (node) {
		struct lpm_node *fork = alloc_node(trie, length, node->data, NULL);
		if (!fork) {
			trie->n_entries--;
			return -ENOMEM;
		}
		u32 side = bit_of(fresh->data, length);
		fork->child[side] = fresh;
		fork->child[!side] = node;
		fresh = fork;
	}
	*slot = fresh;
	return 0;
}

s32 trie_update(struct bpf_map *map, const void *key_bytes, const void *value, u64 flags)
{
	struct lpm_trie *trie = (struct lpm_trie *)map;
	const struct lpm_key *key = key_bytes;
	if (unlikely(flags > BPF_EXIST || key->prefixlen > trie->max_prefixlen))
		return -EINVAL;
	struct lpm_node *fresh = alloc_node(trie, key->prefixlen, key->data, value);
	if (!fresh)
		return -ENOMEM;
	struct lpm_node **slot = &trie->root, *node;
	u32 length = 0;
	while ((node = *slot)) {
		length = match_length(trie, node, key);
		if (node->prefixlen != length || node->prefixlen == key->prefixlen ||
		    node->prefixlen == trie->max_prefixlen)
			break;
		slot = &node->child[bit_of(key->data, node->prefixlen)];
	}
	s32 error = insert(trie, slot, fresh, length, flags);
	if (error)
		free_node(fresh);
	return error;
}

s32 trie_delete(struct bpf_map *map, const void *key_bytes)
{
	struct lpm_trie *trie = (struct lpm_trie *)map;
	const struct lpm_key *key = key_bytes;
	if (key->prefixlen > trie->max_prefixlen)
		return -EINVAL;
	struct lpm_node **slot = &trie->root, **parent_slot = slot, *parent = NULL, *node;
	u32 length = 0;
	while ((node = *slot)) {
		length = match_length(trie, node, key);
		if (node->prefixlen != length || node->prefixlen == key->prefixlen)
			break;
		parent = node;
		parent_slot = slot;
		slot = &node->child[bit_of(key->data, node->prefixlen)];
	}
	if (!node || node->prefixlen != key->prefixlen || node->prefixlen != length ||
	    node->intermediate)
		return -ENOENT;
	trie->n_entries--;
	if (node->child[0] && node->child[1]) {
		node->intermediate = 1;
		return 0;
	}
	if (parent && parent->intermediate && !node->child[0] && !node->child[1]) {
		/* The fork above tells nothing apart any more: its other child takes its place. */
		*parent_slot = parent->child[parent->child[0] == node];
		free_node(parent);
	} else {
		*slot = node->child[0] ? node->child[0] : node->child[1];
	}
	free_node(node);
	return 0;
}

/* Down to the first node in postorder that holds a value. */
static struct lpm_node *leftmost(struct lpm_node *node)
{
	struct lpm_node *found = NULL;
	while (node) {
		if (node->intermediate) {
			node = node->child[0];
		} else {
			found = node;
			node = node->child[0] ? node->child[0] : node->child[1];
		}
	}
	return found;
}

/* Postorder: more specific prefixes before less specific ones. */
s32 trie_next_key(struct bpf_map *map, const void *key_bytes, void *next)
{
	struct lpm_trie *trie = (struct lpm_trie *)map;
	const struct lpm_key *key = key_bytes;
	struct lpm_node *path[LPM_MAX_PREFIXLEN + 1], *found = NULL;
	s32 depth = -1;
	if (!trie->root)
		return -ENOENT;
	if (key && key->prefixlen <= trie->max_prefixlen) {
		u32 length = 0;
		struct lpm_node *node = trie->root;
		while (node) {
			path[++depth] = node;
			length = match_length(trie, node, key);
			if (node->prefixlen != length || node->prefixlen == key->prefixlen)
				break;
			node = node->child[bit_of(key->data, node->prefixlen)];
		}
		if (!node || node->prefixlen != length || node->intermediate)
			depth = -1;
	}
	if (depth < 0) {
		found = leftmost(trie->root);
	} else {
		for (; depth > 0 && !found; depth--) {
			struct lpm_node *parent = path[depth - 1];
			if (parent->child[0] == path[depth] && parent->child[1])
				found = leftmost(parent->child[1]);
			else if (!parent->intermediate)
				found = parent;
		}
		if (!found)
			return -ENOENT;
	}
	struct lpm_key *out = next;
	out->prefixlen = found->prefixlen;
	memcpy(out->data, found->data, trie->data_size);
	return 0;
}

EXPORT(trie_alloc) s32 trie_alloc(struct bpf_map *map)
{
	struct lpm_trie *trie = (struct lpm_trie *)map;
	trie->data_size = map->key_size - offsetof(struct lpm_key, data);
	trie->max_prefixlen = trie->data_size * 8;
	return 0;
}

/* Leaves first; the walk restarts at the root, as there is no way up. */
EXPORT(trie_free) void trie_free(struct bpf_map *map)
{
	struct lpm_trie *trie = (struct lpm_trie *)map;
	while (trie->root) {
		struct lpm_node **slot = &trie->root;
		while ((*slot)->child[0] || (*slot)->child[1])
			slot = &(*slot)->child[(*slot)->child[0] ? 0 : 1];
		free_node(*slot);
		*slot = NULL;
	}
}
