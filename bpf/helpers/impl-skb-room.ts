/** bpf_skb_change_*, bpf_skb_adjust_room and what else changes a sk_buff's shape (6.1). */
import { errno } from '../../kernel/types/errno.ts';
import {
  CHECKSUM_COMPLETE,
  CHECKSUM_NONE,
  CHECKSUM_UNNECESSARY,
  SKB_CSUM_LEVEL_MASK,
  SKB_ENCAPSULATION,
  SKB_MONO_DELIVERY_TIME,
} from '../../kernel/types/skbuff.ts';
import type { SkBuffView } from '../../kernel/types/skbuff.ts';
import type { Ns } from '../../kernel/types/units.ts';
import type { BpfRuntime } from '../runtime.ts';
import type { HelperImplementation } from './helper.ts';
import type { Implementations } from './implement.ts';
import { offset } from './implement.ts';
import { deviceFor, MTU_CHK_RET_FRAG_NEEDED } from './mtu.ts';
import { clearHash, ipSummed, onSkb, setIpSummed } from './on-skb.ts';
import {
  computeDataPointers,
  ensureHeadroom,
  growTail,
  insertHeader,
  macHeaderLength,
  networkOffset,
  NOT_SET,
  push,
  removeHeader,
  SKB_MAX_BYTES,
  trim,
} from './skb-room.ts';

/** As they stand in the struct: network order read as little-endian. */
const ETH_P_IP = 0x0008;
const ETH_P_IPV6 = 0xdd86;
const ETH_P_TEB = 0x5865;
const ETH_HLEN = 14;
const IPV4_HEADER_BYTES = 20;
const IPV6_HEADER_BYTES = 40;

/** BPF_F_ADJ_ROOM_* (UAPI linux/bpf.h). */
const FIXED_GSO = 1n;
const ENCAP_L3_IPV4 = 2n;
const ENCAP_L3_IPV6 = 4n;
const ENCAP_L4_GRE = 8n;
const ENCAP_L4_UDP = 16n;
const NO_CSUM_RESET = 32n;
const ENCAP_L2_ETH = 64n;
const ENCAP_L2_SHIFT = 56n;
const ENCAP_L2_MASK = 0xffn << ENCAP_L2_SHIFT;
const ENCAP_L3 = ENCAP_L3_IPV4 | ENCAP_L3_IPV6;
const GROW_FLAGS =
  FIXED_GSO | ENCAP_L3 | ENCAP_L4_GRE | ENCAP_L4_UDP | NO_CSUM_RESET | ENCAP_L2_ETH | ENCAP_L2_MASK;
const MAX_ROOM_BYTES = 0xfff;
/** BPF_ADJ_ROOM_NET, _MAC */
const ROOM_NET = 0;
const ROOM_MAC = 1;

const isEncapsulated = (skb: SkBuffView) => (skb.bits129 & SKB_ENCAPSULATION) !== 0;
const isIp = (skb: SkBuffView) => skb.protocol === ETH_P_IP || skb.protocol === ETH_P_IPV6;
const baseHeaderBytes = (skb: SkBuffView) =>
  skb.protocol === ETH_P_IP ? IPV4_HEADER_BYTES : IPV6_HEADER_BYTES;

/** The packet's new edges are the program's to see. */
const reshaping = (
  pass: HelperImplementation['pass'],
  run: (skb: SkBuffView, runtime: BpfRuntime, ...args: never[]) => number,
): HelperImplementation =>
  onSkb(pass, (skb, runtime, ...args) => {
    const result = run(skb, runtime, ...args);
    computeDataPointers(skb);
    return result;
  });

/** IPv4 to IPv6 and back: 20 bytes more or less behind the link-layer header. */
function changeProto(skb: SkBuffView, runtime: BpfRuntime, proto: number, flags: bigint): number {
  if (flags !== 0n) return -errno.EINVAL;
  const to = proto & 0xffff;
  const bytes = IPV6_HEADER_BYTES - IPV4_HEADER_BYTES;
  const at = macHeaderLength(skb);
  if (skb.protocol === ETH_P_IP && to === ETH_P_IPV6) {
    const room = ensureHeadroom(runtime, skb, bytes);
    if (room < 0) return room;
    insertHeader(skb, at, bytes);
  } else if (skb.protocol === ETH_P_IPV6 && to === ETH_P_IP) {
    const removed = removeHeader(skb, at, bytes);
    if (removed < 0) return removed;
  } else return -errno.ENOTSUPP;
  skb.protocol = to;
  clearHash(skb);
  return 0;
}

