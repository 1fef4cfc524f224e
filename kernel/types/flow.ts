/** What programs see of flows and socket look-ups, at Linux 6.1's layout (x86-64). */
import { array, bool, pointer, struct, u16, u32, u8 } from './struct.ts';
import type { ViewOf } from './struct.ts';

/** struct bpf_flow_keys (UAPI linux/bpf.h). Addresses, ports and n_proto are in network order. */
export const BpfFlowKeys = struct('bpf_flow_keys', {
  nhoff: u16,
  thoff: u16,
  addr_proto: u16,
  is_frag: u8,
  is_first_frag: u8,
  is_encap: u8,
  ip_proto: u8,
  n_proto: u16,
  sport: u16,
  dport: u16,
  /** IPv4's two in front, or IPv6's. */
  addresses: array(u32, 8),
  flags: u32,
  flow_label: u32,
});
export type BpfFlowKeysView = ViewOf<typeof BpfFlowKeys>;

/** struct bpf_flow_dissector (include/linux/bpf.h): the context of a flow dissector. */
export const BpfFlowDissector = struct('bpf_flow_dissector', {
  flow_keys: pointer('bpf_flow_keys'),
  skb: pointer('sk_buff'),
  data: pointer('void'),
  data_end: pointer('void'),
});

/** struct bpf_sk_lookup_kern (include/linux/filter.h). */
export const BpfSkLookupKern = struct('bpf_sk_lookup_kern', {
  family: u16,
  protocol: u16,
  sport: u16,
  dport: u16,
  v4_saddr: u32,
  v4_daddr: u32,
  v6_saddr: pointer('in6_addr'),
  v6_daddr: pointer('in6_addr'),
  selected_sk: pointer('sock'),
  ingress_ifindex: u32,
  no_reuseport: bool,
});
