/**
 * BPF_PROG_TEST_RUN for XDP programs (bpf_prog_test_run_xdp of 6.1): one packet in a page of its
 * own, on queue 0 of the loopback interface unless the context says otherwise.
 */
import {
  finishContext,
  finishTestRun,
  testContext,
  type TestRun,
} from '../bpf/syscall/test-run.ts';
import type { TestRunAttr } from '../bpf/syscall/test-run.ts';
import { XdpMd } from '../bpf/uapi-ctx.ts';
import { PAGE_SIZE, type Ram } from '../kernel/ram/ram.ts';
import { errno } from '../kernel/types/errno.ts';
import { NetDeviceStruct } from '../kernel/types/net-device.ts';
import type { RamOffset } from '../kernel/types/units.ts';
import {
  SKB_SHARED_INFO_BYTES,
  XDP_PACKET_HEADROOM,
  XdpBuff,
  type XdpBuffView,
  XdpRxqInfo,
} from '../kernel/types/xdp.ts';

/** UAPI linux/bpf.h; live frames come with the network stack. */
const BPF_F_TEST_XDP_LIVE_FRAMES = 2;
export const ETH_HLEN = 14;
/** Largest metadata, and its granularity (xdp_metalen_invalid). */
const MAX_META_BYTES = 32;
const LOOPBACK_IFINDEX = 1;

/** Finds an interface for a context that names one; a bare RAM has only the loopback's stand-in. */
export type DeviceByIndex = (
  ifindex: number,
) => { readonly offset: RamOffset; readonly queues: number } | undefined;

export function xdpTestRun(deviceByIndex: DeviceByIndex): TestRun {
  return (bpf, program, attr, caller) => {
    const { ram, kernel } = bpf.host.runtime;
    const { expectedAttachType } = program.prog.verified.spec;
    if (expectedAttachType === 'xdp_devmap' || expectedAttachType === 'xdp_cpumap') {
      return -errno.EINVAL;
    }
    // differs: no live frames (BPF_F_TEST_XDP_LIVE_FRAMES) and no multi-buffer packets in test runs.
    if (attr.flags !== 0 || attr.batch_size !== 0) {
      return attr.flags === BPF_F_TEST_XDP_LIVE_FRAMES ? -errno.EOPNOTSUPP : -errno.EINVAL;
    }
    const context = testContext(attr, caller, XdpMd.size);
    if (typeof context === 'number') return context;
    const metaBytes = context && metadataBytes(context, attr);
    if (metaBytes !== undefined && metaBytes < 0) return metaBytes;
    const room = PAGE_SIZE - XDP_PACKET_HEADROOM - SKB_SHARED_INFO_BYTES + (metaBytes ?? 0);
    if (attr.data_size_in < ETH_HLEN || attr.data_size_in > room) return -errno.EINVAL;
    const packet = caller.copyFromUser(attr.data_in, attr.data_size_in);
    if (!packet) return -errno.EFAULT;

    return withTestBuffer(ram, packet, metaBytes ?? 0, (xdp, rxq) => {
      const placed = context && placeOnDevice(context, rxq, deviceByIndex);
      if (placed !== undefined && placed < 0) return placed;
      const start = kernel.nowNs();
      const repeat = Math.max(1, attr.repeat);
      let retval = 0;
      for (let i = 0; i < repeat; i++) retval = program.prog.run(xdp.offset);
      const durationNs = Math.floor((kernel.nowNs() - start) / repeat);
      if (context) {
        const md = XdpMd.over(context as Uint8Array<ArrayBuffer>);
        md.data = xdp.data - xdp.data_meta;
        md.data_end = xdp.data_end - xdp.data_meta;
      }
      const data = ram.bytes(xdp.data_meta, xdp.data_end - xdp.data_meta).slice();
      const result = finishTestRun(attr, caller, { data, retval, durationNs });
      return result < 0 ? result : finishContext(attr, caller, context);
    });
  };
}

/** Bytes of metadata that the context puts in front of the packet, or -EINVAL. */
function metadataBytes(context: Uint8Array, attr: TestRunAttr): number {
  const md = XdpMd.over(context as Uint8Array<ArrayBuffer>);
  const invalid =
    md.data_meta !== 0 ||
    md.data_end !== attr.data_size_in ||
    md.data > md.data_end ||
    md.data % 4 !== 0 ||
    md.data > MAX_META_BYTES;
  return invalid ? -errno.EINVAL : md.data;
}

/** The interface and queue that the context names: 0 or a negative errno. */
function placeOnDevice(
  context: Uint8Array,
  rxq: ReturnType<typeof XdpRxqInfo.at>,
  deviceByIndex: DeviceByIndex,
): number {
  const md = XdpMd.over(context as Uint8Array<ArrayBuffer>);
  if (md.egress_ifindex !== 0) return -errno.EINVAL;
  if (md.ingress_ifindex === 0) return md.rx_queue_index === 0 ? 0 : -errno.EINVAL;
  const device = deviceByIndex(md.ingress_ifindex);
  if (!device) return -errno.ENODEV;
  if (md.rx_queue_index >= device.queues) return -errno.EINVAL;
  rxq.dev = device.offset;
  rxq.queue_index = md.rx_queue_index;
  return 0;
}

/** An xdp_buff around the packet in a fresh page, given back after `use`. */
function withTestBuffer(
  ram: Ram,
  packet: Uint8Array,
  metaBytes: number,
  use: (xdp: XdpBuffView, rxq: ReturnType<typeof XdpRxqInfo.at>) => number,
): number {
  const page = ram.pages.alloc();
  ram.u8.fill(0, page, page + PAGE_SIZE);
  const xdp = XdpBuff.alloc(ram);
  const rxq = XdpRxqInfo.alloc(ram);
  const dev = NetDeviceStruct.alloc(ram);
  try {
    dev.ifindex = LOOPBACK_IFINDEX;
    rxq.dev = dev.offset;
    xdp.data_hard_start = page;
    xdp.data_meta = (page + XDP_PACKET_HEADROOM - metaBytes) as RamOffset;
    xdp.data = (page + XDP_PACKET_HEADROOM) as RamOffset;
    xdp.data_end = (xdp.data_meta + packet.length) as RamOffset;
    xdp.rxq = rxq.offset;
    xdp.frame_sz = PAGE_SIZE;
    ram.u8.set(packet, xdp.data_meta);
    return use(xdp, rxq);
  } finally {
    ram.pages.free(page);
    for (const view of [xdp, rxq, dev]) ram.kfree(view.offset);
  }
}
