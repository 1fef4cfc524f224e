/**
 * VLAN tags of a linear sk_buff: the outermost stands beside the packet, those within in it
 * (skb_vlan_push and skb_vlan_pop, net/core/skbuff.c, 6.1).
 */
import { errno } from '../../kernel/types/errno.ts';
import type { Ram } from '../../kernel/ram/ram.ts';
import { SKB_VLAN_PRESENT } from '../../kernel/types/skbuff.ts';
import type { SkBuffView } from '../../kernel/types/skbuff.ts';
import type { RamOffset } from '../../kernel/types/units.ts';
import type { BpfRuntime } from '../runtime.ts';
import { ensureHeadroom } from './skb-room.ts';

/** As they stand in the struct: network order read as little-endian. */
const ETH_P_8021Q = 0x0081;
const ETH_P_8021AD = 0xa888;
const ETH_P_802_3 = 0x0100;
const ETH_P_802_2 = 0x0400;
/** UAPI linux/if_ether.h: from here on it is a type, below it a length. */
const ETH_P_802_3_MIN = 0x0600;
const VLAN_HLEN = 4;
const ETH_HLEN = 14;
const MACS_BYTES = 12;

const isVlan = (protocol: number) => protocol === ETH_P_8021Q || protocol === ETH_P_8021AD;
const tagPresent = (skb: SkBuffView) => (skb.bits130 & SKB_VLAN_PRESENT) !== 0;

function putTag(skb: SkBuffView, protocol: number, tci: number): void {
  skb.vlan_proto = protocol;
  skb.vlan_tci = tci;
  skb.bits130 |= SKB_VLAN_PRESENT;
}

/** The tag beside the packet goes into it, the new one takes its place. */
export function vlanPush(
  skb: SkBuffView,
  runtime: BpfRuntime,
  protocol: number,
  tci: number,
): number {
  const { ram } = runtime;
  const wanted = protocol & 0xffff;
  if (tagPresent(skb)) {
    const room = ensureHeadroom(runtime, skb, VLAN_HLEN);
    if (room < 0) return room;
    const data = skb.data;
    ram.u8.copyWithin(data - VLAN_HLEN, data, data + MACS_BYTES);
    ram.view.setUint16(data - VLAN_HLEN + MACS_BYTES, skb.vlan_proto, true);
    ram.view.setUint16(data - VLAN_HLEN + MACS_BYTES + 2, skb.vlan_tci, false);
    skb.data = (data - VLAN_HLEN) as RamOffset;
    skb.len += VLAN_HLEN;
    skb.mac_header -= VLAN_HLEN;
    skb.mac_len += VLAN_HLEN;
    skb.protocol = skb.vlan_proto;
  }
  putTag(skb, isVlan(wanted) ? wanted : ETH_P_8021Q, tci & 0xffff);
  return 0;
}

/** vlan_set_encap_proto: an EtherType, or what stands for a frame with a length instead. */
function protocolOf(ram: Ram, at: number): number {
  const isType = ram.view.getUint16(at, false) >= ETH_P_802_3_MIN;
  if (isType) return ram.view.getUint16(at, true);
  return ram.view.getUint16(at + 2, true) === 0xffff ? ETH_P_802_3 : ETH_P_802_2;
}

/** Takes the tag out of the packet: its TCI, or -ENOMEM where the packet is too short. */
function removeTag(skb: SkBuffView, ram: Ram): number {
  if (skb.len < ETH_HLEN + VLAN_HLEN) return -errno.ENOMEM;
  const data = skb.data;
  const tci = ram.view.getUint16(data + ETH_HLEN, false);
  skb.protocol = protocolOf(ram, data + ETH_HLEN + 2);
  ram.u8.copyWithin(data + VLAN_HLEN, data, data + MACS_BYTES);
  skb.data = (data + VLAN_HLEN) as RamOffset;
  skb.len -= VLAN_HLEN;
  skb.mac_header += VLAN_HLEN;
  const dataAt = skb.data - skb.head;
  if (skb.network_header - dataAt < ETH_HLEN) skb.network_header = dataAt + ETH_HLEN;
  skb.mac_len = skb.network_header - skb.mac_header;
  return tci;
}

export function vlanPop(skb: SkBuffView, { ram }: BpfRuntime): number {
  if (tagPresent(skb)) {
    skb.bits130 &= ~SKB_VLAN_PRESENT;
  } else {
    if (!isVlan(skb.protocol)) return 0;
    const removed = removeTag(skb, ram);
    if (removed < 0) return removed;
  }
  // The next tag in the packet, if there is one, becomes the one beside it.
  if (!isVlan(skb.protocol)) return 0;
  const protocol = skb.protocol;
  const tci = removeTag(skb, ram);
  if (tci < 0) return tci;
  putTag(skb, protocol, tci);
  return 0;
}
