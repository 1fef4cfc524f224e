/** XDP: moving the packet's edges, copying from and to it, redirecting (net/core/filter.c, 6.1). */
import { errno } from '../../kernel/types/errno.ts';
import type { RamOffset } from '../../kernel/types/units.ts';
import {
  XdpBuff,
  xdpDataHardEnd,
  xdpDataMetaUnsupported,
  XdpFrame,
  XdpRxqInfo,
} from '../../kernel/types/xdp.ts';
import type { XdpBuffView } from '../../kernel/types/xdp.ts';
import type { BpfRuntime } from '../runtime.ts';
import { buffLen, copyIn, copyOut, growTail, hasFrags, shrinkTail } from '../xdp-frags.ts';
import { XDP_ABORTED, XDP_REDIRECT, XDP_TX } from '../uapi.ts';
import type { HelperFunction, HelperImplementation } from './helper.ts';
import type { Implementations } from './implement.ts';
import { offset } from './implement.ts';
import { deviceFor, MTU_CHK_RET_FRAG_NEEDED } from './mtu.ts';

const ETH_HLEN = 14;
/** A packet of XDP has at least its Ethernet header; metadata at most 32 bytes in words of 4. */
const META_MAX_BYTES = 32;
/** UAPI linux/bpf.h: what redirect_map may return instead, and to send to all of a devmap. */
const ACTION_MASK = BigInt(XDP_ABORTED | 1 | 2 | XDP_TX);
const BPF_F_BROADCAST = 8n;
const BPF_F_EXCLUDE_INGRESS = 16n;

/** Views are bound once and moved, so that a packet allocates nothing. */
function onBuff(
  pass: HelperImplementation['pass'],
  run: (xdp: XdpBuffView, runtime: BpfRuntime, ...args: never[]) => number,
): HelperImplementation {
  return {
    pass,
    returns: 'i32',
    bind: (runtime): HelperFunction => {
      const view = XdpBuff.at(runtime.ram, 0 as RamOffset);
      return (ctx: number, ...args: never[]) => {
        view.offset = offset(ctx);
        return run(view, runtime, ...args);
      };
    },
  };
}

const metaBytes = (xdp: XdpBuffView) =>
  xdpDataMetaUnsupported(xdp) ? 0 : xdp.data - xdp.data_meta;

function adjustHead(xdp: XdpBuffView, { ram }: BpfRuntime, by: number): number {
  const meta = metaBytes(xdp);
  const lowest = xdp.data_hard_start + XdpFrame.size + meta;
  const data = xdp.data + by;
  if (data < lowest || data > xdp.data_end - ETH_HLEN) return -errno.EINVAL;
  if (meta > 0) ram.u8.copyWithin(xdp.data_meta + by, xdp.data_meta, xdp.data_meta + meta);
  xdp.data_meta = (xdp.data_meta + by) as RamOffset;
  xdp.data = data as RamOffset;
  return 0;
}

function adjustTail(xdp: XdpBuffView, { ram }: BpfRuntime, by: number): number {
  if (hasFrags(xdp)) {
    return by < 0 ? shrinkTail(xdp, -by, (page) => ram.pages.free(page)) : growTail(xdp, by);
  }
  const end = xdp.data_end + by;
  if (end > xdpDataHardEnd(xdp) || end < xdp.data + ETH_HLEN) return -errno.EINVAL;
  if (by > 0) ram.u8.fill(0, xdp.data_end, end);
  xdp.data_end = end as RamOffset;
  return 0;
}

function adjustMeta(xdp: XdpBuffView, _: BpfRuntime, by: number): number {
  if (xdpDataMetaUnsupported(xdp)) return -errno.ENOTSUPP;
  const meta = xdp.data_meta + by;
  if (meta < xdp.data_hard_start + XdpFrame.size || meta > xdp.data) return -errno.EINVAL;
  const bytes = xdp.data - meta;
  if (bytes % 4 !== 0 || bytes > META_MAX_BYTES) return -errno.EACCES;
  xdp.data_meta = meta as RamOffset;
  return 0;
}

