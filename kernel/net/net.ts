/**
 * The network of one machine: its interfaces, the path of a packet through them, and the protocols.
 *
 *   const net = new Net(netHost(kernel));        makes lo
 *   const eth0 = probeNic(net, config, …)        nic-driver.ts
 *   net.byName('eth0'), net.byIndex(2), net.devices
 *   net.receive(skb), net.transmit(skb)
 *
 * Configuration comes in through rtnetlink (netlink/), sockets through af-netlink.ts.
 */
import type { ProgObject } from '../../bpf/syscall/objects.ts';
import { XDP_REDIRECT } from '../../bpf/uapi.ts';
import type { XdpBuffView } from '../types/xdp.ts';
import { releaseXdp } from '../../hooks/xdp-attach.ts';
import { Cpumaps } from './cpumap.ts';
import type { NetDevice } from './device.ts';
import { ETH_P_ARP, ETH_P_IP, ETH_P_IPV6 } from './ethernet.ts';
import type { NetHost } from './host.ts';
import { Icmp } from './icmp.ts';
import { Ipv4 } from './ipv4.ts';
import { RouteFamily } from './netlink/rtnetlink.ts';
import { loopbackAddress } from './netlink/rtnl-address.ts';
import { NetlinkTable } from './netlink/table.ts';
import { addLoopback, Backlog } from './loopback.ts';
import { NapiCore } from './napi.ts';
import { Neighbours } from './neighbour.ts';
import type { DropReason, NetTracepoints } from './net-events.ts';
import { addNetTracepoints, DROP_REASON } from './net-events.ts';
import { SKB_TRANSMIT_NS } from '../cost/net.ts';
import { Receive } from './receive.ts';
import type { Skb } from './skb.ts';
import { SkbAllocator } from './skb.ts';
import { newGenericXdpBuff } from './xdp-generic.ts';
import { programArg, XdpRedirects } from './xdp-redirect.ts';

/** Told of what has happened to an interface. */
type DeviceWatcher = (device: NetDevice, what: 'changed' | 'gone') => void;

export class Net {
  readonly host: NetHost;
  readonly tracepoints: NetTracepoints;
  readonly napi: NapiCore;
  readonly skbs: SkbAllocator;
  readonly rx: Receive;
  readonly loopback: NetDevice;
  readonly backlog: Backlog;
  readonly neighbours: Neighbours;
  readonly ipv4: Ipv4;
  readonly icmp: Icmp;
  readonly netlink: NetlinkTable;
  readonly redirects: XdpRedirects;
  readonly cpumaps: Cpumaps;
  #devices: NetDevice[] = [];
  #nextIndex = 1;
  readonly #genericXdp = new Map<NetDevice, XdpBuffView>();
  #watchers: DeviceWatcher[] = [];
  #hasWarned = false;

  constructor(host: NetHost) {
    this.host = host;
    this.tracepoints = addNetTracepoints(host.registry);
    this.napi = new NapiCore(host, this.tracepoints);
    this.skbs = new SkbAllocator(host.ram, this.tracepoints);
    this.cpumaps = new Cpumaps(this);
    this.redirects = new XdpRedirects(this);
    this.rx = new Receive(this);
    this.loopback = addLoopback(this);
    this.backlog = new Backlog(this, this.loopback);
    this.neighbours = new Neighbours(this);
    this.ipv4 = new Ipv4(this);
    this.icmp = new Icmp(this);
    this.netlink = new NetlinkTable(host.sleeper);
    this.netlink.addFamily(new RouteFamily(this, this.netlink));
    this.rx.addProtocol(ETH_P_IP, (skb) => this.ipv4.receive(skb));
    this.rx.addProtocol(ETH_P_ARP, (skb) => this.neighbours.receiveArp(skb));
    // differs: IPv6 packets are counted and go no further; there is no IPv6 yet.
    this.rx.addProtocol(ETH_P_IPV6, (skb) => this.ipv4.discardIpv6(skb));
  }

  get devices(): readonly NetDevice[] {
    return this.#devices;
  }

  /** Network adapters, which number their PCI slots. */
  get nicCount(): number {
    return this.#devices.length - 1;
  }

  register(device: NetDevice): void {
    device.view.ifindex = this.#nextIndex++;
    this.#devices.push(device);
  }

