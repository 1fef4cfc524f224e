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
import type { BpfKernel } from '../bpf/runtime.ts';
import type { ProgObject } from '../bpf/syscall/objects.ts';
import { XdpMd } from '../bpf/uapi-ctx.ts';
import { uapi } from '../bpf/uapi.ts';
import { addFrag, buffLen, fragBytes, fragPages, packetParts } from '../bpf/xdp-frags.ts';
import { PAGE_SIZE, type Ram } from '../kernel/ram/ram.ts';
import { errno } from '../kernel/types/errno.ts';
import { NetDeviceStruct } from '../kernel/types/net-device.ts';
import { MAX_SKB_FRAGS } from '../kernel/types/skbuff.ts';
import type { RamOffset } from '../kernel/types/units.ts';
import {
  SKB_SHARED_INFO_BYTES,
  XDP_PACKET_HEADROOM,
  XdpBuff,
  type XdpBuffView,
  XdpRxqInfo,
} from '../kernel/types/xdp.ts';

/** Frames of a live run at a time where the caller does not say (NAPI_POLL_WEIGHT), and at most. */
const LIVE_BATCH = 64;
const LIVE_BATCH_MAX = 256;
/** sizeof(struct xdp_page_head): room that a live frame's page has less. */
const LIVE_HEAD_BYTES = 152;
export const ETH_HLEN = 14;
/** Largest metadata, and its granularity (xdp_metalen_invalid). */
const MAX_META_BYTES = 32;
const LOOPBACK_IFINDEX = 1;
const LOOPBACK_MTU = 65536;

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
    const isLive = (attr.flags & uapi.BPF_F_TEST_XDP_LIVE_FRAMES) !== 0;
    if ((attr.flags & ~uapi.BPF_F_TEST_XDP_LIVE_FRAMES) !== 0) return -errno.EINVAL;
    if (isLive && attr.batch_size > LIVE_BATCH_MAX) return -errno.E2BIG;
    if (!isLive && attr.batch_size !== 0) return -errno.EINVAL;
    const context = testContext(attr, caller, XdpMd.size);
    if (typeof context === 'number') return context;
    const metaBytes = context && metadataBytes(context, attr, isLive);
    if (metaBytes !== undefined && metaBytes < 0) return metaBytes;
    if (attr.data_size_in < ETH_HLEN) return -errno.EINVAL;
    const room = PAGE_SIZE - XDP_PACKET_HEADROOM - SKB_SHARED_INFO_BYTES + (metaBytes ?? 0);
    if (isLive && attr.data_size_in > room - LIVE_HEAD_BYTES) return -errno.EINVAL;
    // The context may say that less of the packet is in the first buffer.
    const linearBytes = context ? Math.min(room, mdOf(context).data_end) : room;
    if (attr.data_size_in > linearBytes + MAX_SKB_FRAGS * PAGE_SIZE) return -errno.ENOMEM;
    const packet = caller.copyFromUser(attr.data_in, attr.data_size_in);
    if (!packet) return -errno.EFAULT;

    const place = { packet, metaBytes: metaBytes ?? 0, linearBytes };
    return withTestBuffer(ram, place, (xdp, rxq) => {
      const placed = context && placeOnDevice(context, rxq, deviceByIndex);
      if (placed !== undefined && placed < 0) return placed;
      const repeat = Math.max(1, attr.repeat);
      const start = kernel.nowNs();
      let retval = 0;
      if (isLive) {
        runLive(program, xdp, place, { repeat, batch: attr.batch_size || LIVE_BATCH }, kernel);
      } else {
        for (let i = 0; i < repeat; i++) retval = program.prog.run(xdp.offset);
      }
      const durationNs = Math.floor((kernel.nowNs() - start) / repeat);
      if (context) {
        const md = mdOf(context);
        md.data = xdp.data - xdp.data_meta;
        md.data_end = xdp.data_end - xdp.data_meta;
      }
      const metaNow = xdp.data - xdp.data_meta;
      const data = new Uint8Array(metaNow + buffLen(xdp));
      data.set(ram.bytes(xdp.data_meta, metaNow));
      let at = metaNow;
      for (const part of packetParts(xdp)) {
        data.set(ram.bytes(part.at as RamOffset, part.bytes), at);
        at += part.bytes;
      }
      const finished = { data, fragBytes: fragBytes(xdp), retval, durationNs };
      const result = finishTestRun(attr, caller, finished);
      return result < 0 ? result : finishContext(attr, caller, context);
    });
  };
}

