/**
 * From the driver to the protocols: __netif_receive_skb_core. Taps see everything, then generic XDP,
 * then the handler of the frame's protocol.
 *
 *   receive.addProtocol(ETH_P_ARP, (skb) => …)    takes the skb
 *   receive.addTap((skb, direction) => …)         looks at it: packet sockets, captures
 */
import { SKB_RECEIVE_NS } from '../cost/net.ts';
import { PACKET_OTHERHOST, SKB_REDIRECTED, SKB_VLAN_PRESENT } from '../types/skbuff.ts';
import { ETH_HLEN, ETH_P_8021AD, ETH_P_8021Q } from './ethernet.ts';
import { DROP_REASON } from './net-events.ts';
import type { Net } from './net.ts';
import type { Skb } from './skb.ts';
import { swap16 } from './skb.ts';
import { runGenericXdp } from './xdp-generic.ts';

export type ProtocolHandler = (skb: Skb) => void;
/** The frame is at skb.macHeader; it may be looked at, not kept. */
export type Tap = (skb: Skb, direction: 'in' | 'out') => void;

export class Receive {
  readonly #net: Net;
  readonly #handlers = new Map<number, ProtocolHandler>();
  #taps: Tap[] = [];

  constructor(net: Net) {
    this.#net = net;
  }

  addProtocol(type: number, handler: ProtocolHandler): void {
    this.#handlers.set(type, handler);
  }

  /** EtherTypes with a handler, for /proc/net/ptype. */
  get protocols(): readonly number[] {
    return [...this.#handlers.keys()];
  }

  addTap(tap: Tap): () => void {
    this.#taps = [...this.#taps, tap];
    return () => {
      this.#taps = this.#taps.filter((other) => other !== tap);
    };
  }

  tap(skb: Skb, direction: 'in' | 'out'): void {
    for (const tap of this.#taps) tap(skb, direction);
  }

  /** Takes a frame whose Ethernet header has been looked at (ethTypeTrans). */
  receive(skb: Skb): void {
    const net = this.#net;
    const { netifReceiveSkb } = net.tracepoints;
    if (netifReceiveSkb.enabled) netifReceiveSkb.fire(skb, skb.dev.name);
    net.host.charge(SKB_RECEIVE_NS);
    const { program } = skb.dev.xdp.skb;
    // What has been redirected here has had its turn (skb_is_redirected).
    const isRedirected = (skb.view.bits131 & SKB_REDIRECTED) !== 0;
    skb.view.bits131 &= ~SKB_REDIRECTED;
    if (program && !isRedirected && !runGenericXdp(net, skb, program)) return;
    if (skb.protocol === ETH_P_8021Q || skb.protocol === ETH_P_8021AD) this.#untag(skb);
    for (const tap of this.#taps) tap(skb, 'in');
    const handler = this.#handlers.get(skb.protocol);
    if (handler) {
      handler(skb);
      return;
    }
    skb.dev.coreStats.rx_dropped++;
    net.skbs.drop(skb, DROP_REASON.UNHANDLED_PROTO);
  }

  /**
   * skb_vlan_untag: the tag moves into the sk_buff. There are no VLAN interfaces here, so what is
   * tagged is nobody's (vlan_do_receive), unless the tag is only a priority.
   */
  #untag(skb: Skb): void {
    if (skb.len < 4) return;
    const { u8 } = skb.ram;
    const { view } = skb;
    const at = skb.data;
    const tci = (u8[at]! << 8) | u8[at + 1]!;
    view.vlan_proto = swap16(skb.protocol);
    view.vlan_tci = tci;
    view.bits130 |= SKB_VLAN_PRESENT;
    skb.protocol = (u8[at + 2]! << 8) | u8[at + 3]!;
    // The addresses move up over the tag, so that an Ethernet header stands before the payload.
    u8.copyWithin(skb.macHeader + 4, skb.macHeader, skb.macHeader + ETH_HLEN - 2);
    view.mac_header += 4;
    skb.pull(4);
    view.network_header = skb.data - view.head;
    if ((tci & 0xfff) !== 0) skb.pktType = PACKET_OTHERHOST;
  }
}
