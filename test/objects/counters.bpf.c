/* The everyday object: maps of several types, globals in every data section, calls, a loop. */
#include "common.h"

struct value {
  __u64 packets;
  __u64 bytes;
};

struct event {
  __u32 source;
  __u16 port;
  __u8 protocol;
};

struct {
  __uint(type, MAP_PERCPU_ARRAY);
  __uint(max_entries, 256);
  __type(key, __u32);
  __type(value, struct value);
} protocols SEC(".maps");

struct {
  __uint(type, MAP_HASH);
  __uint(max_entries, 1024);
  __uint(map_flags, 1); /* BPF_F_NO_PREALLOC */
  __type(key, __u32);
  __type(value, struct value);
} sources SEC(".maps");

struct {
  __uint(type, MAP_RINGBUF);
  __uint(max_entries, 4096);
} events SEC(".maps");

const volatile __u16 blocked_port = 4242;
const volatile struct {
  __u32 mask;
  __u8 on;
} options = {0xffffff00, 1};
__u64 limit = 1000;
__u64 dropped;
static volatile __u32 last_length;

static __noinline void count(struct value *value, __u64 bytes) {
  __sync_fetch_and_add(&value->packets, 1);
  __sync_fetch_and_add(&value->bytes, bytes);
}

/* A global function: verified on its own. */
__noinline int checksum(const __u8 *data, int length) {
  __u32 sum = 0;
  for (int i = 0; i < 20; i++) {
    if (i < length) sum += data ? i * 3 : i;
    asm volatile("" : "+r"(sum));
  }
  return sum;
}

SEC("xdp")
int count_packets(struct xdp_md *ctx) {
  __u8 *data = (void *)(long)ctx->data;
  __u8 *end = (void *)(long)ctx->data_end;
  __u32 key;
  struct value *value;

  if (data + 38 > end) return XDP_PASS;
  last_length = end - data;
  key = data[23];
  value = bpf_map_lookup_elem(&protocols, &key);
  if (value) count(value, end - data);
  key = *(__u32 *)(data + 26) & options.mask;
  value = bpf_map_lookup_elem(&sources, &key);
  if (value) {
    count(value, end - data);
  } else {
    struct value first = {1, end - data};
    bpf_map_update_elem(&sources, &key, &first, 0);
  }
  if (options.on && __builtin_bswap16(*(__u16 *)(data + 36)) == blocked_port) {
    dropped++;
    struct event *event = bpf_ringbuf_reserve(&events, sizeof(*event), 0);
    if (event) {
      event->source = key;
      event->port = blocked_port;
      event->protocol = data[23];
      bpf_ringbuf_submit(event, 0);
    }
    return XDP_DROP;
  }
  return dropped > limit ? XDP_ABORTED : XDP_PASS;
}

SEC("xdp.frags")
int sum_head(struct xdp_md *ctx) {
  static const char format[] = "sum %d\n";
  int sum = checksum(0, ctx->rx_queue_index);
  bpf_trace_printk(format, sizeof(format), sum);
  return sum == 7 ? XDP_DROP : XDP_PASS;
}

char _license[] SEC("license") = "GPL";
__u32 _version SEC("version") = 0x60100;