/** What must stay of a packet: up to where its headers start (__bpf_skb_min_len). */
function minLength(skb: SkBuffView): number {
  if (skb.transport_header !== NOT_SET) {
    const transport = skb.head + skb.transport_header - skb.data;
    if (transport > 0) return transport;
  }
  return Math.max(0, networkOffset(skb));
}

function changeTail(skb: SkBuffView, runtime: BpfRuntime, length: number, flags: bigint): number {
  const to = length >>> 0;
  if (flags !== 0n || to > SKB_MAX_BYTES || to < minLength(skb)) return -errno.EINVAL;
  if (isEncapsulated(skb)) return -errno.ENOTSUPP;
  if (ipSummed(skb) === CHECKSUM_COMPLETE && to !== skb.len) setIpSummed(skb, CHECKSUM_NONE);
  if (to > skb.len) return growTail(runtime, skb, to);
  trim(skb, to);
  return 0;
}

function changeHead(skb: SkBuffView, runtime: BpfRuntime, bytes: number, flags: bigint): number {
  if (flags !== 0n || bytes < 0 || skb.len + bytes > SKB_MAX_BYTES) return -errno.EINVAL;
  const room = ensureHeadroom(runtime, skb, bytes);
  if (room < 0) return room;
  push(skb, bytes);
  skb.ram.u8.fill(0, skb.data, skb.data + bytes);
  skb.mac_header = skb.data - skb.head;
  skb.mac_len = macHeaderLength(skb);
  return 0;
}

function adjustRoom(
  skb: SkBuffView,
  runtime: BpfRuntime,
  difference: number,
  mode: number,
  flags64: bigint,
): number {
  const flags = BigInt.asUintN(64, flags64);
  const bytes = Math.abs(difference);
  if ((flags & ~GROW_FLAGS) !== 0n) return -errno.EINVAL;
  if (bytes > MAX_ROOM_BYTES) return -errno.EFAULT;
  if (!isIp(skb)) return -errno.ENOTSUPP;
  if (mode !== ROOM_NET && mode !== ROOM_MAC) return -errno.ENOTSUPP;
  const base = baseHeaderBytes(skb);
  const at = macHeaderLength(skb) + (mode === ROOM_NET ? base : 0);
  const length = skb.len - networkOffset(skb);
  const shrink = difference < 0;
  if (shrink && (bytes >= length || length - bytes < base)) return -errno.ENOTSUPP;
  if (!shrink && skb.len + bytes > SKB_MAX_BYTES) return -errno.ENOTSUPP;
  const result = shrink
    ? shrinkRoom(skb, at, bytes, flags)
    : growRoom(skb, runtime, at, bytes, flags);
  if (result < 0) return result;
  if ((flags & NO_CSUM_RESET) === 0n && ipSummed(skb) === CHECKSUM_UNNECESSARY) {
    setIpSummed(skb, CHECKSUM_NONE);
    skb.bits130 &= ~SKB_CSUM_LEVEL_MASK;
  }
  return 0;
}

function shrinkRoom(skb: SkBuffView, at: number, bytes: number, flags: bigint): number {
  if ((flags & ~(FIXED_GSO | NO_CSUM_RESET)) !== 0n) return -errno.EINVAL;
  return removeHeader(skb, at, bytes);
}

function growRoom(
  skb: SkBuffView,
  runtime: BpfRuntime,
  at: number,
  bytes: number,
  flags: bigint,
): number {
  const room = ensureHeadroom(runtime, skb, bytes);
  if (room < 0) return room;
  const encapsulates = (flags & ENCAP_L3) !== 0n;
  const innerMacBytes = Number(flags >> ENCAP_L2_SHIFT);
  if (encapsulates) {
    const both = (mask: bigint) => (flags & mask) === mask;
    if (both(ENCAP_L3) || both(ENCAP_L4_GRE | ENCAP_L4_UDP)) return -errno.EINVAL;
    if ((flags & ENCAP_L2_ETH) !== 0n && innerMacBytes < ETH_HLEN) return -errno.EINVAL;
    if (isEncapsulated(skb)) return -errno.EALREADY;
    if (innerMacBytes > bytes) return -errno.EINVAL;
  }
  const macBytes = macHeaderLength(skb);
  const { network_header: innerNetwork, transport_header: innerTransport } = skb;
  insertHeader(skb, at, bytes);
  if (!encapsulates) return 0;
  skb.inner_mac_header = innerNetwork - innerMacBytes;
  skb.inner_network_header = innerNetwork;
  skb.inner_transport_header = innerTransport;
  skb.inner_protocol = (flags & ENCAP_L2_ETH) !== 0n ? ETH_P_TEB : skb.protocol;
  skb.bits129 |= SKB_ENCAPSULATION;
  skb.network_header = skb.data - skb.head + macBytes;
  skb.protocol = (flags & ENCAP_L3_IPV6) !== 0n ? ETH_P_IPV6 : ETH_P_IP;
  return 0;
}

