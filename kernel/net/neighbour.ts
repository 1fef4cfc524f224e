/**
 * Neighbours: who has which IPv4 address on a link. Answers ARP requests, learns from them, asks
 * for addresses it does not know, and keeps the packets that wait for the answer (RFC 826; states
 * and timers of Linux's neigh, include/uapi/linux/neighbour.h and net/ipv4/arp.c).
 *
 *   neighbours.output(skb, nextHop)     give an IP packet its Ethernet header and transmit it
 *   neighbours.entries                  the table, for RTM_GETNEIGH and /proc/net/arp
 */
import type { EventHandle } from '../machine-types.ts';
import { IFF_NOARP } from '../types/net-device.ts';
import { PACKET_OTHERHOST } from '../types/skbuff.ts';
import type { Ns } from '../types/units.ts';
import { be32, readBe32 } from './address.ts';
import type { NetDevice } from './device.ts';
import { ETH_HLEN, ETH_P_ARP, ETH_P_IP, ethHeader } from './ethernet.ts';
import { DROP_REASON } from './net-events.ts';
import type { Net } from './net.ts';
import type { Skb } from './skb.ts';

/** NUD_* */
export const NUD_INCOMPLETE = 0x01;
export const NUD_REACHABLE = 0x02;
export const NUD_STALE = 0x04;
export const NUD_FAILED = 0x20;

const ARPOP_REQUEST = 1;
const ARPOP_REPLY = 2;
const ARP_BYTES = 28;
/** mcast_solicit and retrans_time of net.ipv4.neigh.default. */
const MAX_PROBES = 3;
const RETRANS_NS = 1_000_000_000;
/** base_reachable_time, without its random half. */
const REACHABLE_NS = 30_000_000_000;
/** unres_qlen: packets that wait for one address. */
const MAX_WAITING = 101;

export interface Neighbour {
  readonly device: NetDevice;
  readonly ip: number;
  mac: Uint8Array;
  state: number;
  confirmedNs: Ns;
  probes: number;
  readonly waiting: Skb[];
  timer: EventHandle | undefined;
}

export class Neighbours {
  readonly #net: Net;
  readonly #entries = new Map<string, Neighbour>();

  constructor(net: Net) {
    this.#net = net;
  }

  /** Reachable entries grow stale by the time that is passed in. */
  entries(nowNs: Ns): readonly Neighbour[] {
    for (const entry of this.#entries.values()) this.#age(entry, nowNs);
    return [...this.#entries.values()];
  }

  output(skb: Skb, nextHop: number): void {
    const { dev } = skb;
    if (dev === this.#net.loopback || dev.view.flags & IFF_NOARP) {
      ethHeader(skb, ETH_P_IP, dev.mac);
      this.#net.transmit(skb);
      return;
    }
    const entry = this.#entry(dev, nextHop);
    if (entry.state & (NUD_REACHABLE | NUD_STALE)) return this.#send(skb, entry);
    if (entry.waiting.length >= MAX_WAITING) {
      this.#net.skbs.drop(entry.waiting.shift()!, DROP_REASON.NOT_SPECIFIED);
    }
    entry.waiting.push(skb);
    if (entry.state !== NUD_INCOMPLETE) {
      entry.state = NUD_INCOMPLETE;
      entry.probes = 0;
      this.#probe(entry);
    }
  }

  /** Takes an ARP packet, whose Ethernet header is behind it. */
  receiveArp(skb: Skb): void {
    const { skbs, ipv4 } = this.#net;
    const { dev } = skb;
    const bytes = skb.bytes();
    if (skb.pktType === PACKET_OTHERHOST || dev.view.flags & IFF_NOARP || !isEthernetIp(bytes)) {
      skbs.consume(skb);
      return;
    }
    const operation = (bytes[6]! << 8) | bytes[7]!;
    const senderMac = bytes.slice(8, 14);
    const senderIp = readBe32(bytes, 14);
    const targetIp = readBe32(bytes, 24);
    const forUs = ipv4.isLocal(targetIp);
    if (operation === ARPOP_REQUEST && forUs) {
      // A request says where its sender is, but not that the way back works: stale.
      if (senderIp !== 0) this.#learn(dev, senderIp, senderMac, NUD_STALE, true);
      this.#sendArp(dev, ARPOP_REPLY, targetIp, senderMac, senderIp, senderMac);
    } else if (operation === ARPOP_REPLY && forUs) {
      this.#learn(dev, senderIp, senderMac, NUD_REACHABLE, false);
    }
    skbs.consume(skb);
  }

  /** The interface went down: nobody is known there any more. */
  flush(device: NetDevice): void {
    for (const [key, entry] of this.#entries) {
      if (entry.device !== device) continue;
      entry.timer?.cancel();
      for (const skb of entry.waiting) this.#net.skbs.drop(skb, DROP_REASON.NOT_SPECIFIED);
      this.#entries.delete(key);
    }
  }

  #entry(device: NetDevice, ip: number): Neighbour {
    const key = `${device.ifindex}/${ip}`;
    let entry = this.#entries.get(key);
    if (!entry) {
      entry = {
        device,
        ip,
        mac: new Uint8Array(6),
        state: 0,
        confirmedNs: 0 as Ns,
        probes: 0,
        waiting: [],
        timer: undefined,
      };
      this.#entries.set(key, entry);
    }
    this.#age(entry, this.#net.host.clock());
    return entry;
  }

  #age(entry: Neighbour, nowNs: Ns): void {
    if (entry.state === NUD_REACHABLE && nowNs - entry.confirmedNs > REACHABLE_NS) {
      entry.state = NUD_STALE;
    }
  }

