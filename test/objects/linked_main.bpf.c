/* The main part: its program calls functions, counts in a map and reads variables of the other part. */
#include "linked.h"

extern int parse(struct packet *packet, struct flow *flow);
extern int optional(int length) __weak;
extern __u32 blocked_port;
extern const __u32 version;
extern int LINUX_KERNEL_VERSION __kconfig;
extern unsigned CONFIG_HZ __kconfig;

extern struct {
  __uint(type, MAP_HASH);
  __uint(max_entries, 1024);
  __type(key, struct flow);
  __type(value, struct flow_count);
} flows __attribute__((section(".maps")));

struct {
  __uint(type, MAP_ARRAY);
  __uint(max_entries, 4);
  __type(key, __u32);
  __type(value, __u64);
} totals SEC(".maps");

static const char greeting[] = "main part";
const char *unused_pointer;
__u64 packets_seen;
static __u64 bytes_seen;
volatile const __u32 limit = 100;

static __noinline int account(int bytes) {
  __u32 key = 1;
  __u64 *total = bpf_map_lookup_elem(&totals, &key);
  if (total) *total += bytes;
  bytes_seen += bytes;
  return bytes_seen > limit;
}

/* Loses against the other part's. */
__weak int tuned(int value) {
  return value + 1;
}

SEC("xdp")
int linked_main(struct xdp_md *ctx) {
  struct packet packet = {(void *)(long)ctx->data, (void *)(long)ctx->data_end};
  struct flow flow = {};
  int bytes = packet.end - packet.data;
  packets_seen++;
  bpf_trace_printk(greeting, sizeof(greeting));
  if (parse(&packet, &flow) < 0) return XDP_PASS;
  struct flow_count *count = bpf_map_lookup_elem(&flows, &flow);
  if (count) count->packets++;
  if (flow.ports[1] == blocked_port) return XDP_DROP;
  if (account(bytes) && tuned(version) > LINUX_KERNEL_VERSION) return XDP_ABORTED;
  return tuned(bytes) == CONFIG_HZ ? XDP_TX : XDP_PASS;
}

char _license[] SEC("license") = "GPL";
