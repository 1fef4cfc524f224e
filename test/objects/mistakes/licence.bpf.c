/* A helper for GPL programs in a program of another licence. */
#include "mistakes.h"

SEC("xdp") int prints(struct xdp_md *ctx) {
  char format[] = "hi\n";
  bpf_trace_printk(format, sizeof(format));
  return XDP_PASS;
}

SEC("xdp") int prints_mended(struct xdp_md *ctx) {
  return XDP_PASS;
}

char LICENSE[] SEC("license") = "Proprietary";
