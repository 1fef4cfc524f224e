/* Mistakes with maps and with what is in them. */
#include "mistakes.h"

struct slots {
  __u32 next;
  __u32 used;
  __u8 bytes[16];
};

struct {
  __uint(type, BPF_MAP_TYPE_ARRAY);
  __uint(max_entries, 4);
  __type(key, __u32);
  __type(value, struct slots);
} table SEC(".maps");

struct flow {
  __u8 protocol;
  __u32 address;
  __u16 port;
};

struct {
  __uint(type, BPF_MAP_TYPE_HASH);
  __uint(max_entries, 64);
  __type(key, struct flow);
  __type(value, __u64);
} flows SEC(".maps");

struct packed_flow {
  __u32 address;
  __u16 port;
  __u16 protocol;
};

struct {
  __uint(type, BPF_MAP_TYPE_HASH);
  __uint(max_entries, 64);
  __type(key, struct packed_flow);
  __type(value, __u64);
} packed_flows SEC(".maps");

struct {
  __uint(type, BPF_MAP_TYPE_PROG_ARRAY);
  __uint(max_entries, 4);
  __type(key, __u32);
  __type(value, __u32);
} programs SEC(".maps");

struct guarded {
  struct bpf_spin_lock lock;
  __u32 count;
};

struct {
  __uint(type, BPF_MAP_TYPE_ARRAY);
  __uint(max_entries, 1);
  __type(key, __u32);
  __type(value, struct guarded);
} guarded SEC(".maps");

__u64 counters[8];
const volatile __u32 limit = 100;

SEC("xdp") int lookup_unchecked(struct xdp_md *ctx) {
  __u32 key = 0;
  struct slots *slots = bpf_map_lookup_elem(&table, &key);
  slots->used++;
  return XDP_PASS;
}

SEC("xdp") int lookup_unchecked_mended(struct xdp_md *ctx) {
  __u32 key = 0;
  struct slots *slots = bpf_map_lookup_elem(&table, &key);
  if (slots)
    slots->used++;
  return XDP_PASS;
}

SEC("xdp") int lookup_check_inverted(struct xdp_md *ctx) {
  __u32 key = 0;
  struct slots *slots = bpf_map_lookup_elem(&table, &key);
  if (slots)
    return XDP_PASS;
  return slots->used;
}

SEC("xdp") int lookup_check_inverted_mended(struct xdp_md *ctx) {
  __u32 key = 0;
  struct slots *slots = bpf_map_lookup_elem(&table, &key);
  if (!slots)
    return XDP_PASS;
  return slots->used;
}

SEC("xdp") int index_one_too_much(struct xdp_md *ctx) {
  __u32 key = 0;
  struct slots *slots = bpf_map_lookup_elem(&table, &key);
  if (!slots)
    return XDP_PASS;
  __u32 next = slots->next;
  if (next > 16)
    return XDP_PASS;
  slots->bytes[next] = 1;
  return XDP_PASS;
}

SEC("xdp") int index_one_too_much_mended(struct xdp_md *ctx) {
  __u32 key = 0;
  struct slots *slots = bpf_map_lookup_elem(&table, &key);
  if (!slots)
    return XDP_PASS;
  __u32 next = slots->next;
  if (next >= 16)
    return XDP_PASS;
  slots->bytes[next] = 1;
  return XDP_PASS;
}

SEC("xdp") int index_unbounded(struct xdp_md *ctx) {
  __u32 key = 0;
  struct slots *slots = bpf_map_lookup_elem(&table, &key);
  if (!slots)
    return XDP_PASS;
  slots->bytes[slots->next] = 1;
  return XDP_PASS;
}

SEC("xdp") int index_unbounded_mended(struct xdp_md *ctx) {
  __u32 key = 0;
  struct slots *slots = bpf_map_lookup_elem(&table, &key);
  if (!slots)
    return XDP_PASS;
  slots->bytes[slots->next & 15] = 1;
  return XDP_PASS;
}

SEC("xdp") int index_signed(struct xdp_md *ctx) {
  __u32 key = 0;
  struct slots *slots = bpf_map_lookup_elem(&table, &key);
  if (!slots)
    return XDP_PASS;
  __s64 next = *(volatile __s64 *)slots;
  if (next > 15)
    return XDP_PASS;
  slots->bytes[next] = 1;
  return XDP_PASS;
}

SEC("xdp") int index_signed_mended(struct xdp_md *ctx) {
  __u32 key = 0;
  struct slots *slots = bpf_map_lookup_elem(&table, &key);
  if (!slots)
    return XDP_PASS;
  __s64 next = *(volatile __s64 *)slots;
  if (next < 0 || next > 15)
    return XDP_PASS;
  slots->bytes[next] = 1;
  return XDP_PASS;
}

SEC("xdp") int index_of_global(struct xdp_md *ctx) {
  counters[ctx->rx_queue_index]++;
  return XDP_PASS;
}

SEC("xdp") int index_of_global_mended(struct xdp_md *ctx) {
  counters[ctx->rx_queue_index & 7]++;
  return XDP_PASS;
}

SEC("xdp") int value_too_small(struct xdp_md *ctx) {
  __u32 key = 0;
  __u64 *value = bpf_map_lookup_elem(&table, &key);
  if (value)
    value[3]++;
  return XDP_PASS;
}

