/* Two programs for places of a dispatcher: one counts packets, one drops those of an odd length. */
#include "common.h"

struct {
  __uint(type, MAP_ARRAY);
  __uint(max_entries, 1);
  __type(key, __u32);
  __type(value, __u64);
} packets SEC(".maps");

static __noinline __u64 length(struct xdp_md *ctx) {
  return (__u64)ctx->data_end - (__u64)ctx->data;
}

SEC("freplace/prog0")
int count(struct xdp_md *ctx) {
  __u32 key = 0;
  __u64 *value = bpf_map_lookup_elem(&packets, &key);

  if (value)
    __sync_fetch_and_add(value, 1);
  return XDP_PASS;
}

SEC("freplace/prog1")
int drop_odd(struct xdp_md *ctx) {
  return length(ctx) & 1 ? XDP_DROP : XDP_PASS;
}
