/**
 * Sockets: sock_common and what begins with it, at the offsets of Linux 6.1 on x86-64 (Debian's
 * configuration, read from its BTF), since the context rewriting and programs address them.
 *
 * Bit-fields appear as the bytes that hold them (`bits19`). Network-order members (skc_daddr,
 * skc_dport, inet_sport …) hold bytes as on the wire. Unions appear as the member that is used.
 */
import {
  array,
  bool,
  embed,
  i16,
  i32,
  i64,
  long,
  pointer,
  struct,
  u16,
  u32,
  u64,
  u8,
  ulong,
  type ViewOf,
} from './struct.ts';

/** The union in in6_addr; Linux's has no name. */
export const In6Words = struct('in6_words', { u6_addr32: array(u32, 4) });
export const In6Addr = struct('in6_addr', { in6_u: embed(In6Words) });
export const PossibleNet = struct('possible_net_t', { net: pointer('net') });

export const SockCommon = struct(
  'sock_common',
  {
    skc_daddr: u32,
    skc_rcv_saddr: u32,
    skc_hash: u32,
    skc_dport: u16,
    /** Host order. */
    skc_num: u16,
    skc_family: u16,
    skc_state: u8,
    bits19: u8,
    skc_bound_dev_if: i32,
    skc_bind_node: array(ulong, 2),
    skc_prot: pointer('proto'),
    skc_net: embed(PossibleNet),
    skc_v6_daddr: embed(In6Addr),
    skc_v6_rcv_saddr: embed(In6Addr),
    skc_cookie: u64,
    skc_flags: ulong,
    skc_node: array(ulong, 2),
    skc_tx_queue_mapping: u16,
    skc_rx_queue_mapping: u16,
    skc_incoming_cpu: i32,
    skc_refcnt: i32,
    skc_window_clamp: u32,
  },
  { size: 136, offsets: { skc_v6_daddr: 56, skc_v6_rcv_saddr: 72 } },
);
export type SockCommonView = ViewOf<typeof SockCommon>;

/** In bits19. */
export const SKC_REUSE_MASK = 0x0f;
export const SKC_REUSEPORT = 0x10;
export const SKC_IPV6ONLY = 0x20;

/** What skc_tx_queue_mapping and skc_rx_queue_mapping hold where no queue is known. */
export const NO_QUEUE_MAPPING = 0xffff;

export const Sock = struct(
  'sock',
  {
    __sk_common: embed(SockCommon),
    sk_rx_dst: pointer('dst_entry'),
    sk_rx_dst_ifindex: i32,
    sk_drops: i32,
    sk_rcvlowat: i32,
    sk_forward_alloc: i32,
    sk_napi_id: u32,
    sk_rcvbuf: i32,
    sk_filter: pointer('sk_filter'),
    sk_dst_cache: pointer('dst_entry'),
    sk_sndbuf: i32,
    sk_wmem_queued: i32,
    sk_wmem_alloc: i32,
    sk_sndtimeo: long,
    sk_priority: u32,
    sk_mark: u32,
    sk_pacing_rate: ulong,
    sk_max_pacing_rate: ulong,
    sk_gso_type: i32,
    sk_gso_max_size: u32,
    sk_txhash: u32,
    bits512: u8,
    sk_pacing_shift: u8,
    sk_type: u16,
    sk_protocol: u16,
    sk_gso_max_segs: u16,
    sk_err: i32,
    sk_err_soft: i32,
    sk_ack_backlog: u32,
    sk_max_ack_backlog: u32,
    sk_uid: u32,
    sk_peer_pid: pointer('pid'),
    sk_peer_cred: pointer('cred'),
    sk_rcvtimeo: long,
    sk_stamp: i64,
    sk_tsflags: u16,
    sk_shutdown: u8,
    sk_socket: pointer('socket'),
    sk_user_data: pointer('void'),
    sk_bpf_storage: pointer('bpf_local_storage'),
  },
  {
    size: 776,
    offsets: {
      sk_drops: 184,
      sk_forward_alloc: 264,
      sk_napi_id: 276,
      sk_filter: 288,
      sk_dst_cache: 320,
      sk_sndbuf: 332,
      sk_sndtimeo: 400,
      sk_priority: 448,
      sk_gso_type: 496,
      sk_txhash: 508,
      sk_err: 544,
      sk_peer_pid: 576,
      sk_rcvtimeo: 592,
      sk_socket: 624,
      sk_bpf_storage: 736,
    },
  },
);
export type SockView = ViewOf<typeof Sock>;

export const InetSock = struct(
  'inet_sock',
  {
    sk: embed(Sock),
    pinet6: pointer('ipv6_pinfo'),
    inet_saddr: u32,
    uc_ttl: i16,
    cmsg_flags: u16,
    inet_opt: pointer('ip_options_rcu'),
    inet_id: i32,
    inet_sport: u16,
    tos: u8,
    min_ttl: u8,
    mc_ttl: u8,
    pmtudisc: u8,
    bits810: u8,
    bits811: u8,
    rcv_tos: u8,
    convert_csum: u8,
    uc_index: i32,
    mc_index: i32,
    mc_addr: u32,
  },
  { size: 992 },
);
/** In bits810 and bits811. */
export const INET_FREEBIND = 0x04;
export const INET_TRANSPARENT = 0x20;
export const INET_BIND_ADDRESS_NO_PORT = 0x01;

