/** Ethernet: EtherTypes, and what the header of a received frame says (eth_type_trans). */
import {
  PACKET_BROADCAST,
  PACKET_HOST,
  PACKET_MULTICAST,
  PACKET_OTHERHOST,
} from '../types/skbuff.ts';
import type { NetDevice } from './device.ts';
import type { Skb } from './skb.ts';

export const ETH_HLEN = 14;
export const ETH_ALEN = 6;
export const ETH_P_ALL = 0x0003;
export const ETH_P_802_2 = 0x0004;
export const ETH_P_IP = 0x0800;
export const ETH_P_ARP = 0x0806;
export const ETH_P_8021Q = 0x8100;
export const ETH_P_8021AD = 0x88a8;
export const ETH_P_IPV6 = 0x86dd;
/** From here on the field is a type, below it is a length. */
const ETH_P_802_3_MIN = 0x0600;

/** Note the header, classify by destination, and move on to the payload. */
export function ethTypeTrans(skb: Skb, dev: NetDevice): void {
  const { u8 } = skb.ram;
  const at = skb.data;
  skb.dev = dev;
  skb.view.mac_header = at - skb.view.head;
  skb.pktType = destinationType(u8, at, dev.view.dev_addr);
  const type = (u8[at + 12]! << 8) | u8[at + 13]!;
  skb.protocol = type >= ETH_P_802_3_MIN ? type : ETH_P_802_2;
  skb.pull(Math.min(ETH_HLEN, skb.len));
  skb.view.network_header = skb.data - skb.view.head;
}

function destinationType(u8: Uint8Array, at: number, own: number): number {
  let mine = true;
  let broadcast = true;
  for (let i = 0; i < ETH_ALEN; i++) {
    const byte = u8[at + i]!;
    if (byte !== u8[own + i]) mine = false;
    if (byte !== 0xff) broadcast = false;
  }
  if (mine) return PACKET_HOST;
  if (broadcast) return PACKET_BROADCAST;
  return u8[at]! & 1 ? PACKET_MULTICAST : PACKET_OTHERHOST;
}

/** Put an Ethernet header in front. */
export function ethHeader(skb: Skb, type: number, destination: Uint8Array): void {
  const at = skb.push(ETH_HLEN);
  const { u8 } = skb.ram;
  u8.set(destination, at);
  u8.set(skb.dev.mac, at + ETH_ALEN);
  u8[at + 12] = type >> 8;
  u8[at + 13] = type & 0xff;
  skb.view.mac_header = at - skb.view.head;
}

export const macText = (mac: Uint8Array): string =>
  Array.from(mac, (byte) => byte.toString(16).padStart(2, '0')).join(':');
