/* Looks at a dispatcher from outside: how long packets are, and what it and its places decide. */
#include "common.h"

struct xdp_buff {
  void *data;
  void *data_end;
};

__u64 last_length;
__u64 last_action;
__u64 last_place_action;
__u64 runs;

SEC("fentry/dispatcher")
int before(__u64 *args) {
  struct xdp_buff *xdp = (void *)args[0];

  last_length = xdp->data_end - xdp->data;
  runs++;
  return 0;
}

SEC("fexit/dispatcher")
int behind(__u64 *args) {
  last_action = (__u32)args[1];
  return 0;
}

SEC("fexit/prog0")
int behind_place(__u64 *args) {
  last_place_action = (__u32)args[1];
  return 0;
}
