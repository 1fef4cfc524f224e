/**
 * XDP's structs and the facts of a packet buffer around them (include/net/xdp.h, Linux 6.1).
 *
 *   |<- xdp_frame ->|<- free headroom ->|meta|<- packet ->|<- free tailroom ->|skb_shared_info|
 *   data_hard_start                data_meta data     data_end           xdpDataHardEnd
 *
 * A program's `struct xdp_md` is a view of xdp_buff; the verifier rewrites its accesses.
 */
import type { RamOffset } from './units.ts';
import type { ViewOf } from './struct.ts';
import { embed, pointer, struct, u16, u32 } from './struct.ts';

export const XdpMemInfo = struct('xdp_mem_info', { type: u32, id: u32 });

/** enum xdp_mem_type. */
export const MEM_TYPE_PAGE_SHARED = 0;
export const MEM_TYPE_PAGE_ORDER0 = 1;
export const MEM_TYPE_PAGE_POOL = 2;

/** A whole cache line (____cacheline_aligned). */
export const XdpRxqInfo = struct(
  'xdp_rxq_info',
  {
    dev: pointer('net_device'),
    queue_index: u32,
    reg_state: u32,
    mem: embed(XdpMemInfo),
    napi_id: u32,
    frag_size: u32,
  },
  { size: 64 },
);
export type XdpRxqInfoView = ViewOf<typeof XdpRxqInfo>;

export const XdpTxqInfo = struct('xdp_txq_info', { dev: pointer('net_device') });

/** enum xdp_buff_flags. */
export const XDP_FLAGS_HAS_FRAGS = 1;
export const XDP_FLAGS_FRAGS_PF_MEMALLOC = 2;

export const XdpBuff = struct('xdp_buff', {
  data: pointer('void'),
  data_end: pointer('void'),
  data_meta: pointer('void'),
  data_hard_start: pointer('void'),
  rxq: pointer('xdp_rxq_info'),
  txq: pointer('xdp_txq_info'),
  /** Of the whole buffer, tailroom included. */
  frame_sz: u32,
  flags: u32,
});
export type XdpBuffView = ViewOf<typeof XdpBuff>;

/** Lives at the start of the headroom of a frame that is redirected. */
export const XdpFrame = struct('xdp_frame', {
  data: pointer('void'),
  len: u16,
  headroom: u16,
  metasize: u32,
  mem: embed(XdpMemInfo),
  dev_rx: pointer('net_device'),
  frame_sz: u32,
  flags: u32,
});
export type XdpFrameView = ViewOf<typeof XdpFrame>;

/** What became of a batch of frames in a cpumap's program. */
export const XdpCpumapStats = struct('xdp_cpumap_stats', { redirect: u32, pass: u32, drop: u32 });
export type XdpCpumapStatsView = ViewOf<typeof XdpCpumapStats>;

/** Room that a driver leaves in front of a packet (UAPI linux/bpf.h). */
export const XDP_PACKET_HEADROOM = 256;
/** SKB_DATA_ALIGN(sizeof(struct skb_shared_info)) on x86-64 with 17 fragments (6.1). */
export const SKB_SHARED_INFO_BYTES = 320;

/** xdp_data_hard_end: what the packet may grow to. */
export function xdpDataHardEnd(xdp: XdpBuffView): RamOffset {
  return (xdp.data_hard_start + xdp.frame_sz - SKB_SHARED_INFO_BYTES) as RamOffset;
}

/** `data_meta` of a driver without metadata is one past `data` (xdp_set_data_meta_invalid). */
export function xdpDataMetaUnsupported(xdp: XdpBuffView): boolean {
  return xdp.data_meta > xdp.data;
}