/** Whether `size` bytes at `at` are in the packet: 0 or a negative errno. */
function checkRange(xdp: XdpBuffView, at: number, size: number): number {
  const [from, bytes] = [at >>> 0, size >>> 0];
  if (from > 0xffff || bytes > 0xffff) return -errno.EFAULT;
  return from + bytes > buffLen(xdp) ? -errno.EINVAL : 0;
}

function loadBytes(xdp: XdpBuffView, _: BpfRuntime, at: number, out: number, size: number) {
  const refused = checkRange(xdp, at, size);
  if (refused === 0) copyOut(xdp, at >>> 0, offset(out), size >>> 0);
  return refused;
}

function storeBytes(xdp: XdpBuffView, _: BpfRuntime, at: number, from: number, size: number) {
  const refused = checkRange(xdp, at, size);
  if (refused === 0) copyIn(xdp, at >>> 0, offset(from), size >>> 0);
  return refused;
}

/** bpf_xdp_check_mtu: flags have no use here. */
function checkMtu(
  xdp: XdpBuffView,
  { ram, kernel }: BpfRuntime,
  ifindex: number,
  length: number,
  difference: number,
  flags: bigint,
): number {
  const at = offset(length);
  const given = ram.view.getUint32(at, true);
  ram.view.setUint32(at, 0, true);
  if (flags !== 0n) return -errno.EINVAL;
  const own = XdpRxqInfo.at(ram, xdp.rxq).dev;
  const device = deviceFor(ram, kernel, own, ifindex >>> 0);
  if (!device) return -errno.ENODEV;
  const { mtu, hard_header_len: header } = device;
  const packet = (given !== 0 ? given + header : buffLen(xdp)) + difference;
  ram.view.setUint32(at, mtu, true);
  return packet <= mtu + header ? 0 : MTU_CHK_RET_FRAG_NEEDED;
}

export const xdpImplementations: Implementations = {
  xdp_adjust_head: onBuff(['i32', 'i32'], adjustHead),
  xdp_adjust_tail: onBuff(['i32', 'i32'], adjustTail),
  xdp_adjust_meta: onBuff(['i32', 'i32'], adjustMeta),
  xdp_get_buff_len: onBuff(['i32'], (xdp) => buffLen(xdp)),
  xdp_get_buff_len_trace: onBuff(['i32'], (xdp) => buffLen(xdp)),
  xdp_load_bytes: onBuff(['i32', 'i32', 'i32', 'i32'], loadBytes),
  xdp_store_bytes: onBuff(['i32', 'i32', 'i32', 'i32'], storeBytes),
  xdp_check_mtu: onBuff(['i32', 'i32', 'i32', 'i32', 'i64'], checkMtu),
  xdp_redirect: {
    pass: ['i32', 'i64'],
    returns: 'i32',
    bind: (runtime) => (ifindex: number, flags: bigint) => {
      if (flags !== 0n) return XDP_ABORTED;
      runtime.redirect = { index: ifindex >>> 0, map: undefined, flags: 0 };
      return XDP_REDIRECT;
    },
  },
  xdp_redirect_map: {
    pass: ['i32', 'i64', 'i64'],
    returns: 'i32',
    bind: (runtime) => (mapAt: number, key: bigint, flags64: bigint) => {
      const map = runtime.mapAt(offset(mapAt));
      const flags = BigInt.asUintN(64, flags64);
      const isDevmap = map?.spec.type === 'devmap' || map?.spec.type === 'devmap_hash';
      const extra = isDevmap ? BPF_F_BROADCAST | BPF_F_EXCLUDE_INGRESS : 0n;
      if (!map?.redirectTarget || (flags & ~(ACTION_MASK | extra)) !== 0n) return XDP_ABORTED;
      const index = Number(BigInt.asUintN(32, key));
      if (!map.redirectTarget(index) && (flags & BPF_F_BROADCAST) === 0n) {
        runtime.redirect = undefined;
        return Number(flags & ACTION_MASK);
      }
      runtime.redirect = { index, map, flags: Number(flags) };
      return XDP_REDIRECT;
    },
  },
};
