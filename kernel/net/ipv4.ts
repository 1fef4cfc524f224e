/**
 * IPv4: addresses and the routes that follow from them, local delivery, sending. Counters are those
 * of /proc/net/snmp (RFC 4293).
 *
 *   ipv4.addAddress / removeAddress, ipv4.routes()     what rtnetlink changes and shows
 *   ipv4.receive(skb)                                  ip_rcv
 *   ipv4.send(skb, {protocol, source, destination})    ip_local_out
 */
import { errno } from '../types/errno.ts';
import { PACKET_OTHERHOST } from '../types/skbuff.ts';
import {
  maskOf,
  readBe32,
  RT_SCOPE_HOST,
  RT_SCOPE_LINK,
  type InterfaceAddress,
} from './address.ts';
import { checksum } from './checksum.ts';
import type { NetDevice } from './device.ts';
import { ETH_P_IP } from './ethernet.ts';
import type { DropReason } from './net-events.ts';
import { DROP_REASON } from './net-events.ts';
import type { Net } from './net.ts';
import type { Skb } from './skb.ts';

export const IPPROTO_ICMP = 1;
export const IPPROTO_TCP = 6;
export const IPPROTO_UDP = 17;
export const IP_HEADER_BYTES = 20;
/** More fragments, or an offset. */
const FRAGMENT_MASK = 0x3fff;
/** net.ipv4.ip_default_ttl */
const DEFAULT_TTL = 64;

/** One row of the FIB, as RTM_GETROUTE shows it. */
export interface Route {
  readonly table: 'main' | 'local';
  /** RTN_UNICAST, RTN_LOCAL or RTN_BROADCAST. */
  readonly type: 1 | 2 | 3;
  readonly scope: number;
  readonly destination: number;
  readonly prefixLength: number;
  readonly source: number;
  readonly device: NetDevice;
}

export class Ipv4 {
  readonly stats = {
    InReceives: 0,
    InHdrErrors: 0,
    InAddrErrors: 0,
    InUnknownProtos: 0,
    InDiscards: 0,
    InDelivers: 0,
    OutRequests: 0,
    OutNoRoutes: 0,
    ReasmReqds: 0,
    ReasmFails: 0,
  };
  /** Ip6InReceives and Ip6InDiscards of /proc/net/snmp6. */
  readonly ipv6Stats = { InReceives: 0, InDiscards: 0 };
  readonly #net: Net;
  #identification = 0;

  constructor(net: Net) {
    this.#net = net;
  }

  /** 0 or a negative errno. */
  addAddress(device: NetDevice, address: InterfaceAddress): number {
    const same = (other: InterfaceAddress) => isSame(other, address);
    if (device.addresses.some(same)) return -errno.EEXIST;
    device.addresses.push(address);
    return 0;
  }

  removeAddress(device: NetDevice, local: Uint8Array | undefined, prefixLength: number): number {
    const index = device.addresses.findIndex(
      (address) =>
        address.family === 'inet' &&
        (local === undefined || readBe32(address.local) === readBe32(local)) &&
        address.prefixLength === prefixLength,
    );
    if (index < 0) return -errno.EADDRNOTAVAIL;
    device.addresses.splice(index, 1);
    return 0;
  }

  /** An address of this machine, or one of a loopback network. */
  isLocal(ip: number): boolean {
    for (const device of this.#net.devices) {
      for (const { family, local, prefixLength } of device.addresses) {
        if (family !== 'inet') continue;
        const own = readBe32(local);
        if (ip === own) return true;
        if (device === this.#net.loopback && inPrefix(ip, own, prefixLength)) return true;
      }
    }
    return false;
  }

  /** The address of ours to use towards `ip` on a device. */
  sourceFor(device: NetDevice, ip: number): number | undefined {
    const candidates = device.addresses.filter((address) => address.family === 'inet');
    const best =
      candidates.find(({ local, prefixLength }) => inPrefix(ip, readBe32(local), prefixLength)) ??
      candidates[0];
    return best && readBe32(best.local);
  }

  /** Which interface leads to `ip`. */
  route(ip: number): NetDevice | undefined {
    if (this.isLocal(ip)) return this.#net.loopback;
    let best: NetDevice | undefined;
    let longest = -1;
    for (const device of this.#net.devices) {
      if (!device.isUp) continue;
      for (const { family, local, prefixLength } of device.addresses) {
        if (family !== 'inet' || prefixLength <= longest) continue;
        if (!inPrefix(ip, readBe32(local), prefixLength)) continue;
        best = device;
        longest = prefixLength;
      }
    }
    return best;
  }

  /** What the addresses of interfaces that are up put into the FIB, in its order of listing. */
  routes(): readonly Route[] {
    const main: Route[] = [];
    const local: Route[] = [];
    for (const device of this.#net.devices) {
      if (!device.isUp) continue;
      for (const address of device.addresses) {
        if (address.family !== 'inet') continue;
        this.#routesOf(device, address, main, local);
      }
    }
    const order = (a: Route, b: Route) =>
      a.destination - b.destination || a.prefixLength - b.prefixLength;
    return [...main.sort(order), ...local.sort(order)];
  }

  #routesOf(device: NetDevice, address: InterfaceAddress, main: Route[], local: Route[]): void {
    const source = readBe32(address.local);
    const { prefixLength } = address;
    const network = (source & maskOf(prefixLength)) >>> 0;
    const base = { source, device } as const;
    const isLoopback = device === this.#net.loopback;
    const host = { table: 'local', type: 2, scope: RT_SCOPE_HOST, ...base } as const;
    local.push({ ...host, destination: source, prefixLength: 32 });
    if (prefixLength === 32) return;
    if (isLoopback) local.push({ ...host, destination: network, prefixLength });
    else {
      const link = { table: 'main', type: 1, scope: RT_SCOPE_LINK, ...base } as const;
      main.push({ ...link, destination: network, prefixLength });
    }
    if (prefixLength < 31) {
      const broadcast = { table: 'local', type: 3, scope: RT_SCOPE_LINK, ...base } as const;
      const destination = (network | ~maskOf(prefixLength)) >>> 0;
      local.push({ ...broadcast, destination, prefixLength: 32 });
    }
  }

