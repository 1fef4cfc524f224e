/* Mistakes with packets. Each program stands above the one in which its mistake is mended. */
#include "mistakes.h"

#define HEADERS(ctx)                                                                               \
  void *data = (void *)(long)(ctx)->data;                                                          \
  void *data_end = (void *)(long)(ctx)->data_end

SEC("xdp") int no_length_check(struct xdp_md *ctx) {
  HEADERS(ctx);
  struct ethhdr *eth = data;
  if (eth->proto == 0x0608)
    return XDP_DROP;
  return XDP_PASS;
}

SEC("xdp") int no_length_check_mended(struct xdp_md *ctx) {
  HEADERS(ctx);
  struct ethhdr *eth = data;
  if ((void *)(eth + 1) > data_end)
    return XDP_PASS;
  if (eth->proto == 0x0608)
    return XDP_DROP;
  return XDP_PASS;
}

SEC("xdp") int check_too_short(struct xdp_md *ctx) {
  HEADERS(ctx);
  struct ethhdr *eth = data;
  struct iphdr *ip = (void *)(eth + 1);
  if ((void *)(eth + 1) > data_end)
    return XDP_PASS;
  if (ip->protocol == 17)
    return XDP_DROP;
  return XDP_PASS;
}

SEC("xdp") int check_too_short_mended(struct xdp_md *ctx) {
  HEADERS(ctx);
  struct ethhdr *eth = data;
  struct iphdr *ip = (void *)(eth + 1);
  if ((void *)(ip + 1) > data_end)
    return XDP_PASS;
  if (ip->protocol == 17)
    return XDP_DROP;
  return XDP_PASS;
}

SEC("xdp") int wrong_way_round(struct xdp_md *ctx) {
  HEADERS(ctx);
  struct ethhdr *eth = data;
  if ((void *)(eth + 1) < data_end)
    return XDP_PASS;
  return eth->proto == 0x0608 ? XDP_DROP : XDP_PASS;
}

SEC("xdp") int wrong_way_round_mended(struct xdp_md *ctx) {
  HEADERS(ctx);
  struct ethhdr *eth = data;
  if ((void *)(eth + 1) > data_end)
    return XDP_PASS;
  return eth->proto == 0x0608 ? XDP_DROP : XDP_PASS;
}

SEC("xdp") int options_not_checked(struct xdp_md *ctx) {
  HEADERS(ctx);
  struct iphdr *ip = data + sizeof(struct ethhdr);
  if ((void *)(ip + 1) + sizeof(struct udphdr) > data_end)
    return XDP_PASS;
  struct udphdr *udp = (void *)ip + ip->ihl * 4;
  return udp->dest == 53 ? XDP_DROP : XDP_PASS;
}

SEC("xdp") int options_not_checked_mended(struct xdp_md *ctx) {
  HEADERS(ctx);
  struct iphdr *ip = data + sizeof(struct ethhdr);
  if ((void *)(ip + 1) > data_end)
    return XDP_PASS;
  struct udphdr *udp = (void *)ip + ip->ihl * 4;
  if ((void *)(udp + 1) > data_end)
    return XDP_PASS;
  return udp->dest == 53 ? XDP_DROP : XDP_PASS;
}

SEC("xdp") int stale_after_adjust(struct xdp_md *ctx) {
  HEADERS(ctx);
  struct ethhdr *eth = data;
  if ((void *)(eth + 1) > data_end)
    return XDP_PASS;
  if (bpf_xdp_adjust_head(ctx, -8))
    return XDP_DROP;
  eth->proto = 0x0008;
  return XDP_TX;
}

SEC("xdp") int stale_after_adjust_mended(struct xdp_md *ctx) {
  if (bpf_xdp_adjust_head(ctx, -8))
    return XDP_DROP;
  HEADERS(ctx);
  struct ethhdr *eth = data;
  if ((void *)(eth + 1) > data_end)
    return XDP_DROP;
  eth->proto = 0x0008;
  return XDP_TX;
}

SEC("tc") int stale_after_store(struct __sk_buff *skb) {
  HEADERS(skb);
  struct ethhdr *eth = data;
  if ((void *)(eth + 1) > data_end)
    return 0;
  __u8 zero[6] = {0, 0, 0, 0, 0, 0};
  bpf_skb_store_bytes(skb, 0, zero, sizeof(zero), 0);
  return eth->proto == 0x0608 ? 2 : 0;
}

SEC("tc") int stale_after_store_mended(struct __sk_buff *skb) {
  HEADERS(skb);
  struct ethhdr *eth = data;
  if ((void *)(eth + 1) > data_end)
    return 0;
  __u16 proto = eth->proto;
  __u8 zero[6] = {0, 0, 0, 0, 0, 0};
  bpf_skb_store_bytes(skb, 0, zero, sizeof(zero), 0);
  return proto == 0x0608 ? 2 : 0;
}

SEC("xdp") int check_of_equality(struct xdp_md *ctx) {
  HEADERS(ctx);
  __u8 *byte = data;
  if (byte == data_end)
    return XDP_PASS;
  return *byte == 0xff ? XDP_DROP : XDP_PASS;
}

SEC("xdp") int check_of_equality_mended(struct xdp_md *ctx) {
  HEADERS(ctx);
  __u8 *byte = data;
  if (byte + 1 > (__u8 *)data_end)
    return XDP_PASS;
  return *byte == 0xff ? XDP_DROP : XDP_PASS;
}

SEC("xdp") int length_from_packet(struct xdp_md *ctx) {
  HEADERS(ctx);
  struct iphdr *ip = data + sizeof(struct ethhdr);
  if ((void *)(ip + 1) > data_end)
    return XDP_PASS;
  __u8 *last = (void *)ip + __builtin_bswap16(ip->tot_len) - 1;
  return *last == 0 ? XDP_DROP : XDP_PASS;
}

SEC("xdp") int length_from_packet_mended(struct xdp_md *ctx) {
  HEADERS(ctx);
  struct iphdr *ip = data + sizeof(struct ethhdr);
  if ((void *)(ip + 1) > data_end)
    return XDP_PASS;
  __u32 length = __builtin_bswap16(ip->tot_len);
  if (length == 0 || length > 1500)
    return XDP_PASS;
  __u8 *last = (void *)ip + (length & 2047);
  if (last + 1 > (__u8 *)data_end)
    return XDP_PASS;
  return *last == 0 ? XDP_DROP : XDP_PASS;
}

SEC("socket") int direct_in_socket_filter(struct __sk_buff *skb) {
  HEADERS(skb);
  __u8 *byte = data;
  if (byte + 1 > (__u8 *)data_end)
    return 0;
  return *byte;
}

SEC("tc") int direct_in_socket_filter_mended(struct __sk_buff *skb) {
  HEADERS(skb);
  __u8 *byte = data;
  if (byte + 1 > (__u8 *)data_end)
    return 0;
  return *byte;
}

char LICENSE[] SEC("license") = "GPL";
