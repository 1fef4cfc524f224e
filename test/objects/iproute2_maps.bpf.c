/* tc's own map definition, struct bpf_elf_map in "maps", and its section names. */
#include "common.h"

struct bpf_elf_map {
  __u32 type;
  __u32 size_key;
  __u32 size_value;
  __u32 max_elem;
  __u32 flags;
  __u32 id;
  __u32 pinning;
  __u32 inner_id;
  __u32 inner_idx;
};

struct bpf_elf_map SEC("maps") jump_table = {
    .type = MAP_PROG_ARRAY, .id = 1, .size_key = 4, .size_value = 4, .max_elem = 3};
struct bpf_elf_map SEC("maps") drops = {
    .type = MAP_ARRAY, .id = 2, .size_key = 4, .size_value = 8, .pinning = 2, .max_elem = 1};

struct __sk_buff {
  __u32 len;
  __u32 pkt_type;
  __u32 mark;
};

SEC("1/0") int case_zero(struct __sk_buff *skb) {
  __u32 key = 0;
  __u64 *value = bpf_map_lookup_elem(&drops, &key);
  if (value) __sync_fetch_and_add(value, skb->len);
  return 2;
}

SEC("classifier") int entry(struct __sk_buff *skb) {
  bpf_tail_call(skb, &jump_table, skb->mark);
  return 0;
}

SEC("action") int act(struct __sk_buff *skb) { return skb->pkt_type ? 2 : -1; }

char _license[] SEC("license") = "GPL";
