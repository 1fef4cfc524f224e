/**
 * Where a packet's payload begins, behind its transport header (skb_get_poff): the SKF_AD_PAY_OFFSET
 * of classic filters. Walks VLAN tags, IPv4 and IPv6 with its extension headers.
 *
 * differs: tunnels are not looked into; Linux's flow dissector goes on inside them.
 */
import type { Ram } from '../../kernel/ram/ram.ts';
import type { SkBuffView } from '../../kernel/types/skbuff.ts';

const ETH_P_IP = 0x0800;
const ETH_P_IPV6 = 0x86dd;
const VLAN_PROTOCOLS: readonly number[] = [0x8100, 0x88a8];
const IPPROTO = {
  icmp: 1,
  igmp: 2,
  tcp: 6,
  udp: 17,
  dccp: 33,
  icmpv6: 58,
  sctp: 132,
  udplite: 136,
};
/** IPv6 extension headers whose second byte counts units of 8 bytes beyond the first 8. */
const EXTENSION_HEADERS: readonly number[] = [0, 43, 60];
const FRAGMENT_HEADER = 44;

/** Bytes of the header, where it has no length of its own (include/net, include/uapi). */
const HEADER_BYTES: Readonly<Record<number, number>> = {
  [IPPROTO.udp]: 8,
  [IPPROTO.udplite]: 8,
  [IPPROTO.icmp]: 8,
  [IPPROTO.icmpv6]: 8,
  [IPPROTO.igmp]: 8,
  [IPPROTO.dccp]: 12,
  [IPPROTO.sctp]: 12,
};
const TCP_HEADER_BYTES = 20;

interface Transport {
  readonly protocol: number;
  readonly offset: number;
  /** A later fragment: there is no transport header. */
  readonly isFragment: boolean;
}

/** From skb->data; 0 for what is no IP packet or is cut off before its transport header. */
export function payloadOffset(ram: Ram, skb: SkBuffView): number {
  const { data } = skb;
  const end = skb.len - skb.data_len;
  const byte = (at: number): number | undefined => (at < end ? ram.u8[data + at] : undefined);
  const network = skb.network_header - (data - skb.head);
  const transport = findTransport(byte, swapped(skb.protocol), network);
  if (transport === undefined) return 0;
  const { protocol, offset, isFragment } = transport;
  if (isFragment) return offset;
  if (protocol !== IPPROTO.tcp) return offset + (HEADER_BYTES[protocol] ?? 0);
  const dataOffset = byte(offset + 12);
  if (dataOffset === undefined) return offset;
  return offset + Math.max(TCP_HEADER_BYTES, (dataOffset & 0xf0) >> 2);
}

type ByteAt = (at: number) => number | undefined;

const swapped = (word: number): number => ((word & 0xff) << 8) | (word >> 8);

function findTransport(byte: ByteAt, protocol: number, at: number): Transport | undefined {
  if (VLAN_PROTOCOLS.includes(protocol)) {
    const inner = wordAt(byte, at + 2);
    return inner === undefined ? undefined : findTransport(byte, inner, at + 4);
  }
  if (protocol === ETH_P_IP) return ipv4Transport(byte, at);
  return protocol === ETH_P_IPV6 ? ipv6Transport(byte, at) : undefined;
}

function wordAt(byte: ByteAt, at: number): number | undefined {
  const low = byte(at + 1);
  return low === undefined ? undefined : byte(at)! * 256 + low;
}

function ipv4Transport(byte: ByteAt, at: number): Transport | undefined {
  if (byte(at + 19) === undefined) return undefined;
  const headerBytes = (byte(at)! & 0xf) * 4;
  if (headerBytes < 20) return undefined;
  const isFragment = (wordAt(byte, at + 6)! & 0x1fff) !== 0;
  return { protocol: byte(at + 9)!, offset: at + headerBytes, isFragment };
}

function ipv6Transport(byte: ByteAt, at: number): Transport | undefined {
  if (byte(at + 39) === undefined) return undefined;
  let protocol = byte(at + 6)!;
  let offset = at + 40;
  for (;;) {
    if (EXTENSION_HEADERS.includes(protocol)) {
      const units = byte(offset + 1);
      if (units === undefined) return undefined;
      protocol = byte(offset)!;
      offset += 8 * (units + 1);
    } else if (protocol === FRAGMENT_HEADER) {
      if (byte(offset + 7) === undefined) return undefined;
      const isFragment = (wordAt(byte, offset + 2)! & 0xfff8) !== 0;
      protocol = byte(offset)!;
      offset += 8;
      if (isFragment) return { protocol, offset, isFragment };
    } else {
      return { protocol, offset, isFragment: false };
    }
  }
}
