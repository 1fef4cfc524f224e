/* Flows spread over CPUs by a cpumap, and programs that run there. */
#include "common.h"

enum { MAP_DEVMAP = 14, MAP_CPUMAP = 16 };
enum { CPUS = 4, UDP_PORTS_AT = 34 };

static long (*bpf_redirect_map)(void *map, __u64 key, __u64 flags) = (void *)51;
static __u32 (*bpf_get_smp_processor_id)(void) = (void *)8;

struct bpf_cpumap_val {
  __u32 qsize;
  int fd;
};

struct {
  __uint(type, MAP_CPUMAP);
  __uint(max_entries, CPUS);
  __uint(key_size, sizeof(__u32));
  __uint(value_size, sizeof(struct bpf_cpumap_val));
} cpus SEC(".maps");

struct {
  __uint(type, MAP_DEVMAP);
  __uint(max_entries, 1);
  __uint(key_size, sizeof(__u32));
  __uint(value_size, sizeof(__u32));
} out SEC(".maps");

/* By CPU: frames that the program in the cpumap has seen there. */
struct {
  __uint(type, MAP_ARRAY);
  __uint(max_entries, CPUS);
  __type(key, __u32);
  __type(value, __u64);
} seen SEC(".maps");

/* The UDP port at `index` of source and destination; 0 where the frame is too short. */
static __inline __u16 port(struct xdp_md *ctx, int index) {
  unsigned char *data = (void *)(long)ctx->data;
  unsigned char *at = data + UDP_PORTS_AT + 2 * index;

  if (at + 2 > (unsigned char *)(long)ctx->data_end)
    return 0;
  return at[0] << 8 | at[1];
}

SEC("xdp")
int spread(struct xdp_md *ctx) {
  return bpf_redirect_map(&cpus, port(ctx, 0) & 1, XDP_PASS);
}

/* The destination port says what to do: the XDP action, in its last digit. */
SEC("xdp/cpumap")
int on_cpu(struct xdp_md *ctx) {
  __u32 cpu = bpf_get_smp_processor_id();
  __u64 *count = bpf_map_lookup_elem(&seen, &cpu);
  __u16 action = port(ctx, 1) % 10;

  if (count)
    __sync_fetch_and_add(count, 1);
  return action == XDP_REDIRECT ? bpf_redirect_map(&out, 0, XDP_ABORTED) : action;
}
