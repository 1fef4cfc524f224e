/**
 * BPF_PROG_TEST_RUN for programs on an sk_buff (bpf_prog_test_run_skb of 6.1): socket filters, tc
 * classifiers and actions, lightweight tunnels, cgroup_skb, on the loopback interface.
 */
import {
  finishContext,
  finishTestRun,
  testContext,
  type TestRun,
} from '../bpf/syscall/test-run.ts';
import { computeDataPointers, NOT_SET } from '../bpf/helpers/skb-room.ts';
import { UapiSkBuff } from '../bpf/uapi-ctx.ts';
import type { ProgType } from '../bpf/uapi.ts';
import { PAGE_SIZE, type Ram } from '../kernel/ram/ram.ts';
import { errno } from '../kernel/types/errno.ts';
import { NetDeviceStruct } from '../kernel/types/net-device.ts';
import {
  PACKET_BROADCAST,
  PACKET_HOST,
  PACKET_MULTICAST,
  PACKET_OTHERHOST,
  SkBuff,
  type SkBuffView,
} from '../kernel/types/skbuff.ts';
import type { Ns, RamOffset } from '../kernel/types/units.ts';
import { SKB_CB } from './skb-convert.ts';
import { ETH_HLEN } from './test-run-xdp.ts';
import { testSocket } from './test-socket.ts';

/** NET_SKB_PAD + NET_IP_ALIGN on x86-64. */
const HEADROOM = 64;
const SHARED_INFO_BYTES = 320;
const LOOPBACK_IFINDEX = 1;
/** UAPI linux/if_ether.h: from here on it is a type, below it a length. */
const ETH_P_802_3_MIN = 0x0600;
const LOOPBACK_MTU = 65536;
const GSO_LEGACY_MAX_SIZE = 65536;
const GSO_MAX_SEGS = 65535;

/** What of the control block is the program's own (QDISC_CB_PRIV_LEN). */
const CB_PRIVATE_BYTES = 20;

/** Types that see the packet from its Ethernet header on. */
const LINK_LAYER: ReadonlySet<ProgType> = new Set(['sched_cls', 'sched_act']);
/** Types that get data_end in a test run. 6.1 forgets cgroup_skb: there it is 0. */
const DIRECT_ACCESS: ReadonlySet<ProgType> = new Set([
  ...LINK_LAYER,
  'lwt_in',
  'lwt_out',
  'lwt_xmit',
]);

export const skbTestRun: TestRun = (bpf, program, attr, caller) => {
  const { ram, kernel } = bpf.host.runtime;
  const { type } = program.prog.verified.spec;
  if (attr.flags !== 0 || attr.cpu !== 0 || attr.batch_size !== 0) return -errno.EINVAL;
  const room = PAGE_SIZE - HEADROOM - SHARED_INFO_BYTES;
  if (attr.data_size_in < ETH_HLEN || attr.data_size_in > room) return -errno.EINVAL;
  const packet = caller.copyFromUser(attr.data_in, attr.data_size_in);
  if (!packet) return -errno.EFAULT;
  if (packet.length < leastBytes(packet)) return -errno.EINVAL;
  const context = testContext(attr, caller, UapiSkBuff.size);
  if (typeof context === 'number') return context;

  return withTestSkb(ram, packet, (skb) => {
    const isLinkLayer = LINK_LAYER.has(type);
    if (!isLinkLayer) pull(skb, ETH_HLEN);
    if (DIRECT_ACCESS.has(type)) computeDataPointers(skb);
    const taken = context && contextToSkb(ram, context, skb);
    if (taken !== undefined && taken < 0) return taken;
    const start = kernel.nowNs();
    const repeat = Math.max(1, attr.repeat);
    let retval = 0;
    for (let i = 0; i < repeat; i++) retval = program.prog.run(skb.offset);
    const durationNs = Math.floor((kernel.nowNs() - start) / repeat);
    if (!isLinkLayer) {
      pull(skb, -ETH_HLEN);
      ram.u8.fill(0, skb.data, skb.data + ETH_HLEN);
    }
    if (context) skbToContext(ram, skb, context);
    const data = ram.bytes(skb.data, skb.len).slice();
    const result = finishTestRun(attr, caller, { data, retval, durationNs });
    return result < 0 ? result : finishContext(attr, caller, context);
  });
};

/** Packets of IP have at least its header. */
function leastBytes(packet: Uint8Array): number {
  switch ((packet[12]! << 8) | packet[13]!) {
    case 0x0800:
      return ETH_HLEN + 20;
    case 0x86dd:
      return ETH_HLEN + 40;
    default:
      return ETH_HLEN;
  }
}

