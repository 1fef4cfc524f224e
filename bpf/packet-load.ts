/**
 * LD_ABS and LD_IND: a word of a sk_buff's packet, at an offset from its data, in host order.
 *
 * Negative offsets count from the network header (SKF_NET_OFF) or the link-layer header
 * (SKF_LL_OFF), UAPI linux/filter.h. Paged data is the kernel's to find (`kernel.packetWord`).
 */
import { SkBuff } from '../kernel/types/skbuff.ts';
import type { RamOffset } from '../kernel/types/units.ts';
import type { BpfRuntime } from './runtime.ts';

export const SKF_AD_OFF = -0x1000;
export const SKF_NET_OFF = -0x100000;
export const SKF_LL_OFF = -0x200000;

export type PacketLoad = (skb: RamOffset, offset: number, bytes: 1 | 2 | 4) => number | undefined;

/** A function that returns undefined for what is not in the packet. */
export function packetLoad({ ram, kernel }: BpfRuntime): PacketLoad {
  const view = SkBuff.at(ram, 0 as RamOffset);
  return (skb, offset, bytes) => {
    view.offset = skb;
    let at: number;
    if (offset >= 0) {
      if (offset + bytes > view.len - view.data_len) return kernel.packetWord?.(skb, offset, bytes);
      at = view.data + offset;
    } else {
      const head = view.head;
      if (offset >= SKF_NET_OFF) at = head + view.network_header + (offset - SKF_NET_OFF);
      else if (offset >= SKF_LL_OFF) at = head + view.mac_header + (offset - SKF_LL_OFF);
      else return undefined;
      if (at < head || at + bytes > head + view.tail) return undefined;
    }
    if (bytes === 1) return ram.u8[at]!;
    return bytes === 2 ? ram.view.getUint16(at, false) : ram.view.getUint32(at, false);
  };
}
