/**
 * The structs that programs see as their context, and sockets as programs see them (UAPI
 * linux/bpf.h, 6.1). What the kernel has behind them is in kernel/types; bpf/ctx-fields.ts says who
 * may access what.
 */
import { array, struct, u8, u16, u32, u64 } from '../kernel/types/struct.ts';

/** __bpf_md_ptr: 8 bytes, 8-byte aligned. */
const mdPtr = u64;

export const XdpMd = struct('xdp_md', {
  data: u32,
  data_end: u32,
  data_meta: u32,
  ingress_ifindex: u32,
  rx_queue_index: u32,
  egress_ifindex: u32,
});

export const UapiSkBuff = struct('__sk_buff', {
  len: u32,
  pkt_type: u32,
  mark: u32,
  queue_mapping: u32,
  protocol: u32,
  vlan_present: u32,
  vlan_tci: u32,
  vlan_proto: u32,
  priority: u32,
  ingress_ifindex: u32,
  ifindex: u32,
  tc_index: u32,
  cb: array(u32, 5),
  hash: u32,
  tc_classid: u32,
  data: u32,
  data_end: u32,
  napi_id: u32,
  family: u32,
  remote_ip4: u32,
  local_ip4: u32,
  remote_ip6: array(u32, 4),
  local_ip6: array(u32, 4),
  remote_port: u32,
  local_port: u32,
  data_meta: u32,
  flow_keys: mdPtr,
  tstamp: u64,
  wire_len: u32,
  gso_segs: u32,
  sk: mdPtr,
  gso_size: u32,
  tstamp_type: u8,
  hwtstamp: u64,
});

export const UapiSock = struct('bpf_sock', {
  bound_dev_if: u32,
  family: u32,
  type: u32,
  protocol: u32,
  mark: u32,
  priority: u32,
  src_ip4: u32,
  src_ip6: array(u32, 4),
  src_port: u32,
  dst_port: u16,
  dst_ip4: u32,
  dst_ip6: array(u32, 4),
  state: u32,
  rx_queue_mapping: u32,
});

export const UapiTcpSock = struct('bpf_tcp_sock', {
  snd_cwnd: u32,
  srtt_us: u32,
  rtt_min: u32,
  snd_ssthresh: u32,
  rcv_nxt: u32,
  snd_nxt: u32,
  snd_una: u32,
  mss_cache: u32,
  ecn_flags: u32,
  rate_delivered: u32,
  rate_interval_us: u32,
  packets_out: u32,
  retrans_out: u32,
  total_retrans: u32,
  segs_in: u32,
  data_segs_in: u32,
  segs_out: u32,
  data_segs_out: u32,
  lost_out: u32,
  sacked_out: u32,
  bytes_received: u64,
  bytes_acked: u64,
  dsack_dups: u32,
  delivered: u32,
  delivered_ce: u32,
  icsk_retransmits: u32,
});

export const UapiXdpSock = struct('bpf_xdp_sock', { queue_id: u32 });

export const UapiSockAddr = struct('bpf_sock_addr', {
  user_family: u32,
  user_ip4: u32,
  user_ip6: array(u32, 4),
  user_port: u32,
  family: u32,
  type: u32,
  protocol: u32,
  msg_src_ip4: u32,
  msg_src_ip6: array(u32, 4),
  sk: mdPtr,
});

/** `args`, `reply` and `replylong` share their place. */
export const UapiSockOps = struct('bpf_sock_ops', {
  op: u32,
  args: array(u32, 4),
  family: u32,
  remote_ip4: u32,
  local_ip4: u32,
  remote_ip6: array(u32, 4),
  local_ip6: array(u32, 4),
  remote_port: u32,
  local_port: u32,
  is_fullsock: u32,
  snd_cwnd: u32,
  srtt_us: u32,
  bpf_sock_ops_cb_flags: u32,
  state: u32,
  rtt_min: u32,
  snd_ssthresh: u32,
  rcv_nxt: u32,
  snd_nxt: u32,
  snd_una: u32,
  mss_cache: u32,
  ecn_flags: u32,
  rate_delivered: u32,
  rate_interval_us: u32,
  packets_out: u32,
  retrans_out: u32,
  total_retrans: u32,
  segs_in: u32,
  data_segs_in: u32,
  segs_out: u32,
  data_segs_out: u32,
  lost_out: u32,
  sacked_out: u32,
  sk_txhash: u32,
  bytes_received: u64,
  bytes_acked: u64,
  sk: mdPtr,
  skb_data: mdPtr,
  skb_data_end: mdPtr,
  skb_len: u32,
  skb_tcp_flags: u32,
});

export const UapiSkMsg = struct('sk_msg_md', {
  data: mdPtr,
  data_end: mdPtr,
  family: u32,
  remote_ip4: u32,
  local_ip4: u32,
  remote_ip6: array(u32, 4),
  local_ip6: array(u32, 4),
  remote_port: u32,
  local_port: u32,
  size: u32,
  sk: mdPtr,
});

export const UapiSkReuseport = struct('sk_reuseport_md', {
  data: mdPtr,
  data_end: mdPtr,
  len: u32,
  eth_protocol: u32,
  ip_protocol: u32,
  bind_inany: u32,
  hash: u32,
  sk: mdPtr,
  migrating_sk: mdPtr,
});

/** `sk` shares its place with `cookie`. */
export const UapiSkLookup = struct('bpf_sk_lookup', {
  sk: mdPtr,
  family: u32,
  protocol: u32,
  remote_ip4: u32,
  remote_ip6: array(u32, 4),
  remote_port: u16,
  /** Zero padding, which may be read. */
  padding: u16,
  local_ip4: u32,
  local_ip6: array(u32, 4),
  local_port: u32,
  ingress_ifindex: u32,
});

export const UapiCgroupDev = struct('bpf_cgroup_dev_ctx', {
  access_type: u32,
  major: u32,
  minor: u32,
});

export const UapiSysctl = struct('bpf_sysctl', { write: u32, file_pos: u32 });

export const UapiSockopt = struct('bpf_sockopt', {
  sk: mdPtr,
  optval: mdPtr,
  optval_end: mdPtr,
  level: u32,
  optname: u32,
  optlen: u32,
  retval: u32,
});

/** struct pt_regs of x86-64, which kprobe programs get (arch/x86/include/uapi/asm/ptrace.h). */
export const PT_REGS_BYTES = 168;

export const UapiPerfEventData = struct('bpf_perf_event_data', {
  regs: array(u64, PT_REGS_BYTES / 8),
  sample_period: u64,
  addr: u64,
});
