/**
 * Frames of a live XDP test run (BPF_F_TEST_XDP_LIVE_FRAMES) in this machine's network: what a
 * program passes is received as if the interface had brought it; the rest goes out.
 */
import type { BpfKernel } from '../../bpf/runtime.ts';
import { XDP_PASS, XDP_REDIRECT, XDP_TX } from '../../bpf/uapi.ts';
import type { Kernel } from '../machine-types.ts';
import type { NetDevice } from '../net/device.ts';
import { ethTypeTrans } from '../net/ethernet.ts';
import { DROP_REASON } from '../net/net-events.ts';
import type { Skb } from '../net/skb.ts';
import { OutOfMemory } from '../ram/page-allocator.ts';
import { XDP_PACKET_HEADROOM, XdpBuff, XdpRxqInfo } from '../types/xdp.ts';

export function liveXdpFrame(kernel: Kernel): NonNullable<BpfKernel['liveXdpFrame']> {
  const { ram } = kernel;
  return (verdict, xdpAt, progId) => {
    const { net } = kernel.network;
    if (![XDP_PASS, XDP_TX, XDP_REDIRECT].includes(verdict)) return;
    const xdp = XdpBuff.at(ram, xdpAt);
    const { dev } = XdpRxqInfo.at(ram, xdp.rxq);
    const device = net.devices.find(({ offset }) => offset === dev) ?? net.loopback;
    const skb = copyOf(kernel, device, ram.bytes(xdp.data, xdp.data_end - xdp.data));
    if (!skb) return;
    if (verdict === XDP_PASS) {
      ethTypeTrans(skb, device);
      net.receive(skb);
    } else if (verdict === XDP_TX) {
      net.transmitXdp(skb);
    } else {
      const program = kernel.bpf.progs.byId(progId)!;
      const sent = net.redirects.redirectSkb(device, program, skb) === 0;
      if (!sent) net.skbs.drop(skb, DROP_REASON.XDP);
    }
  };
}

function copyOf({ network, ram }: Kernel, device: NetDevice, bytes: Uint8Array): Skb | undefined {
  try {
    const skb = network.net.skbs.alloc(bytes.length, XDP_PACKET_HEADROOM);
    ram.u8.set(bytes, skb.put(bytes.length));
    skb.dev = device;
    return skb;
  } catch (error) {
    if (error instanceof OutOfMemory) return undefined;
    throw error;
  }
}
