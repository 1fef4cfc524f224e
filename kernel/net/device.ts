/**
 * A network interface: struct net_device in RAM, what its driver does, and the XDP programs on it.
 *
 *   new NetDevice(ram, {name, type, …, driver})    made by a driver, registered with Net
 *   dev.open(), dev.close()                        up and down
 *   dev.changeMtu(mtu, extack), dev.linkStats()
 *   dev.addresses                                  IPv4 and IPv6 addresses, see address.ts
 */
import { newXdpSlots } from '../../hooks/xdp-attach.ts';
import type { Extack, XdpDevice, XdpMode } from '../../hooks/xdp-attach.ts';
import type { OffloadDevice } from '../../bpf/syscall/offload.ts';
import type { ProgObject } from '../../bpf/syscall/objects.ts';
import type { Ram } from '../ram/ram.ts';
import { errno } from '../types/errno.ts';
import {
  IFF_LOWER_UP,
  IFF_RUNNING,
  IFF_UP,
  IF_OPER_DOWN,
  IF_OPER_UP,
  MAX_ADDR_LEN,
  NetDeviceStruct,
} from '../types/net-device.ts';
import type { NetDeviceView } from '../types/net-device.ts';
import type { RamOffset } from '../types/units.ts';
import type { InterfaceAddress } from './address.ts';
import type { BufferRelease, Skb } from './skb.ts';
import { zeroLinkStats } from './stats.ts';
import type { LinkStats } from './stats.ts';

/** A frame on its way without an sk_buff. */
export interface XdpPage {
  readonly page: RamOffset;
  readonly data: RamOffset;
  readonly length: number;
  /** Metadata in front of the data; none by default. */
  readonly metaBytes?: number;
  readonly release: BufferRelease;
}

/** What a driver provides: struct net_device_ops. */
export interface NetDriver {
  readonly name: string;
  /** 0 or a negative errno. */
  open(): number;
  stop(): void;
  /** Takes the skb in any case; false if it had to be dropped. */
  xmit(skb: Skb): boolean;
  /** ndo_xdp_xmit: takes a frame in a page of a pool's; false where there is no room for it. */
  xdpXmit?(frame: XdpPage): boolean;
  changeMtu?(mtu: number, extack: Extack): number;
  /** Add what this driver has counted. */
  addStats(stats: LinkStats): void;
  /** What the device runs, for `ethtool -i`. */
  readonly firmware?: string | undefined;
  /** ethtool -S: name and value, in order. */
  ethtoolStats?(): readonly (readonly [name: string, value: number])[];
  /** The hardware has gone, and with it the interface. */
  removed?(): void;
  /** The device runs programs itself. */
  readonly offload?: OffloadDevice | undefined;
  /** Native XDP, or a mode the device offers; absent: not supported. */
  readonly xdp?: Partial<
    Record<'drv' | 'hw', (program: ProgObject | undefined, extack: Extack) => number>
  >;
}

/** RFC 791 */
const IPV4_MIN_MTU = 68;

export interface NetDeviceInit {
  readonly name: string;
  /** ARPHRD_* */
  readonly type: number;
  readonly flags: number;
  readonly mac: Uint8Array;
  readonly broadcast: Uint8Array;
  readonly mtu: number;
  readonly minMtu: number;
  readonly maxMtu: number;
  readonly queues: number;
  readonly nameAssignType: number;
  /** 'mq', 'noqueue', … */
  readonly qdisc: string;
  /** Bus and name of the device behind it, where there is one. */
  readonly parent?: { readonly bus: string; readonly name: string };
  /** Mb/s; absent where speed has no meaning. */
  readonly speedMbps?: number;
}

export class NetDevice implements XdpDevice {
  readonly view: NetDeviceView;
  readonly init: NetDeviceInit;
  readonly driver: NetDriver;
  readonly xdp = newXdpSlots();
  readonly installXdp: XdpDevice['installXdp'];
  addresses: InterfaceAddress[] = [];
  #wasUp = false;
  /** Counted by the core, not by the driver. */
  readonly coreStats = { rx_dropped: 0, tx_dropped: 0, rx_nohandler: 0, rx_otherhost_dropped: 0 };

