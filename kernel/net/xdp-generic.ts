/**
 * Generic XDP: a program on an interface whose driver has no XDP of its own runs here, on the sk_buff
 * (bpf_prog_run_generic_xdp and do_xdp_generic in net/core/dev.c, 6.1).
 */
import type { ProgObject } from '../../bpf/syscall/objects.ts';
import { XDP_ABORTED, XDP_DROP, XDP_PASS, XDP_REDIRECT, XDP_TX } from '../../bpf/uapi.ts';
import { XDP_GENERIC_NS, XDP_PROGRAM_NS } from '../cost/net.ts';
import type { RamOffset } from '../types/units.ts';
import { SKB_SHARED_INFO_BYTES, XDP_PACKET_HEADROOM, XdpBuff, XdpRxqInfo } from '../types/xdp.ts';
import type { XdpBuffView } from '../types/xdp.ts';
import type { NetDevice } from './device.ts';
import { ETH_HLEN, ethTypeTrans } from './ethernet.ts';
import { DROP_REASON } from './net-events.ts';
import type { Net } from './net.ts';
import type { Skb } from './skb.ts';

/**
 * bpf_prog_run_generic_xdp: the verdict, and the packet as the program left it. Its data are where
 * the protocol starts after XDP_PASS, otherwise at the Ethernet header.
 */
export function runOnSkb(net: Net, skb: Skb, program: ProgObject): number {
  skb.push(skb.data - skb.macHeader);
  if (skb.headroom < XDP_PACKET_HEADROOM) expandHead(net, skb);
  const device = skb.dev;
  const buff = net.genericXdpBuff(device);
  const start = skb.data;
  const end = start + skb.len;
  buff.data_hard_start = skb.view.head;
  buff.frame_sz = skb.view.end + SKB_SHARED_INFO_BYTES;
  buff.data = start;
  buff.data_meta = start;
  buff.data_end = end as RamOffset;
  const verdict = program.prog.run(buff.offset);
  adjust(skb, buff);
  if (verdict === XDP_PASS) ethTypeTrans(skb, device);
  return verdict;
}

/** True: the packet goes on, perhaps changed. False: the program has taken it. */
export function runGenericXdp(net: Net, skb: Skb, program: ProgObject): boolean {
  net.host.charge(XDP_GENERIC_NS + XDP_PROGRAM_NS);
  const device = skb.dev;
  const verdict = runOnSkb(net, skb, program);
  switch (verdict) {
    case XDP_PASS:
      return true;
    case XDP_TX:
      net.transmitXdp(skb);
      return false;
    case XDP_REDIRECT:
      if (net.redirects.redirectSkb(device, program, skb) === 0) return false;
      break;
    case XDP_ABORTED:
      net.xdpException(device, program, verdict);
      break;
    case XDP_DROP:
      break;
    default:
      net.warnInvalidAction(device, program, verdict);
      net.xdpException(device, program, verdict);
  }
  net.skbs.drop(skb, DROP_REASON.XDP);
  return false;
}

/** Make the sk_buff what the program has made of the buffer. */
function adjust(skb: Skb, buff: XdpBuffView): void {
  const moved = buff.data - skb.data;
  if (moved > 0) skb.pull(Math.min(moved, skb.len));
  else if (moved < 0) skb.push(-moved);
  const length = buff.data_end - buff.data;
  if (length !== skb.len) {
    skb.view.len = length;
    skb.view.tail = buff.data_end - skb.view.head;
  }
  if (skb.len < ETH_HLEN) skb.put(ETH_HLEN - skb.len);
  skb.view.mac_header = skb.data - skb.view.head;
}

/** pskb_expand_head: the same packet in a larger buffer. */
function expandHead(net: Net, skb: Skb): void {
  const { ram } = net.host;
  const { view } = skb;
  const length = view.len;
  const tailroom = skb.tailroom;
  const size = XDP_PACKET_HEADROOM + length + tailroom + SKB_SHARED_INFO_BYTES;
  const head = ram.kzalloc(size);
  ram.u8.copyWithin(head + XDP_PACKET_HEADROOM, view.data, view.data + length);
  const moved = XDP_PACKET_HEADROOM - skb.headroom;
  skb.release?.(view.head);
  skb.release = (offset) => ram.kfree(offset);
  view.head = head;
  view.data = (head + XDP_PACKET_HEADROOM) as RamOffset;
  view.tail += moved;
  view.end = size - SKB_SHARED_INFO_BYTES;
  view.mac_header += moved;
  view.network_header += moved;
}

/** The xdp_buff that generic XDP uses for a device, with its receive queue. */
export function newGenericXdpBuff(net: Net, device: NetDevice): XdpBuffView {
  const { ram } = net.host;
  const rxq = XdpRxqInfo.alloc(ram);
  rxq.dev = device.offset;
  rxq.reg_state = 1;
  const buff = XdpBuff.alloc(ram);
  buff.rxq = rxq.offset;
  return buff;
}
