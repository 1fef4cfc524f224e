/**
 * struct sk_buff and skb_shared_info at the offsets of Linux 6.1 on x86-64 (Debian's configuration,
 * read from its BTF), since programs and the verifier's context rewriting address them.
 *
 * Bit-fields appear as the bytes that hold them, `bits126` and so on; their masks are below.
 * Network-order members (protocol, vlan_proto) hold bytes as on the wire.
 */
import {
  array,
  i32,
  nsTime,
  pointer,
  struct,
  u16,
  u32,
  u64,
  u8,
  ulong,
  type ViewOf,
} from './struct.ts';

export const SkBuff = struct(
  'sk_buff',
  {
    next: pointer('sk_buff'),
    prev: pointer('sk_buff'),
    dev: pointer('net_device'),
    sk: pointer('sock'),
    tstamp: nsTime,
    cb: array(u8, 48),
    _skb_refdst: ulong,
    destructor: pointer('void'),
    _nfct: ulong,
    len: u32,
    data_len: u32,
    mac_len: u16,
    hdr_len: u16,
    queue_mapping: u16,
    bits126: u8,
    active_extensions: u8,
    bits128: u8,
    bits129: u8,
    bits130: u8,
    bits131: u8,
    bits132: u8,
    tc_index: u16,
    csum: u32,
    priority: u32,
    skb_iif: i32,
    hash: u32,
    vlan_proto: u16,
    vlan_tci: u16,
    napi_id: u32,
    alloc_cpu: u16,
    secmark: u32,
    mark: u32,
    inner_protocol: u16,
    inner_transport_header: u16,
    inner_network_header: u16,
    inner_mac_header: u16,
    protocol: u16,
    transport_header: u16,
    network_header: u16,
    mac_header: u16,
    /** Offsets from `head`. */
    tail: u32,
    end: u32,
    head: pointer('unsigned char'),
    data: pointer('unsigned char'),
    truesize: u32,
    users: i32,
    extensions: pointer('skb_ext'),
  },
  { size: 232, offsets: { tc_index: 134, alloc_cpu: 160, inner_protocol: 172, tail: 188 } },
);
export type SkBuffView = ViewOf<typeof SkBuff>;

/** In bits126. */
export const SKB_CLONED = 0x01;
export const SKB_HEAD_FRAG = 0x20;
export const SKB_PP_RECYCLE = 0x80;
/** In bits128: pkt_type is the low three bits, ip_summed two bits. */
export const SKB_PKT_TYPE_MASK = 0x07;
export const SKB_IP_SUMMED_SHIFT = 5;
export const SKB_IP_SUMMED_MASK = 0x60;
/** In bits129. */
export const SKB_L4_HASH = 0x01;
export const SKB_SW_HASH = 0x02;
export const SKB_ENCAPSULATION = 0x20;
/** In bits130. */
export const SKB_VLAN_PRESENT = 0x01;
export const SKB_CSUM_LEVEL_MASK = 0x0c;
export const SKB_MONO_DELIVERY_TIME = 0x20;
export const SKB_TC_SKIP_CLASSIFY = 0x40;
export const SKB_TC_AT_INGRESS = 0x80;
/** In bits131. */
export const SKB_REDIRECTED = 0x20;
export const SKB_FROM_INGRESS = 0x40;

/** PACKET_* of pkt_type (UAPI linux/if_packet.h). */
export const PACKET_HOST = 0;
export const PACKET_BROADCAST = 1;
export const PACKET_MULTICAST = 2;
export const PACKET_OTHERHOST = 3;
export const PACKET_OUTGOING = 4;

/** CHECKSUM_* of ip_summed. */
export const CHECKSUM_NONE = 0;
export const CHECKSUM_UNNECESSARY = 1;
export const CHECKSUM_COMPLETE = 2;
export const CHECKSUM_PARTIAL = 3;

/** skb_frag_t (a struct bio_vec). differs: no struct page; `bv_page` points at the page's memory. */
export const SkbFrag = struct('bio_vec', { bv_page: pointer('page'), bv_len: u32, bv_offset: u32 });
export const MAX_SKB_FRAGS = 17;

/** The fragments stand behind its named members. */
export const SkbSharedInfo = struct(
  'skb_shared_info',
  {
    flags: u8,
    meta_len: u8,
    nr_frags: u8,
    tx_flags: u8,
    gso_size: u16,
    gso_segs: u16,
    frag_list: pointer('sk_buff'),
    hwtstamps: u64,
    gso_type: u32,
    tskey: u32,
    dataref: i32,
    xdp_frags_size: u32,
    destructor_arg: pointer('void'),
  },
  { size: 320 },
);