export const InetConnectionSock = struct(
  'inet_connection_sock',
  {
    icsk_inet: embed(InetSock),
    icsk_timeout: ulong,
    icsk_rto: u32,
    icsk_rto_min: u32,
    icsk_ca_ops: pointer('tcp_congestion_ops'),
    bits1280: u8,
    icsk_retransmits: u8,
    icsk_pending: u8,
    icsk_backoff: u8,
    icsk_syn_retries: u8,
    icsk_probes_out: u8,
    icsk_ext_hdr_len: u16,
    icsk_user_timeout: u32,
    icsk_ca_priv: array(u64, 13),
  },
  {
    size: 1440,
    offsets: {
      icsk_timeout: 1088,
      icsk_rto: 1216,
      icsk_ca_ops: 1232,
      bits1280: 1280,
      icsk_user_timeout: 1332,
    },
  },
);

export const MinmaxSample = struct('minmax_sample', { t: u32, v: u32 });
export const Minmax = struct('minmax', { s: array(embed(MinmaxSample), 3) });

export const TcpSock = struct(
  'tcp_sock',
  {
    inet_conn: embed(InetConnectionSock),
    tcp_header_len: u16,
    gso_segs: u16,
    pred_flags: u32,
    bytes_received: u64,
    segs_in: u32,
    data_segs_in: u32,
    rcv_nxt: u32,
    copied_seq: u32,
    rcv_wup: u32,
    snd_nxt: u32,
    segs_out: u32,
    data_segs_out: u32,
    bytes_sent: u64,
    bytes_acked: u64,
    dsack_dups: u32,
    snd_una: u32,
    mss_cache: u32,
    tcp_mstamp: u64,
    srtt_us: u32,
    mdev_us: u32,
    rttvar_us: u32,
    rtt_min: embed(Minmax),
    packets_out: u32,
    retrans_out: u32,
    ecn_flags: u8,
    snd_ssthresh: u32,
    snd_cwnd: u32,
    prior_cwnd: u32,
    delivered: u32,
    delivered_ce: u32,
    delivered_mstamp: u64,
    rate_delivered: u32,
    rate_interval_us: u32,
    write_seq: u32,
    lost_out: u32,
    sacked_out: u32,
    bytes_retrans: u64,
    total_retrans: u32,
    bpf_sock_ops_cb_flags: u8,
  },
  {
    size: 2280,
    offsets: {
      snd_nxt: 1476,
      mss_cache: 1580,
      tcp_mstamp: 1664,
      rttvar_us: 1684,
      rtt_min: 1692,
      ecn_flags: 1734,
      snd_ssthresh: 1772,
      prior_cwnd: 1796,
      delivered: 1808,
      delivered_mstamp: 1832,
      write_seq: 1852,
      lost_out: 1864,
      bytes_retrans: 2136,
      bpf_sock_ops_cb_flags: 2164,
    },
  },
);
export type TcpSockView = ViewOf<typeof TcpSock>;

/** A connection that is being made, and one whose end is waited out: small stand-ins. */
export const RequestSock = struct(
  'request_sock',
  { __req_common: embed(SockCommon) },
  { size: 232 },
);
export const InetRequestSock = struct(
  'inet_request_sock',
  { req: embed(RequestSock) },
  { size: 256 },
);
export const TcpRequestSock = struct(
  'tcp_request_sock',
  { req: embed(InetRequestSock) },
  { size: 304 },
);
export const InetTimewaitSock = struct(
  'inet_timewait_sock',
  { __tw_common: embed(SockCommon) },
  { size: 232 },
);
export const TcpTimewaitSock = struct(
  'tcp_timewait_sock',
  { tw_sk: embed(InetTimewaitSock) },
  { size: 264 },
);

export const UdpSock = struct('udp_sock', { inet: embed(InetSock) }, { size: 1152 });
export const Udp6Sock = struct('udp6_sock', { udp: embed(UdpSock) }, { size: 1344 });
export const Tcp6Sock = struct('tcp6_sock', { tcp: embed(TcpSock) }, { size: 2440 });
export const UnixSock = struct('unix_sock', { sk: embed(Sock) }, { size: 1024 });
export const MptcpSock = struct('mptcp_sock', { sk: embed(InetConnectionSock) }, { size: 1952 });

export const XdpSock = struct(
  'xdp_sock',
  {
    sk: embed(Sock),
    dev: pointer('net_device'),
    queue_id: u16,
    zc: bool,
    state: u32,
  },
  { size: 1024, offsets: { dev: 840, queue_id: 880 } },
);

export const SocketStruct = struct(
  'socket',
  {
    state: u32,
    type: i16,
    flags: ulong,
    file: pointer('file'),
    sk: pointer('sock'),
    ops: pointer('proto_ops'),
  },
  { size: 128 },
);

/** include/net/tcp_states.h; states of sockets of every protocol. */
export const TCP_ESTABLISHED = 1;
export const TCP_SYN_SENT = 2;
export const TCP_SYN_RECV = 3;
export const TCP_FIN_WAIT1 = 4;
export const TCP_FIN_WAIT2 = 5;
export const TCP_TIME_WAIT = 6;
export const TCP_CLOSE = 7;
export const TCP_CLOSE_WAIT = 8;
export const TCP_LAST_ACK = 9;
export const TCP_LISTEN = 10;
export const TCP_CLOSING = 11;
export const TCP_NEW_SYN_RECV = 12;