/** eth_type_trans: an EtherType, or ETH_P_802_3 or _2 for a frame with a length; network order. */
function protocolOf(view: DataView): number {
  if (view.getUint16(12) >= ETH_P_802_3_MIN) return view.getUint16(12, true);
  const isNovell = view.byteLength >= ETH_HLEN + 2 && view.getUint16(ETH_HLEN) === 0xffff;
  return isNovell ? 0x0100 : 0x0400;
}

/** Whose it is, for an interface with the address 0. */
function packetType(packet: Uint8Array): number {
  const destination = packet.subarray(0, 6);
  if (destination.every((byte) => byte === 0)) return PACKET_HOST;
  if ((destination[0]! & 1) === 0) return PACKET_OTHERHOST;
  return destination.every((byte) => byte === 0xff) ? PACKET_BROADCAST : PACKET_MULTICAST;
}

/** Moves the start of the packet: skb_pull, or skb_push for a negative count. */
function pull(skb: SkBuffView, count: number): void {
  skb.data = (skb.data + count) as RamOffset;
  skb.len -= count;
}

/** Members of the context that a caller may set; everything between them must be zero. */
const SETTABLE = [
  'mark',
  'priority',
  'ingress_ifindex',
  'ifindex',
  'cb',
  'tstamp',
  'wire_len',
  'gso_segs',
  'gso_size',
  'hwtstamp',
] as const;

/** convert___skb_to_skb: 0 or -EINVAL. */
function contextToSkb(ram: Ram, context: Uint8Array, skb: SkBuffView): number {
  const given = UapiSkBuff.over(context as Uint8Array<ArrayBuffer>);
  let from = 0;
  for (const member of SETTABLE) {
    const at = UapiSkBuff.offsets[member];
    if (context.subarray(from, at).some((byte) => byte !== 0)) return -errno.EINVAL;
    from = at + UapiSkBuff.members[member].size;
  }
  if (context.subarray(from).some((byte) => byte !== 0)) return -errno.EINVAL;
  if (given.gso_segs > GSO_MAX_SEGS) return -errno.EINVAL;
  if (given.wire_len !== 0 && (given.wire_len < skb.len || given.wire_len > GSO_LEGACY_MAX_SIZE)) {
    return -errno.EINVAL;
  }
  skb.mark = given.mark;
  skb.priority = given.priority;
  skb.skb_iif = given.ingress_ifindex;
  skb.tstamp = Number(given.tstamp) as Ns;
  ram.u8.set(context.subarray(given.cb, given.cb + CB_PRIVATE_BYTES), skb.cb + SKB_CB.data);
  ram.view.setUint32(skb.cb + SKB_CB.pktLen, given.wire_len || skb.len, true);
  return 0;
}

/** convert_skb_to___skb */
function skbToContext(ram: Ram, skb: SkBuffView, context: Uint8Array): void {
  const out = UapiSkBuff.over(context as Uint8Array<ArrayBuffer>);
  out.mark = skb.mark;
  out.priority = skb.priority;
  out.ingress_ifindex = skb.skb_iif;
  out.ifindex = LOOPBACK_IFINDEX;
  out.tstamp = BigInt(skb.tstamp);
  const privateAt = skb.cb + SKB_CB.data;
  context.set(ram.u8.subarray(privateAt, privateAt + CB_PRIVATE_BYTES), out.cb);
  out.wire_len = ram.view.getUint32(skb.cb + SKB_CB.pktLen, true);
}

/** An sk_buff around the packet, as the loopback interface would have received it. */
function withTestSkb(ram: Ram, packet: Uint8Array, use: (skb: SkBuffView) => number): number {
  const page = ram.pages.alloc();
  ram.u8.fill(0, page, page + PAGE_SIZE);
  const skb = SkBuff.alloc(ram);
  const dev = NetDeviceStruct.alloc(ram);
  const view = new DataView(packet.buffer, packet.byteOffset, packet.byteLength);
  const sk = testSocket(ram, view.getUint16(12), packet.subarray(ETH_HLEN));
  try {
    dev.ifindex = LOOPBACK_IFINDEX;
    dev.mtu = LOOPBACK_MTU;
    dev.hard_header_len = ETH_HLEN;
    skb.head = page;
    skb.data = (page + HEADROOM) as RamOffset;
    skb.tail = HEADROOM + packet.length;
    skb.end = PAGE_SIZE - SHARED_INFO_BYTES;
    skb.len = packet.length;
    skb.dev = dev.offset;
    skb.sk = sk;
    skb.protocol = protocolOf(view);
    skb.bits128 = packetType(packet);
    skb.mac_header = HEADROOM;
    skb.network_header = HEADROOM + ETH_HLEN;
    skb.transport_header = NOT_SET;
    skb.truesize = PAGE_SIZE;
    skb.users = 1;
    ram.u8.set(packet, skb.data);
    return use(skb);
  } finally {
    // A helper may have given the packet a larger buffer.
    ram.kfree(skb.head);
    for (const each of [skb.offset, dev.offset, sk]) ram.kfree(each);
  }
}
