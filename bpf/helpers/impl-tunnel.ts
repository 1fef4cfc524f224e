/**
 * The tunnel that a packet has come through or is to take (net/core/filter.c, Linux 6.1): struct
 * bpf_tunnel_key on one side, the packet's metadata_dst on the other. A program's tunnel is one
 * block per CPU, which every packet that it sets points at.
 */
import type { Ram } from '../../kernel/ram/ram.ts';
import { errno } from '../../kernel/types/errno.ts';
import type { SkBuffView } from '../../kernel/types/skbuff.ts';
import {
  FLOWI_FLAG_ANYSRC,
  IP_TUNNEL_INFO_IPV6,
  IP_TUNNEL_INFO_TX,
  IP_TUNNEL_OPTS_MAX,
  IpTunnelInfo,
  IpTunnelKey,
  MetadataDst,
  METADATA_IP_TUNNEL,
  TUNNEL_CSUM,
  TUNNEL_DONT_FRAGMENT,
  TUNNEL_KEY,
  TUNNEL_NOCACHE,
  TUNNEL_OPTIONS_PRESENT,
  TUNNEL_SEQ,
} from '../../kernel/types/tunnel.ts';
import type { RamOffset } from '../../kernel/types/units.ts';
import type { BpfRuntime } from '../runtime.ts';
import type { Implementations } from './implement.ts';
import { offset } from './implement.ts';
import { onSkb } from './on-skb.ts';

/** struct bpf_tunnel_key, and the sizes that it had before it grew. */
const KEY = {
  id: 0,
  remote: 4,
  tos: 20,
  ttl: 21,
  ext: 22,
  label: 24,
  local: 28,
  bytes: 44,
} as const;
const OLDER_BYTES: readonly number[] = [KEY.local, KEY.label, KEY.ext];
/** Without room for an IPv6 address. */
const OLDEST_BYTES = 8;

/** UAPI linux/bpf.h */
const BPF_F_TUNINFO_IPV6 = 1n;
const BPF_F_ZERO_CSUM_TX = 2n;
const BPF_F_DONT_FRAGMENT = 4n;
const BPF_F_SEQ_NUMBER = 8n;
const BPF_F_TUNINFO_FLAGS = 16n;
const SET_FLAGS = BPF_F_TUNINFO_IPV6 | BPF_F_ZERO_CSUM_TX | BPF_F_DONT_FRAGMENT | BPF_F_SEQ_NUMBER;

/** IPV6_FLOWLABEL_MASK */
const FLOWLABEL_MASK = 0xfffff;
const V6_BYTES = 16;
/** skb_dst: the low bit says that the packet holds no reference. */
const DST_MASK = ~1n;

function ownTunnel(runtime: BpfRuntime): RamOffset {
  const { ram, kernel } = runtime;
  const ofCpu = (runtime.tunnels ??= new Map());
  const cpu = kernel.cpu();
  const at = ofCpu.get(cpu) ?? ram.kzalloc(MetadataDst.size + IP_TUNNEL_OPTS_MAX);
  ofCpu.set(cpu, at);
  return at;
}

/** skb_tunnel_info: the ip_tunnel_info of the packet, 0 where it has none. */
function tunnelInfoOf(ram: Ram, skb: SkBuffView): RamOffset {
  const at = ram.offsetOf(BigInt.asUintN(64, skb._skb_refdst & DST_MASK));
  if (at === undefined || at === 0) return 0 as RamOffset;
  const dst = MetadataDst.at(ram, at);
  return dst.type === METADATA_IP_TUNNEL ? dst.tun_info : (0 as RamOffset);
}

const optionsOf = (info: RamOffset) => (info + IpTunnelInfo.size) as RamOffset;

function getKey(
  skb: SkBuffView,
  { ram }: BpfRuntime,
  out: number,
  sizeBytes: number,
  flags: bigint,
): number {
  const [to, size] = [offset(out), sizeBytes >>> 0];
  const refuse = (error: number) => {
    ram.u8.fill(0, to, to + size);
    return -error;
  };
  const infoAt = tunnelInfoOf(ram, skb);
  const known = BPF_F_TUNINFO_IPV6 | BPF_F_TUNINFO_FLAGS;
  if (infoAt === 0 || (flags & ~known) !== 0n) return refuse(errno.EINVAL);
  const info = IpTunnelInfo.at(ram, infoAt);
  const isV6 = (info.mode & IP_TUNNEL_INFO_IPV6) !== 0;
  if (isV6 !== ((flags & BPF_F_TUNINFO_IPV6) !== 0n)) return refuse(errno.EPROTO);
  const fits = size === KEY.bytes || OLDER_BYTES.includes(size) || (size === OLDEST_BYTES && !isV6);
  if (!fits) return refuse(errno.EINVAL);

  const bytes = new Uint8Array(KEY.bytes);
  const view = new DataView(bytes.buffer);
  const key = IpTunnelKey.at(ram, info.key);
  const wire = ram.view;
  view.setUint32(KEY.id, Number(BigInt.asUintN(32, wire.getBigUint64(key.offset, false))), true);
  view.setUint8(KEY.tos, key.tos);
  view.setUint8(KEY.ttl, key.ttl);
  view.setUint16(KEY.ext, (flags & BPF_F_TUNINFO_FLAGS) !== 0n ? key.tun_flags : 0, true);
  // Who sent the packet is the remote end.
  if (isV6) {
    bytes.set(ram.bytes(key.u, V6_BYTES), KEY.remote);
    bytes.set(ram.bytes((key.u + V6_BYTES) as RamOffset, V6_BYTES), KEY.local);
    view.setUint32(KEY.label, swap32(key.label), true);
  } else {
    view.setUint32(KEY.remote, wire.getUint32(key.u, false), true);
    view.setUint32(KEY.local, wire.getUint32(key.u + 4, false), true);
  }
  ram.u8.set(bytes.subarray(0, size), to);
  return 0;
}

