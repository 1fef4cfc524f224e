/**
 * Ethernet frames for workloads, built from what matters in them; checksums are right.
 *
 *   udpFrame({ flow: 3, bytes: 60 })    one of many flows, as long as a minimal frame without FCS
 */
import { Bug } from '../../kernel/types/units.ts';

/** A minimal frame of 64 bytes on the wire, its check sequence not counted. */
export const MIN_FRAME_BYTES = 60;

const ETH_BYTES = 14;
const VLAN_BYTES = 4;
const IPV4_BYTES = 20;
const IPV6_BYTES = 40;
const UDP_BYTES = 8;
const TCP_BYTES = 20;
const ICMP_BYTES = 8;

export const PROTOCOLS = { icmp: 1, tcp: 6, udp: 17 } as const;
export type Transport = keyof typeof PROTOCOLS;

export interface FrameOptions {
  readonly transport?: Transport;
  readonly version?: 4 | 6;
  /** 802.1Q tags. */
  readonly vlans?: readonly number[];
  /** Of the whole frame without FCS; never less than the headers. */
  readonly bytes?: number;
  /** Addresses of IPv4 as numbers; of IPv6 the last 32 bits, below 2001:db8::/64. */
  readonly source?: number;
  readonly destination?: number;
  readonly sourcePort?: number;
  readonly destinationPort?: number;
  readonly sourceMac?: readonly number[];
  readonly destinationMac?: readonly number[];
  readonly ttl?: number;
}

export const ip = (a: number, b: number, c: number, d: number): number =>
  ((a << 24) | (b << 16) | (c << 8) | d) >>> 0;

export const MAC_HERE = [2, 0, 0, 0, 0, 1] as const;
export const MAC_THERE = [2, 0, 0, 0, 0, 2] as const;

export function frame(options: FrameOptions = {}): Uint8Array {
  const { transport = 'udp', version = 4, vlans = [], ttl = 64 } = options;
  const { source = ip(198, 18, 0, 1), destination = ip(198, 19, 0, 1) } = options;
  const transportBytes = { udp: UDP_BYTES, tcp: TCP_BYTES, icmp: ICMP_BYTES }[transport];
  const ipAt = ETH_BYTES + vlans.length * VLAN_BYTES;
  const transportAt = ipAt + (version === 4 ? IPV4_BYTES : IPV6_BYTES);
  const bytes = Math.max(options.bytes ?? MIN_FRAME_BYTES, transportAt + transportBytes);
  const data = new Uint8Array(bytes);
  const view = new DataView(data.buffer);

  data.set(options.destinationMac ?? MAC_HERE, 0);
  data.set(options.sourceMac ?? MAC_THERE, 6);
  vlans.forEach((id, i) => {
    view.setUint16(12 + i * VLAN_BYTES, 0x8100);
    view.setUint16(14 + i * VLAN_BYTES, id);
  });
  view.setUint16(ipAt - 2, version === 4 ? 0x0800 : 0x86dd);
  const segmentBytes = bytes - transportAt;
  let pseudo: number;
  if (version === 4) {
    view.setUint8(ipAt, 0x45);
    view.setUint16(ipAt + 2, bytes - ipAt);
    view.setUint8(ipAt + 8, ttl);
    view.setUint8(ipAt + 9, PROTOCOLS[transport]);
    view.setUint32(ipAt + 12, source);
    view.setUint32(ipAt + 16, destination);
    view.setUint16(ipAt + 10, checksum(data, ipAt, IPV4_BYTES, 0));
    pseudo = sum(data, ipAt + 12, 8);
  } else {
    view.setUint8(ipAt, 0x60);
    view.setUint16(ipAt + 4, segmentBytes);
    view.setUint8(ipAt + 6, PROTOCOLS[transport]);
    view.setUint8(ipAt + 7, ttl);
    for (const [at, low] of [
      [ipAt + 8, source],
      [ipAt + 24, destination],
    ] as const) {
      view.setUint32(at, 0x2001_0db8);
      view.setUint32(at + 12, low);
    }
    pseudo = sum(data, ipAt + 8, 32);
  }
  transportHeader(view, transportAt, transport, options, segmentBytes);
  const checkAt = transportAt + { udp: 6, tcp: 16, icmp: 2 }[transport];
  const covered = transport === 'icmp' ? 0 : pseudo + PROTOCOLS[transport] + segmentBytes;
  // 0 would say that there is none (RFC 768).
  const check = checksum(data, transportAt, segmentBytes, covered) || 0xffff;
  view.setUint16(checkAt, check);
  return data;
}

function transportHeader(
  view: DataView,
  at: number,
  transport: Transport,
  { sourcePort = 1024, destinationPort = 80 }: FrameOptions,
  segmentBytes: number,
): void {
  if (transport === 'icmp') {
    view.setUint8(at, 8);
    return;
  }
  view.setUint16(at, sourcePort);
  view.setUint16(at + 2, destinationPort);
  if (transport === 'udp') {
    view.setUint16(at + 4, segmentBytes);
    return;
  }
  view.setUint8(at + 12, (TCP_BYTES / 4) << 4);
  // ACK, and a window.
  view.setUint8(at + 13, 0x10);
  view.setUint16(at + 14, 0xffff);
}

function sum(data: Uint8Array, at: number, bytes: number): number {
  if (at + bytes > data.length) throw new Bug('a checksum beyond the frame');
  let total = 0;
  for (let i = 0; i < bytes; i++) total += i % 2 === 0 ? data[at + i]! << 8 : data[at + i]!;
  return total;
}

function checksum(data: Uint8Array, at: number, bytes: number, start: number): number {
  let total = start + sum(data, at, bytes);
  while (total > 0xffff) total = (total & 0xffff) + (total >>> 16);
  return ~total & 0xffff;
}
