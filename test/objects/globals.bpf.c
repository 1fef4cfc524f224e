/* Global variables of every kind of section and of many types, for access to them by name. */
#include "common.h"

enum mode { MODE_OFF, MODE_COUNT = 5, MODE_DROP = -1 };

struct limits {
  __u16 port;
  __u32 burst : 5;
  __s32 bias : 7;
  union {
    __u64 rate;
    __u32 halves[2];
  };
  char label[12];
};

const volatile struct limits limits = {.port = 53, .burst = 9, .bias = -3, .rate = 1000};
const volatile _Bool enabled SEC(".rodata.switch") = 1;
volatile enum mode mode = MODE_COUNT;
volatile __u64 packets;
volatile struct {
  __u32 seen;
  __s64 sum;
} stats[3];
volatile __u32 own_section SEC(".data.own") = 7;
static volatile __u32 hidden_total = 11;
extern int LINUX_KERNEL_VERSION __kconfig;

SEC("xdp")
int count(struct xdp_md *ctx) {
  if (!enabled) return XDP_PASS;
  packets += limits.rate;
  stats[1].seen++;
  stats[1].sum += limits.bias;
  own_section += limits.burst;
  hidden_total++;
  if (LINUX_KERNEL_VERSION == 0) return XDP_ABORTED;
  return mode == MODE_DROP ? XDP_DROP : XDP_PASS;
}

char _license[] SEC("license") = "GPL";
