/**
 * Packets of XDP that lie in several buffers: the first in the xdp_buff, the rest as fragments in
 * the skb_shared_info behind it (XDP_FLAGS_HAS_FRAGS).
 *
 *   buffLen(xdp)                          bytes of the whole packet (xdp_get_buff_len)
 *   copyOut(xdp, at, to, n), copyIn(…)    bytes from or to anywhere in it
 *   growTail(xdp, n), shrinkTail(xdp, n)  the last fragment's end; 0 or -errno
 *   addFrag(xdp, page, n), packetParts(xdp)
 */
import { errno } from '../kernel/types/errno.ts';
import { MAX_SKB_FRAGS, SkbFrag, SkbSharedInfo } from '../kernel/types/skbuff.ts';
import type { RamOffset } from '../kernel/types/units.ts';
import { XDP_FLAGS_HAS_FRAGS, xdpDataHardEnd, XdpRxqInfo } from '../kernel/types/xdp.ts';
import type { XdpBuffView } from '../kernel/types/xdp.ts';

const ETH_HLEN = 14;
/** Offset of `frags` in struct skb_shared_info: 17 of them fill it up. */
const FRAGS_AT = SkbSharedInfo.size - MAX_SKB_FRAGS * SkbFrag.size;

export const hasFrags = (xdp: XdpBuffView): boolean => (xdp.flags & XDP_FLAGS_HAS_FRAGS) !== 0;

function sharedInfo(xdp: XdpBuffView) {
  return SkbSharedInfo.at(xdp.ram, xdpDataHardEnd(xdp));
}

function fragAt(xdp: XdpBuffView, index: number) {
  return SkbFrag.at(xdp.ram, (xdpDataHardEnd(xdp) + FRAGS_AT + index * SkbFrag.size) as RamOffset);
}

/** The packet's parts from front to back. */
export function* packetParts(
  xdp: XdpBuffView,
): Generator<{ readonly at: number; readonly bytes: number }> {
  yield { at: xdp.data, bytes: xdp.data_end - xdp.data };
  if (!hasFrags(xdp)) return;
  const count = sharedInfo(xdp).nr_frags;
  for (let i = 0; i < count; i++) {
    const { bv_page: page, bv_offset: from, bv_len: bytes } = fragAt(xdp, i);
    yield { at: page + from, bytes };
  }
}

export function buffLen(xdp: XdpBuffView): number {
  const linear = xdp.data_end - xdp.data;
  return hasFrags(xdp) ? linear + sharedInfo(xdp).xdp_frags_size : linear;
}

export function fragBytes(xdp: XdpBuffView): number {
  return hasFrags(xdp) ? sharedInfo(xdp).xdp_frags_size : 0;
}

/** Empties the list; the buffer may be any memory. */
export function clearFrags(xdp: XdpBuffView): void {
  const info = sharedInfo(xdp);
  info.nr_frags = 0;
  info.xdp_frags_size = 0;
  xdp.flags &= ~XDP_FLAGS_HAS_FRAGS;
}

/** The page is the packet's from here on; false where there are enough. */
export function addFrag(xdp: XdpBuffView, page: RamOffset, sizeBytes: number): boolean {
  const info = sharedInfo(xdp);
  if (info.nr_frags === MAX_SKB_FRAGS) return false;
  const frag = fragAt(xdp, info.nr_frags++);
  frag.bv_page = page;
  frag.bv_offset = 0;
  frag.bv_len = sizeBytes;
  info.xdp_frags_size += sizeBytes;
  xdp.flags |= XDP_FLAGS_HAS_FRAGS;
  return true;
}

/** Pages of the fragments, for who has to free them. */
export function fragPages(xdp: XdpBuffView): readonly RamOffset[] {
  const count = hasFrags(xdp) ? sharedInfo(xdp).nr_frags : 0;
  return Array.from({ length: count }, (_, i) => fragAt(xdp, i).bv_page);
}

/** `sizeBytes` from `at` in the packet, which must lie in it, part by part. */
function visit(
  xdp: XdpBuffView,
  at: number,
  sizeBytes: number,
  use: (here: number, done: number, bytes: number) => void,
): void {
  let skip = at;
  let done = 0;
  for (const { at: here, bytes } of packetParts(xdp)) {
    if (done === sizeBytes) return;
    if (skip >= bytes) {
      skip -= bytes;
      continue;
    }
    const take = Math.min(bytes - skip, sizeBytes - done);
    use(here + skip, done, take);
    done += take;
    skip = 0;
  }
}

export function copyOut(xdp: XdpBuffView, at: number, to: number, sizeBytes: number): void {
  const { u8 } = xdp.ram;
  visit(xdp, at, sizeBytes, (here, done, bytes) => u8.copyWithin(to + done, here, here + bytes));
}

export function copyIn(xdp: XdpBuffView, at: number, from: number, sizeBytes: number): void {
  const { u8 } = xdp.ram;
  visit(xdp, at, sizeBytes, (here, done, bytes) =>
    u8.copyWithin(here, from + done, from + done + bytes),
  );
}

/** bpf_xdp_frags_increase_tail: only where the queue says how large its fragments are. */
export function growTail(xdp: XdpBuffView, by: number): number {
  const info = sharedInfo(xdp);
  const { frag_size: fragSize } = XdpRxqInfo.at(xdp.ram, xdp.rxq);
  if (fragSize === 0 || fragSize > xdp.frame_sz) return -errno.EOPNOTSUPP;
  const frag = fragAt(xdp, info.nr_frags - 1);
  if (by > fragSize - frag.bv_len - frag.bv_offset) return -errno.EINVAL;
  const end = frag.bv_page + frag.bv_offset + frag.bv_len;
  xdp.ram.u8.fill(0, end, end + by);
  frag.bv_len += by;
  info.xdp_frags_size += by;
  return 0;
}

/** bpf_xdp_frags_shrink_tail: whole fragments go, then bytes of one, then of the first buffer. */
export function shrinkTail(xdp: XdpBuffView, by: number, free: (page: RamOffset) => void): number {
  if (by > buffLen(xdp) - ETH_HLEN) return -errno.EINVAL;
  const info = sharedInfo(xdp);
  let left = by;
  while (info.nr_frags > 0 && left > 0) {
    const frag = fragAt(xdp, info.nr_frags - 1);
    const cut = Math.min(left, frag.bv_len);
    left -= cut;
    info.xdp_frags_size -= cut;
    frag.bv_len -= cut;
    if (frag.bv_len > 0) break;
    free(frag.bv_page);
    info.nr_frags--;
  }
  if (info.nr_frags > 0) return 0;
  xdp.flags &= ~XDP_FLAGS_HAS_FRAGS;
  xdp.data_end = (xdp.data_end - left) as RamOffset;
  return 0;
}
