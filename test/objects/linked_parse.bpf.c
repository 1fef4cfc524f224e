/* The part that parses: functions and variables for the main part, and a program of its own. */
#include "linked.h"

struct verdicts {
  int drop;
  struct packet *last;
};

extern int LINUX_KERNEL_VERSION __kconfig;
extern _Bool CONFIG_BPF_SYSCALL __kconfig __weak;
extern __u64 packets_seen;

struct {
  __uint(type, MAP_HASH);
  __uint(max_entries, 1024);
  __type(key, struct flow);
  __type(value, struct flow_count);
} flows SEC(".maps");

struct {
  __uint(type, MAP_RINGBUF);
  __uint(max_entries, 4096);
} events SEC(".maps");

__u32 blocked_port = 443;
const __u32 version = 7;
struct verdicts verdicts = {.drop = 1};
static const char name[] = "parse part";
static int failures;

static __noinline int be16(const unsigned char *at) {
  return at[0] << 8 | at[1];
}

int tuned(int value) {
  return value * 2;
}

__hidden int parse(struct packet *packet, struct flow *flow) {
  if (!packet || !flow) return -1;
  unsigned char *data = packet->data;
  if ((void *)(data + 38) > packet->end) {
    failures++;
    bpf_trace_printk(name, sizeof(name));
    return -1;
  }
  flow->source = be16(data + 26);
  flow->target = be16(data + 30);
  flow->ports[1] = be16(data + 36);
  return 0;
}

SEC("xdp")
int linked_parse(struct xdp_md *ctx) {
  struct flow flow = {.source = ctx->rx_queue_index};
  struct flow_count one = {.packets = 1};
  if (CONFIG_BPF_SYSCALL && LINUX_KERNEL_VERSION > 5) packets_seen++;
  bpf_map_update_elem(&flows, &flow, &one, 0);
  void *event = bpf_ringbuf_reserve(&events, 8, 0);
  if (event) bpf_ringbuf_submit(event, 0);
  return XDP_PASS;
}

SEC("tc")
int linked_tc(void *ctx) {
  return be16((void *)&verdicts) + failures;
}

char _license[] SEC("license") = "GPL";