/** INET_ECN_set_ce: congestion experienced, where the transport knows of ECN at all. 1: it is set. */
function ecnSetCe(skb: SkBuffView, { ram }: BpfRuntime): number {
  if (!isIp(skb) || skb.len < baseHeaderBytes(skb)) return 0;
  const header = skb.head + skb.network_header;
  const isV4 = skb.protocol === ETH_P_IP;
  const [at, shift] = isV4 ? [header + 1, 0] : [header + 1, 4];
  const ecn = (ram.u8[at]! >> shift) & 3;
  if (ecn === 0) return 0;
  if (ecn === 3) return 1;
  const before = ram.view.getUint16(header, false);
  ram.u8[at] = ram.u8[at]! | (3 << shift);
  if (isV4) {
    // The header's checksum follows by the difference (RFC 1624).
    const after = ram.view.getUint16(header, false);
    const sum = ~ram.view.getUint16(header + 10, false) & 0xffff;
    const folded = sum + (~before & 0xffff) + after;
    const once = (folded & 0xffff) + (folded >>> 16);
    ram.view.setUint16(header + 10, ~((once & 0xffff) + (once >>> 16)) & 0xffff, false);
  }
  return 1;
}

/** BPF_SKB_TSTAMP_UNSPEC, _DELIVERY_MONO */
function setTstamp(skb: SkBuffView, _: BpfRuntime, tstamp: bigint, type: number): number {
  if (!isIp(skb)) return -errno.EOPNOTSUPP;
  const isMono = type === 1;
  if ((type !== 0 && !isMono) || isMono === (tstamp === 0n)) return -errno.EINVAL;
  skb.tstamp = Number(tstamp) as Ns;
  const others = skb.bits130 & ~SKB_MONO_DELIVERY_TIME;
  skb.bits130 = isMono ? others | SKB_MONO_DELIVERY_TIME : others;
  return 0;
}

/** BPF_MTU_CHK_SEGS */
const MTU_CHK_SEGS = 1n;

/** bpf_skb_check_mtu */
function checkMtu(
  skb: SkBuffView,
  { ram, kernel }: BpfRuntime,
  ifindex: number,
  length: number,
  difference: number,
  flags: bigint,
): number {
  const at = offset(length);
  const given = ram.view.getUint32(at, true);
  // What it says where it fails.
  ram.view.setUint32(at, 0, true);
  if ((flags & ~MTU_CHK_SEGS) !== 0n) return -errno.EINVAL;
  if ((flags & MTU_CHK_SEGS) !== 0n && (difference !== 0 || given !== 0)) return -errno.EINVAL;
  const device = deviceFor(ram, kernel, skb.dev, ifindex >>> 0);
  if (!device) return -errno.ENODEV;
  const { mtu, hard_header_len: header } = device;
  const packet = (given !== 0 ? given + header : skb.len) + difference;
  ram.view.setUint32(at, mtu, true);
  return packet <= mtu + header ? 0 : MTU_CHK_RET_FRAG_NEEDED;
}

export const skbRoomImplementations: Implementations = {
  skb_change_proto: reshaping(['i32', 'i64'], changeProto),
  skb_change_tail: reshaping(['i32', 'i64'], changeTail),
  skb_change_head: reshaping(['i32', 'i64'], changeHead),
  skb_adjust_room: reshaping(['i32', 'i32', 'i64'], adjustRoom),
  skb_ecn_set_ce: onSkb([], ecnSetCe),
  skb_set_tstamp: onSkb(['i64', 'i32'], setTstamp),
  skb_check_mtu: onSkb(['i32', 'i32', 'i32', 'i64'], checkMtu),
};
