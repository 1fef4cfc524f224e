/**
 * Lightweight tunnels (6.1): a header in front of the packet (net/core/lwt_bpf.c), and segment
 * routing, which works on the segment header that a route with `seg6local` has found (net/core/filter.c,
 * net/ipv6/seg6_local.c). There are no such routes, so no packet has one, and the answers are those
 * that Linux gives then.
 */
import { errno } from '../../kernel/types/errno.ts';
import { SKB_ENCAPSULATION } from '../../kernel/types/skbuff.ts';
import type { SkBuffView } from '../../kernel/types/skbuff.ts';
import type { RamOffset } from '../../kernel/types/units.ts';
import type { BpfRuntime } from '../runtime.ts';
import { csumFold } from './csum.ts';
import type { Implementations } from './implement.ts';
import { offset } from './implement.ts';
import { clearHash, onSkb } from './on-skb.ts';
import { computeDataPointers, ensureHeadroom, push } from './skb-room.ts';

/** enum bpf_lwt_encap_mode */
const [ENCAP_SEG6, ENCAP_SEG6_INLINE, ENCAP_IP] = [0, 1, 2] as const;
/** LWT_BPF_MAX_HEADROOM */
const MAX_HEADER_BYTES = 256;
const IPV4_HEADER_BYTES = 20;
const IPV6_HEADER_BYTES = 40;
/** As they stand in the struct: network order read as little-endian. */
const ETH_P_IP = 0x0008;
const ETH_P_IPV6 = 0xdd86;
/** struct ipv6_sr_hdr before its segments, and a segment. */
const SRH_BYTES = 8;
const SEGMENT_BYTES = 16;
const IPV6_SRCRT_TYPE_4 = 4;
/** SEG6_LOCAL_ACTION_* that bpf_lwt_seg6_action knows. */
const [END_X, END_T, END_DT6, END_B6, END_B6_ENCAP] = [2, 3, 7, 9, 10] as const;

function pushEncap(
  skb: SkBuffView,
  runtime: BpfRuntime,
  mode: number,
  header: number,
  sizeBytes: number,
): number {
  const size = sizeBytes >>> 0;
  if (mode === ENCAP_IP) return pushIp(skb, runtime, offset(header), size);
  if (mode !== ENCAP_SEG6 && mode !== ENCAP_SEG6_INLINE) return -errno.EINVAL;
  return pushSegments(skb, runtime, mode, offset(header), size);
}

/** bpf_lwt_push_ip_encap */
function pushIp(skb: SkBuffView, runtime: BpfRuntime, header: RamOffset, size: number): number {
  const { ram, core } = runtime;
  if (size < IPV4_HEADER_BYTES || size > MAX_HEADER_BYTES) return -errno.EINVAL;
  const version = ram.u8[header]! >> 4;
  const headerBytes = version === 4 ? (ram.u8[header]! & 0xf) * 4 : IPV6_HEADER_BYTES;
  if ((version !== 4 && version !== 6) || size < headerBytes) return -errno.EINVAL;
  const room = ensureHeadroom(runtime, skb, size + skb.mac_len);
  if (room < 0) return room;
  skb.inner_mac_header = skb.data - skb.head;
  skb.inner_network_header = skb.network_header;
  skb.inner_transport_header = skb.transport_header;
  skb.inner_protocol = skb.protocol;
  skb.bits129 |= SKB_ENCAPSULATION;
  push(skb, size);
  skb.network_header = skb.data - skb.head;
  ram.u8.copyWithin(skb.data, header, header + size);
  computeDataPointers(skb);
  clearHash(skb);
  skb.protocol = version === 4 ? ETH_P_IP : ETH_P_IPV6;
  if (version === 4 && ram.view.getUint16(skb.data + 10, true) === 0) {
    const sum = core.exports.csum_partial(skb.data, headerBytes, 0) >>> 0;
    ram.view.setUint16(skb.data + 10, csumFold(sum), true);
  }
  return 0;
}

/** seg6_validate_srh, for a header that leaves its last segment as the first to go to. */
function isSegmentHeader({ ram }: BpfRuntime, at: RamOffset, size: number): boolean {
  if (size < SRH_BYTES) return false;
  const [, length, type, left, last] = ram.bytes(at, SRH_BYTES);
  if (type !== IPV6_SRCRT_TYPE_4 || (length! + 1) * 8 !== size) return false;
  const most = length! / 2 - 1;
  if (last! > most || left! > last! + 1) return false;
  let rest = size - SRH_BYTES - SEGMENT_BYTES * (last! + 1);
  if (rest < 0) return false;
  // What follows the segments are TLVs, of which all but the padding byte have a length.
  for (let tlv = at + size - rest; rest > 0;) {
    const bytes = ram.u8[tlv] === 0 ? 1 : rest < 2 ? Infinity : ram.u8[tlv + 1]! + 2;
    if (bytes > rest) return false;
    rest -= bytes;
    tlv += bytes;
  }
  return true;
}

/** bpf_push_seg6_encap, up to where a packet with segments would be sent on. */
function pushSegments(
  skb: SkBuffView,
  runtime: BpfRuntime,
  mode: number,
  header: RamOffset,
  size: number,
): number {
  if (!isSegmentHeader(runtime, header, size)) return -errno.EINVAL;
  if (mode === ENCAP_SEG6_INLINE && skb.protocol !== ETH_P_IPV6) return -errno.EBADMSG;
  return -errno.EINVAL;
}

/** bpf_lwt_seg6_action where there is no segment header to act on. */
function act(
  skb: SkBuffView,
  runtime: BpfRuntime,
  action: number,
  param: number,
  sizeBytes: number,
): number {
  switch (action) {
    case END_X:
    case END_T:
    case END_DT6:
      return -errno.EBADMSG;
    case END_B6:
      return pushSegments(skb, runtime, ENCAP_SEG6_INLINE, offset(param), sizeBytes >>> 0);
    case END_B6_ENCAP:
      return pushSegments(skb, runtime, ENCAP_SEG6, offset(param), sizeBytes >>> 0);
    default:
      return -errno.EINVAL;
  }
}

export const lwtImplementations: Implementations = {
  lwt_in_push_encap: onSkb(['i32', 'i32', 'i32'], pushEncap),
  lwt_xmit_push_encap: onSkb(
    ['i32', 'i32', 'i32'],
    (skb, runtime, mode: number, header: number, sizeBytes: number) =>
      mode === ENCAP_IP ? pushIp(skb, runtime, offset(header), sizeBytes >>> 0) : -errno.EINVAL,
  ),
  lwt_seg6_store_bytes: onSkb(['i32', 'i32', 'i32'], () => -errno.EINVAL),
  lwt_seg6_adjust_srh: onSkb(['i32', 'i32'], () => -errno.EINVAL),
  lwt_seg6_action: onSkb(['i32', 'i32', 'i32'], act),
};
