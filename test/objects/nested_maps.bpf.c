/* Maps in maps, programs in maps, pinning, a callback by address, a custom data section. */
#include "common.h"

struct inner {
  __uint(type, MAP_ARRAY);
  __uint(max_entries, 4);
  __type(key, __u32);
  __type(value, __u64);
};

struct inner inner_a SEC(".maps"), inner_b SEC(".maps");

struct {
  __uint(type, MAP_ARRAY_OF_MAPS);
  __uint(max_entries, 3);
  __uint(key_size, sizeof(__u32));
  __array(values, struct inner);
} outer SEC(".maps") = {.values = {[0] = &inner_a, [2] = &inner_b}};

struct {
  __uint(type, MAP_HASH_OF_MAPS);
  __uint(max_entries, 8);
  __type(key, __u64);
  __array(
      values, struct {
        __uint(type, MAP_HASH);
        __uint(max_entries, 2);
        __type(key, __u32);
        __type(value, __u32);
      });
} dynamic SEC(".maps");

int tail_one(struct xdp_md *ctx);
struct {
  __uint(type, MAP_PROG_ARRAY);
  __uint(max_entries, 2);
  __uint(key_size, sizeof(__u32));
  __array(values, int(struct xdp_md *));
} tails SEC(".maps") = {.values = {[1] = (void *)&tail_one}};

struct {
  __uint(type, MAP_ARRAY);
  __uint(max_entries, 1);
  __uint(pinning, 1); /* LIBBPF_PIN_BY_NAME */
  __type(key, __u32);
  __type(value, __u64);
} shared SEC(".maps");

__u64 tuning[4] SEC(".data.tuning") = {1, 2, 3, 4};
const char banner[] SEC(".rodata.banner") = "banner";

struct sum {
  __u64 total;
};

static long add_up(__u32 index, struct sum *sum) {
  sum->total += tuning[index & 3];
  return 0;
}

SEC("xdp")
int tail_one(struct xdp_md *ctx) {
  struct sum sum = {0};
  bpf_loop(4, add_up, &sum, 0);
  return sum.total == 10 ? XDP_PASS : XDP_ABORTED;
}

SEC("xdp")
int root(struct xdp_md *ctx) {
  __u32 key = 0;
  void *map = bpf_map_lookup_elem(&outer, &key);
  if (!map) return XDP_DROP;
  __u64 *value = bpf_map_lookup_elem(map, &key);
  if (value) *value += banner[key & 3];
  bpf_tail_call(ctx, &tails, 1);
  return XDP_DROP;
}

SEC("xdp/devmap")
int second(struct xdp_md *ctx) {
  __u64 key = 7;
  __u32 inner_key = 1;
  void *map = bpf_map_lookup_elem(&dynamic, &key);
  if (map) {
    __u32 *value = bpf_map_lookup_elem(map, &inner_key);
    if (value) return *value;
  }
  __u32 zero = 0;
  __u64 *value = bpf_map_lookup_elem(&shared, &zero);
  return value && *value ? XDP_TX : XDP_PASS;
}

char _license[] SEC("license") = "Dual BSD/GPL";