SEC("xdp") int value_too_small_mended(struct xdp_md *ctx) {
  __u32 key = 0;
  __u64 *value = bpf_map_lookup_elem(&table, &key);
  if (value)
    value[2]++;
  return XDP_PASS;
}

SEC("xdp") int constant_written(struct xdp_md *ctx) {
  *(volatile __u32 *)&limit = ctx->rx_queue_index;
  return XDP_PASS;
}

SEC("xdp") int constant_written_mended(struct xdp_md *ctx) {
  if (ctx->rx_queue_index > limit)
    return XDP_DROP;
  return XDP_PASS;
}

SEC("xdp") int key_by_value(struct xdp_md *ctx) {
  __u32 key = 3;
  void *value = bpf_map_lookup_elem(&table, (void *)(long)key);
  return value ? XDP_DROP : XDP_PASS;
}

SEC("xdp") int key_by_value_mended(struct xdp_md *ctx) {
  __u32 key = 3;
  void *value = bpf_map_lookup_elem(&table, &key);
  return value ? XDP_DROP : XDP_PASS;
}

SEC("xdp") int key_with_padding(struct xdp_md *ctx) {
  struct flow flow;
  flow.protocol = 6;
  flow.address = ctx->ingress_ifindex;
  flow.port = 80;
  __u64 *count = bpf_map_lookup_elem(&flows, &flow);
  return count ? XDP_DROP : XDP_PASS;
}

SEC("xdp") int key_with_padding_mended(struct xdp_md *ctx) {
  struct packed_flow flow;
  flow.protocol = 6;
  flow.address = ctx->ingress_ifindex;
  flow.port = 80;
  __u64 *count = bpf_map_lookup_elem(&packed_flows, &flow);
  return count ? XDP_DROP : XDP_PASS;
}

SEC("xdp") int tail_call_of_table(struct xdp_md *ctx) {
  bpf_tail_call(ctx, &table, 0);
  return XDP_PASS;
}

SEC("xdp") int tail_call_of_table_mended(struct xdp_md *ctx) {
  bpf_tail_call(ctx, &programs, 0);
  return XDP_PASS;
}

SEC("xdp") int lookup_in_programs(struct xdp_md *ctx) {
  __u32 key = 0;
  return bpf_map_lookup_elem(&programs, &key) ? XDP_DROP : XDP_PASS;
}

SEC("xdp") int lookup_in_programs_mended(struct xdp_md *ctx) {
  __u32 key = 0;
  return bpf_map_lookup_elem(&table, &key) ? XDP_DROP : XDP_PASS;
}

SEC("xdp") int map_for_value(struct xdp_md *ctx) {
  *(volatile __u32 *)&table = 1;
  return XDP_PASS;
}

SEC("xdp") int map_for_value_mended(struct xdp_md *ctx) {
  __u32 key = 0;
  __u32 *value = bpf_map_lookup_elem(&table, &key);
  if (value)
    *value = 1;
  return XDP_PASS;
}

SEC("tc") int returns_locked(struct __sk_buff *skb) {
  __u32 key = 0;
  struct guarded *value = bpf_map_lookup_elem(&guarded, &key);
  if (!value)
    return 0;
  bpf_spin_lock(&value->lock);
  if (value->count > 100)
    return 2;
  value->count++;
  bpf_spin_unlock(&value->lock);
  return 0;
}

SEC("tc") int returns_locked_mended(struct __sk_buff *skb) {
  __u32 key = 0;
  struct guarded *value = bpf_map_lookup_elem(&guarded, &key);
  if (!value)
    return 0;
  bpf_spin_lock(&value->lock);
  if (value->count > 100) {
    bpf_spin_unlock(&value->lock);
    return 2;
  }
  value->count++;
  bpf_spin_unlock(&value->lock);
  return 0;
}

SEC("tc") int calls_locked(struct __sk_buff *skb) {
  __u32 key = 0;
  struct guarded *value = bpf_map_lookup_elem(&guarded, &key);
  if (!value)
    return 0;
  bpf_spin_lock(&value->lock);
  value->count = bpf_get_prandom_u32();
  bpf_spin_unlock(&value->lock);
  return 0;
}

SEC("tc") int calls_locked_mended(struct __sk_buff *skb) {
  __u32 key = 0;
  struct guarded *value = bpf_map_lookup_elem(&guarded, &key);
  if (!value)
    return 0;
  __u32 random = bpf_get_prandom_u32();
  bpf_spin_lock(&value->lock);
  value->count = random;
  bpf_spin_unlock(&value->lock);
  return 0;
}

SEC("tc") int lock_overwritten(struct __sk_buff *skb) {
  __u32 key = 0;
  struct guarded *value = bpf_map_lookup_elem(&guarded, &key);
  if (value)
    *(volatile __u64 *)value = 0;
  return 0;
}

SEC("tc") int lock_overwritten_mended(struct __sk_buff *skb) {
  __u32 key = 0;
  struct guarded *value = bpf_map_lookup_elem(&guarded, &key);
  if (value)
    value->count = 0;
  return 0;
}

char LICENSE[] SEC("license") = "GPL";
