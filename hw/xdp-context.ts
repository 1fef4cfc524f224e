/**
 * What a device shows a program as its struct xdp_md (UAPI linux/bpf.h), read from the packet's
 * xdp_buff. The device form of a program loads these; pointers are kernel addresses.
 */
import type { Ram } from '../kernel/ram/ram.ts';
import { NetDeviceStruct } from '../kernel/types/net-device.ts';
import type { RamOffset } from '../kernel/types/units.ts';
import { Bug } from '../kernel/types/units.ts';
import { XdpBuff, XdpRxqInfo } from '../kernel/types/xdp.ts';

/** Offsets in struct xdp_md. */
export const XDP_MD = {
  data: 0,
  data_end: 4,
  data_meta: 8,
  ingress_ifindex: 12,
  rx_queue_index: 16,
  egress_ifindex: 20,
} as const;

/** @param offset in struct xdp_md, as the verifier let it be loaded */
export function xdpMember(ram: Ram, xdp: RamOffset, offset: number): bigint {
  const buff = XdpBuff.at(ram, xdp);
  switch (offset) {
    case XDP_MD.data:
      return ram.kernelAddress(buff.data);
    case XDP_MD.data_end:
      return ram.kernelAddress(buff.data_end);
    case XDP_MD.data_meta:
      return ram.kernelAddress(buff.data_meta);
    case XDP_MD.ingress_ifindex:
      return BigInt(NetDeviceStruct.at(ram, XdpRxqInfo.at(ram, buff.rxq).dev).ifindex);
    case XDP_MD.rx_queue_index:
      return BigInt(XdpRxqInfo.at(ram, buff.rxq).queue_index);
    default:
      throw new Bug(`struct xdp_md has nothing to load at ${offset}`);
  }
}
