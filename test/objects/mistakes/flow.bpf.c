/* Mistakes with loops, functions, the stack, the context and the return value. */
#include "mistakes.h"

struct {
  __uint(type, BPF_MAP_TYPE_ARRAY);
  __uint(max_entries, 1);
  __type(key, __u32);
  __type(value, __u64);
} numbers SEC(".maps");

SEC("xdp") int waits_for_flag(struct xdp_md *ctx) {
  __u32 key = 0;
  volatile __u64 *flag = bpf_map_lookup_elem(&numbers, &key);
  if (!flag)
    return XDP_PASS;
  while (*flag == 0)
    ;
  return XDP_DROP;
}

SEC("xdp") int waits_for_flag_mended(struct xdp_md *ctx) {
  __u32 key = 0;
  volatile __u64 *flag = bpf_map_lookup_elem(&numbers, &key);
  if (!flag)
    return XDP_PASS;
  for (int tries = 0; tries < 16; tries++)
    if (*flag != 0)
      return XDP_DROP;
  return XDP_PASS;
}

SEC("xdp") int loop_without_bound(struct xdp_md *ctx) {
  __u32 count = ctx->rx_queue_index, sum = 0;
  for (__u32 i = 0; i < count; i++)
    sum += bpf_get_prandom_u32() & 1;
  return sum > 4 ? XDP_DROP : XDP_PASS;
}

SEC("xdp") int loop_without_bound_mended(struct xdp_md *ctx) {
  __u32 count = ctx->rx_queue_index, sum = 0;
  for (__u32 i = 0; i < count && i < 64; i++)
    sum += bpf_get_prandom_u32() & 1;
  return sum > 4 ? XDP_DROP : XDP_PASS;
}

__noinline int countdown(int n) {
  volatile int left = n;
  if (left <= 0)
    return 0;
  return countdown(left - 1) + left;
}

SEC("xdp") int recursion(struct xdp_md *ctx) {
  return countdown(4) > 4 ? XDP_DROP : XDP_PASS;
}

SEC("xdp") int recursion_mended(struct xdp_md *ctx) {
  int sum = 0;
  for (int n = 4; n > 0; n--)
    sum += n;
  return sum > ctx->rx_queue_index ? XDP_DROP : XDP_PASS;
}

static __noinline int second(volatile char *out, int n) {
  volatile char buf[300];
  buf[n & 255] = n;
  out[0] = buf[0];
  return buf[0];
}

SEC("xdp") int large_stacks(struct xdp_md *ctx) {
  volatile char buf[300];
  buf[1] = 2;
  return second(buf, ctx->rx_queue_index) > buf[1] ? XDP_DROP : XDP_PASS;
}

SEC("xdp") int large_stacks_mended(struct xdp_md *ctx) {
  volatile char buf[100];
  buf[1] = 2;
  return second(buf, ctx->rx_queue_index) > buf[1] ? XDP_DROP : XDP_PASS;
}

SEC("xdp") int context_indexed(struct xdp_md *ctx) {
  __u32 at = ctx->rx_queue_index & 3;
  return ((volatile __u32 *)ctx)[at + 2] ? XDP_DROP : XDP_PASS;
}

SEC("xdp") int context_indexed_mended(struct xdp_md *ctx) {
  return ctx->ingress_ifindex ? XDP_DROP : XDP_PASS;
}

SEC("xdp") int context_too_wide(struct xdp_md *ctx) {
  return *(volatile __u64 *)((long)ctx + 16) ? XDP_DROP : XDP_PASS;
}

SEC("xdp") int context_too_wide_mended(struct xdp_md *ctx) {
  return *(volatile __u32 *)&ctx->rx_queue_index ? XDP_DROP : XDP_PASS;
}

SEC("xdp") int context_written(struct xdp_md *ctx) {
  ctx->rx_queue_index = 3;
  return XDP_PASS;
}

SEC("xdp") int context_written_mended(struct xdp_md *ctx) {
  return ctx->rx_queue_index == 3 ? XDP_DROP : XDP_PASS;
}

SEC("tc") int atomic_on_context(struct __sk_buff *skb) {
  __sync_fetch_and_add(&skb->mark, 1);
  return 0;
}

SEC("tc") int atomic_on_context_mended(struct __sk_buff *skb) {
  skb->mark += 1;
  return 0;
}

SEC("cgroup_skb/ingress") int returns_too_much(struct __sk_buff *skb) {
  return skb->len > 100 ? 5 : 1;
}

SEC("cgroup_skb/ingress") int returns_too_much_mended(struct __sk_buff *skb) {
  return skb->len > 100 ? 0 : 1;
}

static long count_up(__u32 round, __u64 *sum) {
  *sum += round;
  return *sum > 100 ? 2 : 0;
}

static long count_up_mended(__u32 round, __u64 *sum) {
  *sum += round;
  return *sum > 100 ? 1 : 0;
}

SEC("xdp") int callback_returns_two(struct xdp_md *ctx) {
  __u64 sum = 0;
  bpf_loop(32, count_up, &sum, 0);
  return sum > 100 ? XDP_DROP : XDP_PASS;
}

SEC("xdp") int callback_returns_two_mended(struct xdp_md *ctx) {
  __u64 sum = 0;
  bpf_loop(32, count_up_mended, &sum, 0);
  return sum > 100 ? XDP_DROP : XDP_PASS;
}

SEC("xdp") int array_on_stack(struct xdp_md *ctx) {
  volatile __u32 table[4] = {1, 2, 3, 4};
  return table[ctx->rx_queue_index & 7] > 2 ? XDP_DROP : XDP_PASS;
}

SEC("xdp") int array_on_stack_mended(struct xdp_md *ctx) {
  volatile __u32 table[4] = {1, 2, 3, 4};
  return table[ctx->rx_queue_index & 3] > 2 ? XDP_DROP : XDP_PASS;
}

SEC("xdp") int pointer_to_map(struct xdp_md *ctx) {
  __u32 key = 0;
  __u64 *value = bpf_map_lookup_elem(&numbers, &key);
  if (value)
    *(void *volatile *)value = ctx;
  return XDP_PASS;
}

SEC("xdp") int pointer_to_map_mended(struct xdp_md *ctx) {
  __u32 key = 0;
  __u64 *value = bpf_map_lookup_elem(&numbers, &key);
  if (value)
    *value = ctx->rx_queue_index;
  return XDP_PASS;
}

SEC("xdp") int pointer_multiplied(struct xdp_md *ctx) {
  __u64 at = (__u64)ctx * 3;
  return at > 100 ? XDP_DROP : XDP_PASS;
}

SEC("xdp") int pointer_multiplied_mended(struct xdp_md *ctx) {
  __u64 at = (__u64)ctx->rx_queue_index * 3;
  return at > 100 ? XDP_DROP : XDP_PASS;
}

char LICENSE[] SEC("license") = "GPL";