function swap32(value: number): number {
  const view = new DataView(new ArrayBuffer(4));
  view.setUint32(0, value, true);
  return view.getUint32(0, false);
}

function setKey(
  skb: SkBuffView,
  runtime: BpfRuntime,
  from: number,
  sizeBytes: number,
  flags: bigint,
): number {
  const { ram } = runtime;
  const size = sizeBytes >>> 0;
  if ((flags & ~SET_FLAGS) !== 0n) return -errno.EINVAL;
  if (size !== KEY.bytes && size !== OLDEST_BYTES && !OLDER_BYTES.includes(size)) {
    return -errno.EINVAL;
  }
  const bytes = new Uint8Array(KEY.bytes);
  bytes.set(ram.bytes(offset(from), size));
  const given = new DataView(bytes.buffer);
  const isV6 = (flags & BPF_F_TUNINFO_IPV6) !== 0n;
  const label = given.getUint32(KEY.label, true);
  if ((!isV6 && label !== 0) || given.getUint16(KEY.ext, true) !== 0) return -errno.EINVAL;

  const at = ownTunnel(runtime);
  ram.u8.fill(0, at, at + MetadataDst.size);
  const info = IpTunnelInfo.at(ram, MetadataDst.at(ram, at).tun_info);
  const key = IpTunnelKey.at(ram, info.key);
  skb._skb_refdst = ram.kernelAddress(at);
  info.mode = isV6 ? IP_TUNNEL_INFO_TX | IP_TUNNEL_INFO_IPV6 : IP_TUNNEL_INFO_TX;
  key.tun_flags =
    TUNNEL_KEY |
    TUNNEL_NOCACHE |
    ((flags & BPF_F_ZERO_CSUM_TX) !== 0n ? 0 : TUNNEL_CSUM) |
    ((flags & BPF_F_DONT_FRAGMENT) !== 0n ? TUNNEL_DONT_FRAGMENT : 0) |
    ((flags & BPF_F_SEQ_NUMBER) !== 0n ? TUNNEL_SEQ : 0);
  ram.view.setBigUint64(key.offset, BigInt(given.getUint32(KEY.id, true)), false);
  key.tos = given.getUint8(KEY.tos);
  key.ttl = given.getUint8(KEY.ttl);
  if (isV6) {
    ram.u8.set(bytes.subarray(KEY.local, KEY.local + V6_BYTES), key.u);
    ram.u8.set(bytes.subarray(KEY.remote, KEY.remote + V6_BYTES), key.u + V6_BYTES);
    key.label = swap32(label & FLOWLABEL_MASK);
  } else {
    ram.view.setUint32(key.u, given.getUint32(KEY.local, true), false);
    ram.view.setUint32(key.u + 4, given.getUint32(KEY.remote, true), false);
    key.flow_flags = FLOWI_FLAG_ANYSRC;
  }
  return 0;
}

function getOptions(skb: SkBuffView, { ram }: BpfRuntime, out: number, sizeBytes: number): number {
  const [to, size] = [offset(out), sizeBytes >>> 0];
  const at = tunnelInfoOf(ram, skb);
  const info = IpTunnelInfo.at(ram, at);
  const hasOptions =
    at !== 0 && (IpTunnelKey.at(ram, info.key).tun_flags & TUNNEL_OPTIONS_PRESENT) !== 0;
  ram.u8.fill(0, to, to + size);
  if (!hasOptions) return -errno.ENOENT;
  const length = info.options_len;
  if (size < length) return -errno.ENOMEM;
  ram.u8.copyWithin(to, optionsOf(at), optionsOf(at) + length);
  return length;
}

/** Only of a tunnel that a program has set before. */
function setOptions(skb: SkBuffView, runtime: BpfRuntime, from: number, sizeBytes: number): number {
  const { ram } = runtime;
  const size = sizeBytes >>> 0;
  const at = tunnelInfoOf(ram, skb);
  const own = MetadataDst.at(ram, ownTunnel(runtime)).tun_info;
  if (at !== own || size % 4 !== 0) return -errno.EINVAL;
  if (size > IP_TUNNEL_OPTS_MAX) return -errno.ENOMEM;
  const info = IpTunnelInfo.at(ram, at);
  info.options_len = size;
  if (size === 0) return 0;
  ram.u8.copyWithin(optionsOf(at), offset(from), offset(from) + size);
  IpTunnelKey.at(ram, info.key).tun_flags |= TUNNEL_OPTIONS_PRESENT;
  return 0;
}

export const tunnelImplementations: Implementations = {
  skb_get_tunnel_key: onSkb(['i32', 'i32', 'i64'], getKey),
  skb_set_tunnel_key: onSkb(['i32', 'i32', 'i64'], setKey),
  skb_get_tunnel_opt: onSkb(['i32', 'i32'], getOptions),
  skb_set_tunnel_opt: onSkb(['i32', 'i32'], setOptions),
};
