/**
 * RTM_NEWLINK as the kernel sends it: everything about one interface, attributes in the order of
 * rtnl_fill_ifinfo of Linux 6.1.
 * differs: without IFLA_AF_SPEC, the per-family settings.
 */
import { IFF_UP, IF_OPER_DOWN } from '../../types/net-device.ts';
import { XDP_MODES } from '../../../hooks/xdp-attach.ts';
import type { XdpMode } from '../../../hooks/xdp-attach.ts';
import type { NetDevice } from '../device.ts';
import { LINK_STATS, OLD_LINK_STATS } from '../stats.ts';
import type { LinkStats } from '../stats.ts';
import { MessageWriter } from './message.ts';
import { IFLA, IFLA_XDP, RTM_NEWLINK, XDP_ATTACHED } from './route-constants.ts';

export const IFINFOMSG_BYTES = 16;
const GSO_MAX_SEGS = 65535;
const GSO_MAX_SIZE = 65536;
/** TSO_MAX_SIZE, which the loopback offers: 8 * GSO_MAX_SEGS (include/linux/netdevice.h). */
const LOOPBACK_TSO_MAX_SIZE = 8 * GSO_MAX_SEGS;
/** struct rtnl_link_ifmap: of hardware that no device here has. */
const IFMAP_BYTES = 32;

export interface LinkMessageOptions {
  readonly flags?: number;
  /** RTM_NEWLINK, but for one that is gone. */
  readonly type?: number;
  readonly seq?: number;
  readonly portId?: number;
  /** ifi_change */
  readonly change?: number;
  /** RTEXT_FILTER_* of the request's IFLA_EXT_MASK. */
  readonly extMask?: number;
}

const RTEXT_FILTER_VF = 1;

export function linkMessage(device: NetDevice, options: LinkMessageOptions = {}): Uint8Array {
  const { view, init } = device;
  const { type = RTM_NEWLINK, flags = 0, seq = 0, portId = 0, change = 0, extMask = 0 } = options;
  const message = new MessageWriter(type, flags, seq, portId);
  const isLoopback = init.parent === undefined;
  const stats = device.linkStats();
  message
    .raw(ifinfomsg(view.type, device.ifindex, device.userFlags, change))
    .string(IFLA.IFNAME, device.name)
    .u32(IFLA.TXQLEN, view.tx_queue_len)
    .u8(IFLA.OPERSTATE, view.flags & IFF_UP ? view.operstate : IF_OPER_DOWN)
    .u8(IFLA.LINKMODE, view.link_mode)
    .u32(IFLA.MTU, view.mtu)
    .u32(IFLA.MIN_MTU, view.min_mtu)
    .u32(IFLA.MAX_MTU, view.max_mtu)
    .u32(IFLA.GROUP, view.group)
    .u32(IFLA.PROMISCUITY, view.promiscuity)
    .u32(IFLA.ALLMULTI, view.allmulti)
    .u32(IFLA.NUM_TX_QUEUES, view.num_tx_queues)
    .u32(IFLA.GSO_MAX_SEGS, GSO_MAX_SEGS)
    .u32(IFLA.GSO_MAX_SIZE, GSO_MAX_SIZE)
    .u32(IFLA.GRO_MAX_SIZE, GSO_MAX_SIZE)
    .u32(IFLA.TSO_MAX_SIZE, isLoopback ? LOOPBACK_TSO_MAX_SIZE : GSO_MAX_SIZE)
    .u32(IFLA.TSO_MAX_SEGS, GSO_MAX_SEGS)
    .u32(IFLA.NUM_RX_QUEUES, view.num_rx_queues)
    .u8(IFLA.CARRIER, isLoopback || device.isUp ? 1 : 0)
    .string(IFLA.QDISC, device.qdisc)
    .u32(IFLA.CARRIER_CHANGES, view.carrier_up_count + view.carrier_down_count)
    .u32(IFLA.CARRIER_UP_COUNT, view.carrier_up_count)
    .u32(IFLA.CARRIER_DOWN_COUNT, view.carrier_down_count)
    .u8(IFLA.PROTO_DOWN, view.proto_down)
    .bytes(IFLA.MAP, new Uint8Array(IFMAP_BYTES))
    .bytes(IFLA.ADDRESS, device.mac)
    .bytes(IFLA.BROADCAST, device.broadcast)
    .bytes(IFLA.STATS64, stats64(stats))
    .bytes(IFLA.STATS, stats32(stats));
  if (!isLoopback && extMask & RTEXT_FILTER_VF) message.u32(IFLA.NUM_VF, 0);
  fillXdp(message, device);
  if (!isLoopback) {
    message
      .bytes(IFLA.PERM_ADDRESS, device.permanentMac)
      .string(IFLA.PARENT_DEV_NAME, init.parent!.name)
      .string(IFLA.PARENT_DEV_BUS_NAME, init.parent!.bus);
  }
  return message.finish();
}

function ifinfomsg(type: number, ifindex: number, flags: number, change: number): Uint8Array {
  const bytes = new Uint8Array(IFINFOMSG_BYTES);
  const view = new DataView(bytes.buffer);
  view.setUint16(2, type, true);
  view.setInt32(4, ifindex, true);
  view.setUint32(8, flags, true);
  view.setUint32(12, change, true);
  return bytes;
}

/** struct rtnl_link_stats64 */
function stats64(stats: LinkStats): Uint8Array {
  const bytes = new Uint8Array(LINK_STATS.length * 8);
  const view = new DataView(bytes.buffer);
  LINK_STATS.forEach((name, i) => view.setBigUint64(i * 8, BigInt(stats[name]), true));
  return bytes;
}

/** struct rtnl_link_stats: the low halves. */
function stats32(stats: LinkStats): Uint8Array {
  const bytes = new Uint8Array(OLD_LINK_STATS.length * 4);
  const view = new DataView(bytes.buffer);
  OLD_LINK_STATS.forEach((name, i) => view.setUint32(i * 4, stats[name] % 2 ** 32, true));
  return bytes;
}

const PROG_ID: Readonly<Record<XdpMode, number>> = {
  skb: IFLA_XDP.SKB_PROG_ID,
  drv: IFLA_XDP.DRV_PROG_ID,
  hw: IFLA_XDP.HW_PROG_ID,
};

/** rtnl_xdp_fill */
function fillXdp(message: MessageWriter, device: NetDevice): void {
  message.nested(IFLA.XDP, () => {
    const attached = XDP_MODES.filter((mode) => device.xdp[mode].program);
    for (const mode of attached) message.u32(PROG_ID[mode], device.xdp[mode].program!.id);
    const [first] = attached;
    const mode = attached.length > 1 ? 'multi' : (first ?? 'none');
    message.u8(IFLA_XDP.ATTACHED, XDP_ATTACHED[mode]);
    if (attached.length === 1) message.u32(IFLA_XDP.PROG_ID, device.xdp[first!].program!.id);
  });
}
