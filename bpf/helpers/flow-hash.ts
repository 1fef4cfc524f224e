/**
 * The hash of a packet's flow (skb_get_hash): of addresses, protocol and ports of IPv4 and IPv6, of
 * the Ethernet protocol alone for others. Which number a flow gets is each kernel's own: Linux keys
 * it at random, here it is jhash with the machine's seed.
 */
import { SKB_L4_HASH, SKB_SW_HASH } from '../../kernel/types/skbuff.ts';
import type { SkBuffView } from '../../kernel/types/skbuff.ts';
import type { RamOffset } from '../../kernel/types/units.ts';
import type { BpfRuntime } from '../runtime.ts';

/** As they stand in RAM, in network order. */
const ETH_P_IP = 0x0008;
const ETH_P_IPV6 = 0xdd86;
const IPV4_HEADER_BYTES = 20;
const IPV6_HEADER_BYTES = 40;
/** Fragment offset: there are no ports behind it. */
const IP_OFFSET = 0x1fff;
const KEY_BYTES = 40;
/** Protocols whose header starts with two ports: TCP, UDP, DCCP, SCTP, UDP-Lite. */
const WITH_PORTS: readonly number[] = [6, 17, 33, 132, 136];

/** Computed where the packet has none yet, and kept with it. */
export function skbHash(runtime: BpfRuntime, skb: SkBuffView, seed: number): number {
  if ((skb.bits129 & (SKB_L4_HASH | SKB_SW_HASH)) !== 0) return skb.hash;
  const { ram, core } = runtime;
  const key = ram.kzalloc(KEY_BYTES);
  const isL4 = flowKey(runtime, skb, key);
  // 0 means that there is no hash.
  skb.hash = core.exports.jhash(key, KEY_BYTES, seed) >>> 0 || 1;
  skb.bits129 |= SKB_SW_HASH | (isL4 ? SKB_L4_HASH : 0);
  ram.kfree(key);
  return skb.hash;
}

/** True where ports are in it. */
function flowKey({ ram }: BpfRuntime, skb: SkBuffView, key: RamOffset): boolean {
  const { u8, view } = ram;
  const network = skb.head + skb.network_header;
  const end = skb.head + skb.tail;
  view.setUint16(key, skb.protocol, true);
  const put = (from: number, bytes: number, at: number) =>
    u8.copyWithin(key + at, from, from + bytes);
  let transport: number;
  if (skb.protocol === ETH_P_IP && network + IPV4_HEADER_BYTES <= end) {
    u8[key + 2] = u8[network + 9]!;
    put(network + 12, 8, 4);
    const isFragment = (view.getUint16(network + 6) & IP_OFFSET) !== 0;
    transport = isFragment ? end : network + (u8[network]! & 15) * 4;
  } else if (skb.protocol === ETH_P_IPV6 && network + IPV6_HEADER_BYTES <= end) {
    u8[key + 2] = u8[network + 6]!;
    put(network + 8, 32, 4);
    transport = network + IPV6_HEADER_BYTES;
  } else return false;
  if (!WITH_PORTS.includes(u8[key + 2]!) || transport + 4 > end) return false;
  put(transport, 4, 36);
  return true;
}
