/**
 * struct net_device: the members of Linux 6.1's (include/linux/netdevice.h), in its order, that
 * programs read and that this kernel keeps up to date. Offsets are ours (programs relocate by BTF).
 */
import {
  array,
  charArray,
  i32,
  pointer,
  struct,
  u16,
  u32,
  u64,
  u8,
  ulong,
  type ViewOf,
} from './struct.ts';

export const IFNAMSIZ = 16;
export const MAX_ADDR_LEN = 32;

export const NetDeviceStruct = struct('net_device', {
  name: charArray(IFNAMSIZ),
  state: ulong,
  flags: u32,
  priv_flags: u64,
  ifindex: i32,
  hard_header_len: u16,
  mtu: u32,
  needed_headroom: u16,
  needed_tailroom: u16,
  min_mtu: u32,
  max_mtu: u32,
  type: u16,
  min_header_len: u8,
  name_assign_type: u8,
  group: i32,
  carrier_up_count: i32,
  carrier_down_count: i32,
  operstate: u8,
  link_mode: u8,
  perm_addr: array(u8, MAX_ADDR_LEN),
  addr_assign_type: u8,
  addr_len: u8,
  promiscuity: u32,
  allmulti: u32,
  dev_addr: pointer('unsigned char'),
  num_rx_queues: u32,
  real_num_rx_queues: u32,
  xdp_prog: pointer('bpf_prog'),
  broadcast: array(u8, MAX_ADDR_LEN),
  num_tx_queues: u32,
  real_num_tx_queues: u32,
  tx_queue_len: u32,
  proto_down: u8,
});
export type NetDeviceView = ViewOf<typeof NetDeviceStruct>;

/** IFF_* of flags (UAPI linux/if.h). */
export const IFF_UP = 0x1;
export const IFF_BROADCAST = 0x2;
export const IFF_LOOPBACK = 0x8;
export const IFF_POINTOPOINT = 0x10;
export const IFF_RUNNING = 0x40;
export const IFF_NOARP = 0x80;
export const IFF_PROMISC = 0x100;
export const IFF_ALLMULTI = 0x200;
export const IFF_MULTICAST = 0x1000;
export const IFF_LOWER_UP = 0x10000;

/** IF_OPER_* (RFC 2863, UAPI linux/if.h). */
export const IF_OPER_UNKNOWN = 0;
export const IF_OPER_DOWN = 2;
export const IF_OPER_UP = 6;

/** ARPHRD_* of type (UAPI linux/if_arp.h). */
export const ARPHRD_ETHER = 1;
export const ARPHRD_LOOPBACK = 772;

/** NET_NAME_*: how the name came about. */
export const NET_NAME_ENUM = 1;
export const NET_NAME_PREDICTABLE = 2;
export const NET_NAME_RENAMED = 4;

export const NapiStruct = struct('napi_struct', {
  state: ulong,
  weight: i32,
  dev: pointer('net_device'),
  napi_id: u32,
});
