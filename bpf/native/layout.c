/* Offsets and sizes that TypeScript needs or checks, by name; see layout.test.ts. */
#include "array.h"
#include "bloom.h"
#include "hashtab.h"
#include "lpm_trie.h"
#include "queue_stack.h"
#include "tcam.h"

struct layout_entry {
	const char *name;
	u32 value;
};

#define MAP(member) { "bpf_map." #member, offsetof(struct bpf_map, member) }
#define SIZE(type) { "sizeof " #type, sizeof(struct type) }

static const struct layout_entry entries[] = {
	MAP(ops), MAP(inner_map_meta), MAP(security), MAP(map_type), MAP(key_size), MAP(value_size),
	MAP(max_entries), MAP(map_extra), MAP(map_flags), MAP(spin_lock_off), MAP(kptr_off_tab),
	MAP(timer_off), MAP(id), MAP(numa_node), MAP(btf_key_type_id), MAP(btf_value_type_id),
	MAP(btf_vmlinux_value_type_id), MAP(btf), MAP(objcg), MAP(name), MAP(off_arr), MAP(refcnt),
	MAP(usercnt), MAP(cpu_stride), MAP(cpu_count), MAP(work), MAP(freeze_mutex), MAP(writecnt),
	MAP(owner_lock), MAP(owner), MAP(bypass_spec_v1), MAP(frozen), MAP(free_after_mult_rcu_gp),
	MAP(elem_count), MAP(cookie),
	SIZE(bpf_map), SIZE(bpf_htab), SIZE(lpm_trie), SIZE(queue_stack), SIZE(bloom), SIZE(tcam),
	SIZE(bpf_map_off_arr),
	{ "bpf_array.elem_size", offsetof(struct bpf_array, elem_size) },
	{ "bpf_array.index_mask", offsetof(struct bpf_array, index_mask) },
	{ "bpf_array.value", offsetof(struct bpf_array, value) },
	{ "htab_elem.next", offsetof(struct htab_elem, next) },
	{ "htab_elem.key", offsetof(struct htab_elem, key) },
	{ "bpf_map_off_arr.field_off", offsetof(struct bpf_map_off_arr, field_off) },
	{ "bpf_map_off_arr.field_sz", offsetof(struct bpf_map_off_arr, field_sz) },
};

EXPORT(layout_entry) const struct layout_entry *layout_entry(u32 index)
{
	return index < sizeof(entries) / sizeof(entries[0]) ? &entries[index] : NULL;
}