/**
 * Each frame starts as the caller's packet and goes where the program sends it (xdp_test_run_batch):
 * up the stack, back out of its interface, elsewhere. Without a network there is nowhere to go.
 */
function runLive(
  program: ProgObject,
  xdp: XdpBuffView,
  place: Placement,
  { repeat, batch }: { readonly repeat: number; readonly batch: number },
  kernel: BpfKernel,
): void {
  for (let i = 0; i < repeat; i++) {
    placePacket(xdp, place);
    kernel.liveXdpFrame?.(program.prog.run(xdp.offset), xdp.offset, program.id);
    if ((i + 1) % batch === 0 || i + 1 === repeat) kernel.endLiveXdpBatch?.();
  }
  placePacket(xdp, place);
}

const mdOf = (context: Uint8Array) => XdpMd.over(context as Uint8Array<ArrayBuffer>);

/** Bytes of metadata that the context puts in front of the packet, or -EINVAL. */
function metadataBytes(context: Uint8Array, attr: TestRunAttr, isLive: boolean): number {
  if (isLive && attr.ctx_out !== 0n) return -errno.EINVAL;
  const md = mdOf(context);
  const invalid =
    md.data_meta !== 0 ||
    md.data_end > attr.data_size_in ||
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
  const md = mdOf(context);
  if (md.egress_ifindex !== 0) return -errno.EINVAL;
  if (md.ingress_ifindex === 0) return md.rx_queue_index === 0 ? 0 : -errno.EINVAL;
  const device = deviceByIndex(md.ingress_ifindex);
  // Without a kernel there is still the loopback's stand-in.
  if (!device && md.ingress_ifindex === LOOPBACK_IFINDEX) {
    return md.rx_queue_index === 0 ? 0 : -errno.EINVAL;
  }
  if (!device) return -errno.ENODEV;
  if (md.rx_queue_index >= device.queues) return -errno.EINVAL;
  rxq.dev = device.offset;
  rxq.queue_index = md.rx_queue_index;
  return 0;
}

interface Placement {
  readonly packet: Uint8Array;
  /** Of the packet, in front of what the program sees as its start. */
  readonly metaBytes: number;
  /** What the first buffer holds; the rest lies in fragments of a page each. */
  readonly linearBytes: number;
}

/** An xdp_buff around the packet in a fresh page, given back after `use`. */
function withTestBuffer(
  ram: Ram,
  place: Placement,
  use: (xdp: XdpBuffView, rxq: ReturnType<typeof XdpRxqInfo.at>) => number,
): number {
  const page = ram.pages.alloc();
  const xdp = XdpBuff.alloc(ram);
  const rxq = XdpRxqInfo.alloc(ram);
  const dev = NetDeviceStruct.alloc(ram);
  try {
    dev.ifindex = LOOPBACK_IFINDEX;
    dev.mtu = LOOPBACK_MTU;
    dev.hard_header_len = ETH_HLEN;
    rxq.dev = dev.offset;
    rxq.frag_size = PAGE_SIZE;
    xdp.data_hard_start = page;
    xdp.rxq = rxq.offset;
    xdp.frame_sz = PAGE_SIZE;
    ram.u8.fill(0, page, page + PAGE_SIZE);
    placePacket(xdp, place);
    const { packet, linearBytes } = place;
    for (let at = linearBytes; at < packet.length; at += PAGE_SIZE) {
      const bytes = packet.subarray(at, at + PAGE_SIZE);
      const fragment = ram.pages.alloc();
      ram.u8.fill(0, fragment, fragment + PAGE_SIZE);
      ram.u8.set(bytes, fragment);
      addFrag(xdp, fragment, bytes.length);
    }
    return use(xdp, rxq);
  } finally {
    for (const fragment of fragPages(xdp)) ram.pages.free(fragment);
    ram.pages.free(page);
    for (const view of [xdp, rxq, dev]) ram.kfree(view.offset);
  }
}

/** The first buffer as the caller gave it. */
function placePacket(xdp: XdpBuffView, { packet, metaBytes, linearBytes }: Placement): void {
  const linear = packet.subarray(0, linearBytes);
  const start = xdp.data_hard_start + XDP_PACKET_HEADROOM;
  xdp.data_meta = (start - metaBytes) as RamOffset;
  xdp.data = start as RamOffset;
  xdp.data_end = (xdp.data_meta + linear.length) as RamOffset;
  xdp.ram.u8.set(linear, xdp.data_meta);
}