  receive(skb: Skb): void {
    const { stats } = this;
    if (skb.pktType === PACKET_OTHERHOST) {
      skb.dev.coreStats.rx_otherhost_dropped++;
      return this.#drop(skb, DROP_REASON.OTHERHOST);
    }
    stats.InReceives++;
    const bytes = skb.bytes();
    const headerBytes = (bytes[0]! & 15) * 4;
    const totalBytes = (bytes[2]! << 8) | bytes[3]!;
    if (
      bytes.length < IP_HEADER_BYTES ||
      bytes[0]! >> 4 !== 4 ||
      headerBytes < IP_HEADER_BYTES ||
      bytes.length < headerBytes ||
      totalBytes < headerBytes ||
      bytes.length < totalBytes
    ) {
      stats.InHdrErrors++;
      return this.#drop(skb, DROP_REASON.IP_INHDR);
    }
    if (checksum(bytes, 0, headerBytes) !== 0) {
      stats.InHdrErrors++;
      return this.#drop(skb, DROP_REASON.IP_CSUM);
    }
    // What Ethernet padded goes.
    skb.trim(totalBytes);
    const destination = readBe32(bytes, 16);
    if (!this.isLocal(destination) && !this.#isBroadcast(skb.dev, destination)) {
      // differs: no forwarding and no multicast groups; both end here.
      stats.InAddrErrors++;
      return this.#drop(skb, DROP_REASON.NOT_SPECIFIED);
    }
    this.#deliver(skb, bytes, headerBytes);
  }

  #deliver(skb: Skb, bytes: Uint8Array, headerBytes: number): void {
    const { stats } = this;
    if (((bytes[6]! << 8) | bytes[7]!) & FRAGMENT_MASK) {
      // differs: fragments are not put together.
      stats.ReasmReqds++;
      stats.ReasmFails++;
      return this.#drop(skb, DROP_REASON.NOT_SPECIFIED);
    }
    skb.pull(headerBytes);
    skb.view.transport_header = skb.data - skb.view.head;
    stats.InDelivers++;
    switch (bytes[9]) {
      case IPPROTO_ICMP:
        return this.#net.icmp.receive(skb);
      case IPPROTO_UDP:
        // No sockets yet, so no port is open.
        this.#net.icmp.sendPortUnreachable(skb, headerBytes);
        return this.#drop(skb, DROP_REASON.NO_SOCKET);
      case IPPROTO_TCP:
        // differs: there is no TCP that could answer with a reset.
        return this.#drop(skb, DROP_REASON.NO_SOCKET);
      default:
        stats.InUnknownProtos++;
        return this.#drop(skb, DROP_REASON.IP_NOPROTO);
    }
  }

  /** Takes an skb whose data is the transport packet; 0 or a negative errno. */
  send(
    skb: Skb,
    packet: {
      readonly protocol: number;
      readonly source: number;
      readonly destination: number;
      readonly tos?: number;
    },
  ): number {
    const { stats } = this;
    const device = this.route(packet.destination);
    if (!device) {
      stats.OutNoRoutes++;
      this.#net.skbs.drop(skb, DROP_REASON.NOT_SPECIFIED);
      return -errno.ENETUNREACH;
    }
    stats.OutRequests++;
    skb.dev = device;
    skb.protocol = ETH_P_IP;
    skb.view.transport_header = skb.data - skb.view.head;
    const at = skb.push(IP_HEADER_BYTES);
    skb.view.network_header = at - skb.view.head;
    const header = skb.ram.bytes(at, IP_HEADER_BYTES);
    const view = new DataView(header.buffer, header.byteOffset, IP_HEADER_BYTES);
    header.fill(0);
    header[0] = 0x45;
    header[1] = packet.tos ?? 0;
    view.setUint16(2, skb.len);
    view.setUint16(4, this.#identification++ & 0xffff);
    header[8] = DEFAULT_TTL;
    header[9] = packet.protocol;
    view.setUint32(12, packet.source);
    view.setUint32(16, packet.destination);
    view.setUint16(10, checksum(header, 0, IP_HEADER_BYTES));
    this.#net.neighbours.output(skb, packet.destination);
    return 0;
  }

  discardIpv6(skb: Skb): void {
    this.ipv6Stats.InReceives++;
    this.ipv6Stats.InDiscards++;
    this.#net.skbs.drop(skb, DROP_REASON.NOT_SPECIFIED);
  }

  #isBroadcast(device: NetDevice, ip: number): boolean {
    if (ip === 0xffffffff) return true;
    return device.addresses.some(
      ({ family, local, prefixLength }) =>
        family === 'inet' &&
        prefixLength < 31 &&
        ip === (readBe32(local) | ~maskOf(prefixLength)) >>> 0,
    );
  }

  #drop(skb: Skb, reason: DropReason): void {
    this.#net.skbs.drop(skb, reason);
  }
}

const inPrefix = (ip: number, network: number, prefixLength: number): boolean =>
  ((ip ^ network) & maskOf(prefixLength)) === 0;

function isSame(a: InterfaceAddress, b: InterfaceAddress): boolean {
  return (
    a.family === b.family &&
    a.prefixLength === b.prefixLength &&
    a.local.every((byte, i) => byte === b.local[i])
  );
}
