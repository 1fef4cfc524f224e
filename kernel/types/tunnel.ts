/**
 * What a packet knows of the tunnel that it came through or shall go through: a metadata_dst, to
 * which `_skb_refdst` points, at the offsets of Linux 6.1 on x86-64 (read from its BTF). Addresses,
 * ids and labels are in network order. Options stand behind the ip_tunnel_info.
 */
import { array, embed, i32, struct, u16, u32, u64, u8, type ViewOf } from './struct.ts';

/** The union of addresses: IPv4 in the first two words, IPv6 in all. */
export const IpTunnelKey = struct(
  'ip_tunnel_key',
  {
    tun_id: u64,
    u: array(u32, 8),
    tun_flags: u16,
    tos: u8,
    ttl: u8,
    label: u32,
    tp_src: u16,
    tp_dst: u16,
    flow_flags: u8,
  },
  { size: 56 },
);

export const IpTunnelInfo = struct(
  'ip_tunnel_info',
  { key: embed(IpTunnelKey), options_len: u8, mode: u8 },
  { size: 88, offsets: { options_len: 80 } },
);

export const MetadataDst = struct(
  'metadata_dst',
  { type: i32, tun_info: embed(IpTunnelInfo) },
  { size: 208, offsets: { type: 112, tun_info: 120 } },
);
export type MetadataDstView = ViewOf<typeof MetadataDst>;

/** enum metadata_type: METADATA_IP_TUNNEL */
export const METADATA_IP_TUNNEL = 0;
/** ip_tunnel_info.mode (include/net/ip_tunnels.h). */
export const IP_TUNNEL_INFO_TX = 1;
export const IP_TUNNEL_INFO_IPV6 = 2;
/** IP_TUNNEL_OPTS_MAX: what options_len can count. */
export const IP_TUNNEL_OPTS_MAX = 255;
/** TUNNEL_* of tun_flags (UAPI linux/if_tunnel.h), in network order. */
export const TUNNEL_CSUM = 0x0100;
export const TUNNEL_KEY = 0x0400;
export const TUNNEL_SEQ = 0x0800;
export const TUNNEL_DONT_FRAGMENT = 0x0001;
export const TUNNEL_NOCACHE = 0x0020;
/** TUNNEL_GENEVE_OPT, _VXLAN_OPT, _ERSPAN_OPT, _GTP_OPT */
export const TUNNEL_OPTIONS_PRESENT = 0x0008 | 0x0010 | 0x0040 | 0x0080;
/** FLOWI_FLAG_ANYSRC */
export const FLOWI_FLAG_ANYSRC = 1;
