/**
 * Frames of a live XDP test run (BPF_F_TEST_XDP_LIVE_FRAMES) in this machine's network: what a
 * program passes is received as if the interface had brought it; the rest goes out.
 */
import type { BpfKernel } from '../../bpf/runtime.ts';
import { XDP_PASS, XDP_REDIRECT, XDP_TX } from '../../bpf/uapi.ts';
import { XDP_REDIRECT_NS } from '../cost/net.ts';
import type { Kernel } from '../machine-types.ts';
import type { NetDevice } from '../net/device.ts';
import { ethTypeTrans } from '../net/ethernet.ts';
import { DROP_REASON } from '../net/net-events.ts';
import type { Skb } from '../net/skb.ts';
import { OutOfMemory } from '../ram/page-allocator.ts';
import type { Ram } from '../ram/ram.ts';
import type { RamOffset } from '../types/units.ts';
import { XDP_PACKET_HEADROOM, XdpBuff, XdpRxqInfo } from '../types/xdp.ts';
import type { XdpBuffView } from '../types/xdp.ts';

export function liveXdpFrame(kernel: Kernel): NonNullable<BpfKernel['liveXdpFrame']> {
  const { ram } = kernel;
  return (verdict, xdpAt, progId) => {
    const { net } = kernel.network;
    if (![XDP_PASS, XDP_TX, XDP_REDIRECT].includes(verdict)) return;
    const xdp = XdpBuff.at(ram, xdpAt);
    const { dev } = XdpRxqInfo.at(ram, xdp.rxq);
    const device = net.devices.find(({ offset }) => offset === dev) ?? net.loopback;
    if (verdict === XDP_REDIRECT && kernel.bpf.host.runtime.redirect?.map?.cpuEntryAt) {
      return redirectToCpu(kernel, device, xdp, progId);
    }
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

/** Through a cpumap, as a frame in a page: what is built of it is built on the other CPU. */
function redirectToCpu(
  { network, ram, bpf }: Kernel,
  device: NetDevice,
  xdp: XdpBuffView,
  progId: number,
): void {
  const { net } = network;
  const release = (at: RamOffset) => ram.pages.free(at);
  const page = pageOrNone(ram);
  if (page === undefined) return;
  const { data, data_meta: meta, data_end: end } = xdp;
  const offset = data - xdp.data_hard_start;
  const metaBytes = data - meta;
  ram.u8.copyWithin(page + offset - metaBytes, meta, end);
  const at = (page + offset) as RamOffset;
  const frame = { page, data: at, length: end - data, metaBytes, release };
  net.host.charge(XDP_REDIRECT_NS);
  if (net.redirects.redirect(device, bpf.progs.byId(progId)!, frame) < 0) release(page);
}

function pageOrNone(ram: Ram): RamOffset | undefined {
  try {
    return ram.pages.alloc(0);
  } catch (error) {
    if (error instanceof OutOfMemory) return undefined;
    throw error;
  }
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