  constructor(ram: Ram, init: NetDeviceInit, driver: NetDriver) {
    this.init = init;
    this.driver = driver;
    const view = NetDeviceStruct.alloc(ram);
    this.view = view;
    view.name = init.name;
    view.type = init.type;
    view.flags = init.flags;
    view.mtu = init.mtu;
    view.min_mtu = init.minMtu;
    view.max_mtu = init.maxMtu;
    view.hard_header_len = 14;
    view.min_header_len = 14;
    view.name_assign_type = init.nameAssignType;
    view.addr_len = init.mac.length;
    view.num_rx_queues = init.queues;
    view.real_num_rx_queues = init.queues;
    view.num_tx_queues = init.queues;
    view.real_num_tx_queues = init.queues;
    // DEFAULT_TX_QUEUE_LEN (include/net/sch_generic.h via ether_setup).
    view.tx_queue_len = 1000;
    view.dev_addr = ram.kzalloc(MAX_ADDR_LEN);
    ram.u8.set(init.mac, view.dev_addr);
    ram.u8.set(init.mac, view.perm_addr);
    ram.u8.set(init.broadcast, view.broadcast);
    const { xdp } = driver;
    this.installXdp = {
      skb: (program) => this.#installed(program),
      drv: xdp?.drv && ((program, extack) => this.#install('drv', program, extack)),
      hw: xdp?.drv && ((program, extack) => this.#install('hw', program, extack)),
    };
  }

  get offset(): RamOffset {
    return this.view.offset;
  }

  get name(): string {
    return this.view.name;
  }

  get ifindex(): number {
    return this.view.ifindex;
  }

  get mtu(): number {
    return this.view.mtu;
  }

  get isUp(): boolean {
    return (this.view.flags & IFF_UP) !== 0;
  }

  /** dev_get_flags: what user space sees; every device here has a carrier while it is up. */
  get userFlags(): number {
    const { flags } = this.view;
    return flags & IFF_UP ? flags | IFF_RUNNING | IFF_LOWER_UP : flags;
  }

  get mac(): Uint8Array {
    return this.view.ram.bytes(this.view.dev_addr, this.view.addr_len);
  }

  get permanentMac(): Uint8Array {
    return this.view.ram.bytes(this.view.perm_addr, this.view.addr_len);
  }

  /** 'noop' until the interface comes up for the first time. */
  get qdisc(): string {
    return this.#wasUp ? this.init.qdisc : 'noop';
  }

  get broadcast(): Uint8Array {
    return this.view.ram.bytes(this.view.broadcast, this.view.addr_len);
  }

  /** IFF_UP: 0 or a negative errno. Net.up does what else belongs to it. */
  open(): number {
    if (this.isUp) return 0;
    const result = this.driver.open();
    if (result < 0) return result;
    const { view } = this;
    view.flags |= IFF_UP;
    this.#wasUp = true;
    if (this.init.parent) {
      view.carrier_up_count++;
      view.operstate = IF_OPER_UP;
    }
    return 0;
  }

  close(): void {
    if (!this.isUp) return;
    const { view } = this;
    view.flags &= ~IFF_UP;
    this.driver.stop();
    if (this.init.parent) {
      view.carrier_down_count++;
      view.operstate = IF_OPER_DOWN;
    }
  }

  /** dev_set_mtu_ext. */
  changeMtu(mtu: number, extack: Extack): number {
    if (mtu === this.mtu) return 0;
    if (mtu < this.view.min_mtu) {
      extack.message = 'mtu less than device minimum';
      return -errno.EINVAL;
    }
    if (this.view.max_mtu > 0 && mtu > this.view.max_mtu) {
      extack.message = 'mtu greater than device maximum';
      return -errno.EINVAL;
    }
    const result = this.driver.changeMtu?.(mtu, extack) ?? 0;
    if (result < 0) return result;
    this.view.mtu = mtu;
    // Too small for IPv4, which leaves the interface (inetdev_event).
    if (mtu < IPV4_MIN_MTU) this.addresses = this.addresses.filter((a) => a.family !== 'inet');
    return 0;
  }

  linkStats(): LinkStats {
    const stats = zeroLinkStats();
    this.driver.addStats(stats);
    for (const [name, count] of Object.entries(this.coreStats)) {
      stats[name as keyof typeof this.coreStats] += count;
    }
    return stats;
  }

  #install(mode: Exclude<XdpMode, 'skb'>, program: ProgObject | undefined, extack: Extack): number {
    const result = this.driver.xdp?.[mode]?.(program, extack) ?? -errno.EINVAL;
    return result < 0 ? result : this.#installed(program);
  }

  /** differs: no struct bpf_prog is in RAM to point at, so xdp_prog stays NULL. */
  #installed(_program: ProgObject | undefined): number {
    return 0;
  }
}
