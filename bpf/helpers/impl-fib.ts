/**
 * bpf_fib_lookup: where the kernel would forward a packet, with the link-layer addresses to put into
 * it (net/core/filter.c, Linux 6.1.192, whose stable updates have brought further flags).
 */
import type { Ram } from '../../kernel/ram/ram.ts';
import { errno } from '../../kernel/types/errno.ts';
import { NetDeviceStruct } from '../../kernel/types/net-device.ts';
import { SkBuff } from '../../kernel/types/skbuff.ts';
import type { RamOffset } from '../../kernel/types/units.ts';
import { XdpBuff, XdpRxqInfo } from '../../kernel/types/xdp.ts';
import type { BpfKernel, BpfRuntime, FibHop } from '../runtime.ts';
import type { HelperImplementation } from './helper.ts';
import type { Implementations } from './implement.ts';
import { offset } from './implement.ts';
import { deviceFor } from './mtu.ts';

/** struct bpf_fib_lookup (UAPI linux/bpf.h). */
const PARAMS = {
  family: 0,
  /** Comes back as mtu_result. */
  totLen: 6,
  ifindex: 8,
  /** Comes back as rt_metric. */
  tos: 12,
  source: 16,
  destination: 32,
  /** Goes in as tbid, comes back as the two members of a VLAN header. */
  vlan: 48,
  smac: 52,
  dmac: 58,
  bytes: 64,
} as const;

/** BPF_FIB_LOOKUP_* */
const DIRECT = 1;
const OUTPUT = 2;
const SKIP_NEIGH = 4;
const TBID = 8;
const SRC = 16;
const FLAGS = DIRECT | OUTPUT | SKIP_NEIGH | TBID | SRC;
const RT_TABLE_MAIN = 254;

/** BPF_FIB_LKUP_RET_* */
const SUCCESS = 0;
const NOT_FWDED = 4;
const FWD_DISABLED = 5;
const NO_NEIGH = 7;
const FRAG_NEEDED = 8;

const AF_INET = 2;
const AF_INET6 = 10;
const MAC_BYTES = 6;

/** `at`: the parameters. `own`: the packet's interface, which is known where nothing else is. */
function lookUp(
  { ram, kernel }: BpfRuntime,
  at: RamOffset,
  flags: number,
  own: RamOffset,
  checkMtu: boolean,
): number {
  const { view } = ram;
  const ifindex = view.getUint32(at + PARAMS.ifindex, true);
  const device = findDevice(ram, kernel, own, ifindex);
  if (!device) return -errno.ENODEV;
  const isV4 = ram.u8[at] === AF_INET;
  if (!isV4 || !kernel.forwards4?.(ifindex)) return FWD_DISABLED;
  let table: number | undefined;
  if (flags & DIRECT) {
    table = flags & TBID ? view.getUint32(at + PARAMS.vlan, true) : RT_TABLE_MAIN;
    if (flags & TBID) view.setUint32(at + PARAMS.vlan, 0, true);
  }
  const destination = view.getUint32(at + PARAMS.destination, false);
  const outputIndex = flags & OUTPUT ? ifindex : undefined;
  const hop = kernel.fibHop4?.({ destination, table, outputIndex });
  if (!hop) return NOT_FWDED;
  const length = view.getUint16(at + PARAMS.totLen, true);
  if (checkMtu && length > hop.mtu) {
    view.setUint16(at + PARAMS.totLen, hop.mtu, true);
    return FRAG_NEEDED;
  }
  return answer(ram, at, flags, hop, checkMtu);
}

function answer(ram: Ram, at: RamOffset, flags: number, hop: FibHop, withMtu: boolean): number {
  const { view } = ram;
  view.setUint32(at + PARAMS.tos, hop.metric, true);
  view.setUint32(at + PARAMS.ifindex, hop.ifindex, true);
  if (hop.gateway !== undefined) view.setUint32(at + PARAMS.destination, hop.gateway, false);
  if (flags & SRC) view.setUint32(at + PARAMS.source, hop.source, false);
  if (!(flags & SKIP_NEIGH)) {
    if (!hop.neighbour) return NO_NEIGH;
    ram.u8.set(hop.neighbour.subarray(0, MAC_BYTES), at + PARAMS.dmac);
    ram.u8.set(hop.mac.subarray(0, MAC_BYTES), at + PARAMS.smac);
  }
  view.setUint32(at + PARAMS.vlan, 0, true);
  if (withMtu) view.setUint16(at + PARAMS.totLen, hop.mtu, true);
  return SUCCESS;
}

/** Index 0 is no interface here. */
function findDevice(ram: Ram, kernel: BpfKernel, own: RamOffset, ifindex: number) {
  return ifindex === 0 ? undefined : deviceFor(ram, kernel, own, ifindex);
}

/** 0, or why the call makes no sense. */
function refuse(ram: Ram, at: RamOffset, sizeBytes: number, flags: number): number {
  if (sizeBytes >>> 0 < PARAMS.bytes || (flags & ~FLAGS) !== 0) return -errno.EINVAL;
  const family = ram.u8[at];
  return family === AF_INET || family === AF_INET6 ? 0 : -errno.EAFNOSUPPORT;
}

const fibLookup = (
  run: (runtime: BpfRuntime, ctx: RamOffset, params: RamOffset, flags: number) => number,
): HelperImplementation => ({
  pass: ['i32', 'i32', 'i32', 'i32'],
  returns: 'i32',
  bind: (runtime) => (ctx: number, params: number, sizeBytes: number, flags: number) => {
    const at = offset(params);
    return refuse(runtime.ram, at, sizeBytes, flags) || run(runtime, offset(ctx), at, flags);
  },
});

export const fibImplementations: Implementations = {
  xdp_fib_lookup: fibLookup((runtime, ctx, at, flags) => {
    const { rxq } = XdpBuff.at(runtime.ram, ctx);
    return lookUp(runtime, at, flags, XdpRxqInfo.at(runtime.ram, rxq).dev, true);
  }),
  /** Without a length the packet's own counts, against the MTU of the interface that it leaves by. */
  skb_fib_lookup: fibLookup((runtime, ctx, at, flags) => {
    const { ram, kernel } = runtime;
    const skb = SkBuff.at(ram, ctx);
    const checkMtu = ram.view.getUint16(at + PARAMS.totLen, true) !== 0;
    const result = lookUp(runtime, at, flags, skb.dev, checkMtu);
    if (result !== SUCCESS || checkMtu) return result;
    const leaves = kernel.netDevice?.(ram.view.getUint32(at + PARAMS.ifindex, true)) ?? 0;
    const { mtu, hard_header_len: header } = NetDeviceStruct.at(ram, leaves as RamOffset);
    ram.view.setUint16(at + PARAMS.totLen, mtu, true);
    return skb.len > mtu + header ? FRAG_NEEDED : SUCCESS;
  }),
};