  /** @param create make an entry that is not there; replies only update what was asked for */
  #learn(device: NetDevice, ip: number, mac: Uint8Array, state: number, create: boolean): void {
    if (!create && !this.#entries.has(`${device.ifindex}/${ip}`)) return;
    const entry = this.#entry(device, ip);
    const known = entry.state === NUD_REACHABLE && entry.mac.every((byte, i) => byte === mac[i]);
    entry.mac = mac;
    entry.state = known ? NUD_REACHABLE : state;
    if (state === NUD_REACHABLE) entry.confirmedNs = this.#net.host.clock();
    entry.timer?.cancel();
    entry.timer = undefined;
    for (const skb of entry.waiting.splice(0)) this.#send(skb, entry);
  }

  #send(skb: Skb, entry: Neighbour): void {
    ethHeader(skb, ETH_P_IP, entry.mac);
    this.#net.transmit(skb);
  }

  /** Ask; ask again after a second, and give up after three times. */
  #probe(entry: Neighbour): void {
    const { host, skbs, ipv4 } = this.#net;
    if (entry.probes++ === MAX_PROBES) {
      entry.state = NUD_FAILED;
      for (const skb of entry.waiting.splice(0)) skbs.drop(skb, DROP_REASON.NOT_SPECIFIED);
      return;
    }
    const source = ipv4.sourceFor(entry.device, entry.ip) ?? 0;
    this.#sendArp(entry.device, ARPOP_REQUEST, source, new Uint8Array(6), entry.ip, BROADCAST);
    entry.timer = host.events.at((host.clock() + RETRANS_NS) as Ns, 'timer', () => {
      host.interrupt(0, () => this.#probe(entry));
    });
  }

  #sendArp(
    device: NetDevice,
    operation: number,
    senderIp: number,
    targetMac: Uint8Array,
    targetIp: number,
    destination: Uint8Array,
  ): void {
    const { skbs } = this.#net;
    const skb = skbs.alloc(ARP_BYTES, ETH_HLEN + 2);
    skb.dev = device;
    skb.protocol = ETH_P_ARP;
    const at = skb.put(ARP_BYTES);
    skb.view.network_header = at - skb.view.head;
    const { u8 } = skb.ram;
    u8.set([0, 1, ETH_P_IP >> 8, ETH_P_IP & 255, 6, 4, 0, operation], at);
    u8.set(device.mac, at + 8);
    u8.set(be32(senderIp), at + 14);
    u8.set(targetMac, at + 18);
    u8.set(be32(targetIp), at + 24);
    ethHeader(skb, ETH_P_ARP, destination);
    this.#net.transmit(skb);
  }
}

const BROADCAST = new Uint8Array(6).fill(0xff);

/** Hardware type Ethernet, protocol IPv4, lengths 6 and 4. */
function isEthernetIp(bytes: Uint8Array): boolean {
  if (bytes.length < ARP_BYTES) return false;
  const [h0, h1, p0, p1, hardwareLength, protocolLength] = bytes;
  return (
    h0 === 0 && h1 === 1 && p0 === 8 && p1 === 0 && hardwareLength === 6 && protocolLength === 4
  );
}