  /**
   * unregister_netdevice: down, its programs let go, its name free; whoever watches is told. What
   * an offloading device had answers -ENODEV from now on.
   */
  unregister(device: NetDevice): void {
    this.down(device);
    releaseXdp(device);
    device.addresses = [];
    device.driver.removed?.();
    this.#devices = this.#devices.filter((other) => other !== device);
    this.#genericXdp.delete(device);
    for (const watcher of this.#watchers) watcher(device, 'gone');
  }

  byIndex(ifindex: number): NetDevice | undefined {
    return this.#devices.find((device) => device.ifindex === ifindex);
  }

  byName(name: string): NetDevice | undefined {
    return this.#devices.find((device) => device.name === name);
  }

  /** dev_open: 0 or a negative errno. The loopback gets its address with it (inetdev_event). */
  up(device: NetDevice): number {
    const wasUp = device.isUp;
    const result = device.open();
    if (result < 0 || wasUp) return result;
    if (device === this.loopback && device.addresses.length === 0) {
      const createdCs = Math.floor(this.host.clock() / 1e7);
      device.addresses.push(loopbackAddress(createdCs, device.name));
    }
    return 0;
  }

  down(device: NetDevice): void {
    if (!device.isUp) return;
    device.close();
    this.neighbours.flush(device);
  }

  /** Called when something about an interface has changed: netlink's notifications. */
  watch(watcher: DeviceWatcher): void {
    this.#watchers.push(watcher);
  }

  changed(device: NetDevice): void {
    for (const watcher of this.#watchers) watcher(device, 'changed');
  }

  /** Takes an skb that ethTypeTrans has looked at. */
  receive(skb: Skb): void {
    this.rx.receive(skb);
  }

  /** dev_queue_xmit: takes an skb with its Ethernet header in front. */
  transmit(skb: Skb): void {
    const { dev, len } = skb;
    const { netDevQueue, netDevXmit } = this.tracepoints;
    this.host.charge(SKB_TRANSMIT_NS);
    if (netDevQueue.enabled) netDevQueue.fire(skb, dev.name);
    if (!dev.isUp) return this.#transmitFailed(skb, DROP_REASON.NOT_SPECIFIED);
    this.rx.tap(skb, 'out');
    const { xmit } = dev.driver;
    const sent = xmit.call(dev.driver, skb);
    if (netDevXmit.enabled) netDevXmit.fire(skb, sent ? 0 : NETDEV_TX_BUSY, dev, len);
    if (!sent) this.#transmitFailed(skb, DROP_REASON.FULL_RING);
  }

  /** generic_xdp_tx: straight to the driver, no queueing, no taps. */
  transmitXdp(skb: Skb): void {
    if (skb.dev.isUp && skb.dev.driver.xmit(skb)) return;
    this.#transmitFailed(skb, DROP_REASON.NOT_SPECIFIED);
  }

  #transmitFailed(skb: Skb, reason: DropReason): void {
    skb.dev.coreStats.tx_dropped++;
    this.skbs.drop(skb, reason);
  }

  genericXdpBuff(device: NetDevice): XdpBuffView {
    let buff = this.#genericXdp.get(device);
    if (!buff) {
      buff = newGenericXdpBuff(this, device);
      this.#genericXdp.set(device, buff);
    }
    return buff;
  }

  // --- what becomes of XDP verdicts that are no plain drop or pass ---

  xdpException(device: NetDevice, program: ProgObject, verdict: number): void {
    const { xdpException } = this.tracepoints;
    if (xdpException.enabled) xdpException.fire(device, programArg(program), verdict);
  }

  /** bpf_warn_invalid_xdp_action: once a boot. */
  warnInvalidAction(device: NetDevice | undefined, program: ProgObject, verdict: number): void {
    if (this.#hasWarned) return;
    this.#hasWarned = true;
    this.host.printk(
      `${verdict > XDP_REDIRECT ? 'Illegal' : 'Driver unsupported'} XDP return value ${verdict} ` +
        `on prog ${program.prog.name} (id ${program.id}) dev ${device?.name ?? 'N/A'}, ` +
        'expect packet loss!',
    );
  }
}

const NETDEV_TX_BUSY = 0x10;
