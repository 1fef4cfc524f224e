/* Mistakes with what must be given back: ring buffer records and sockets. */
#include "mistakes.h"

struct event {
  __u64 time;
  __u32 queue;
};

struct {
  __uint(type, BPF_MAP_TYPE_RINGBUF);
  __uint(max_entries, 4096);
} events SEC(".maps");

SEC("xdp") int record_leaked(struct xdp_md *ctx) {
  struct event *event = bpf_ringbuf_reserve(&events, sizeof(*event), 0);
  if (!event)
    return XDP_PASS;
  event->time = bpf_ktime_get_ns();
  if (ctx->rx_queue_index == 7)
    return XDP_DROP;
  bpf_ringbuf_submit(event, 0);
  return XDP_PASS;
}

SEC("xdp") int record_leaked_mended(struct xdp_md *ctx) {
  struct event *event = bpf_ringbuf_reserve(&events, sizeof(*event), 0);
  if (!event)
    return XDP_PASS;
  event->time = bpf_ktime_get_ns();
  if (ctx->rx_queue_index == 7) {
    bpf_ringbuf_discard(event, 0);
    return XDP_DROP;
  }
  bpf_ringbuf_submit(event, 0);
  return XDP_PASS;
}

SEC("xdp") int record_unchecked(struct xdp_md *ctx) {
  struct event *event = bpf_ringbuf_reserve(&events, sizeof(*event), 0);
  event->queue = ctx->rx_queue_index;
  bpf_ringbuf_submit(event, 0);
  return XDP_PASS;
}

SEC("xdp") int record_unchecked_mended(struct xdp_md *ctx) {
  struct event *event = bpf_ringbuf_reserve(&events, sizeof(*event), 0);
  if (!event)
    return XDP_PASS;
  event->queue = ctx->rx_queue_index;
  bpf_ringbuf_submit(event, 0);
  return XDP_PASS;
}

SEC("xdp") int record_used_late(struct xdp_md *ctx) {
  struct event *event = bpf_ringbuf_reserve(&events, sizeof(*event), 0);
  if (!event)
    return XDP_PASS;
  bpf_ringbuf_submit(event, 0);
  *(volatile __u32 *)&event->queue = ctx->rx_queue_index;
  return XDP_PASS;
}

SEC("xdp") int record_used_late_mended(struct xdp_md *ctx) {
  struct event *event = bpf_ringbuf_reserve(&events, sizeof(*event), 0);
  if (!event)
    return XDP_PASS;
  event->queue = ctx->rx_queue_index;
  bpf_ringbuf_submit(event, 0);
  return XDP_PASS;
}

SEC("xdp") int record_submitted_twice(struct xdp_md *ctx) {
  struct event *event = bpf_ringbuf_reserve(&events, sizeof(*event), 0);
  if (!event)
    return XDP_PASS;
  bpf_ringbuf_submit(event, 0);
  bpf_ringbuf_submit(event, 0);
  return XDP_PASS;
}

SEC("xdp") int record_submitted_twice_mended(struct xdp_md *ctx) {
  struct event *event = bpf_ringbuf_reserve(&events, sizeof(*event), 0);
  if (!event)
    return XDP_PASS;
  bpf_ringbuf_submit(event, 0);
  return XDP_PASS;
}

SEC("xdp") int record_too_small(struct xdp_md *ctx) {
  struct event *event = bpf_ringbuf_reserve(&events, sizeof(__u64), 0);
  if (!event)
    return XDP_PASS;
  event->queue = ctx->rx_queue_index;
  bpf_ringbuf_submit(event, 0);
  return XDP_PASS;
}

SEC("xdp") int record_too_small_mended(struct xdp_md *ctx) {
  struct event *event = bpf_ringbuf_reserve(&events, sizeof(*event), 0);
  if (!event)
    return XDP_PASS;
  event->queue = ctx->rx_queue_index;
  bpf_ringbuf_submit(event, 0);
  return XDP_PASS;
}

SEC("xdp") int record_size_varies(struct xdp_md *ctx) {
  __u32 size = 8 + (ctx->rx_queue_index & 7) * 8;
  void *event = bpf_ringbuf_reserve(&events, size, 0);
  if (event)
    bpf_ringbuf_discard(event, 0);
  return XDP_PASS;
}

SEC("xdp") int record_size_varies_mended(struct xdp_md *ctx) {
  void *event = bpf_ringbuf_reserve(&events, 64, 0);
  if (event)
    bpf_ringbuf_discard(event, 0);
  return XDP_PASS;
}

SEC("tc") int socket_leaked(struct __sk_buff *skb) {
  struct bpf_sock_tuple tuple = {};
  struct bpf_sock *sk = bpf_sk_lookup_tcp(skb, &tuple, sizeof(tuple), -1, 0);
  return sk ? 2 : 0;
}

SEC("tc") int socket_leaked_mended(struct __sk_buff *skb) {
  struct bpf_sock_tuple tuple = {};
  struct bpf_sock *sk = bpf_sk_lookup_tcp(skb, &tuple, sizeof(tuple), -1, 0);
  if (!sk)
    return 0;
  bpf_sk_release(sk);
  return 2;
}

SEC("tc") int socket_unchecked(struct __sk_buff *skb) {
  struct bpf_sock_tuple tuple = {};
  struct bpf_sock *sk = bpf_sk_lookup_tcp(skb, &tuple, sizeof(tuple), -1, 0);
  bpf_sk_release(sk);
  return 0;
}

SEC("tc") int socket_unchecked_mended(struct __sk_buff *skb) {
  struct bpf_sock_tuple tuple = {};
  struct bpf_sock *sk = bpf_sk_lookup_tcp(skb, &tuple, sizeof(tuple), -1, 0);
  if (sk)
    bpf_sk_release(sk);
  return 0;
}

char LICENSE[] SEC("license") = "GPL";
