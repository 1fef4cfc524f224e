/**
 * Moving the edges of a linear sk_buff: room in front and behind, headers put in or taken out
 * (net/core/filter.c and skbuff.c, 6.1). All return 0 or a negative errno.
 *
 *   ensureHeadroom(runtime, skb, n), ensureTailroom(…)   a larger buffer where need be
 *   push(skb, n), pull(skb, n)                           data's start down or up
 *   computeDataPointers(skb)                             after any of these, for the program
 */
import { OutOfMemory } from '../../kernel/ram/page-allocator.ts';
import { errno } from '../../kernel/types/errno.ts';
import type { SkBuffView } from '../../kernel/types/skbuff.ts';
import type { RamOffset } from '../../kernel/types/units.ts';
import { SKB_SHARED_INFO_BYTES } from '../../kernel/types/xdp.ts';
import type { BpfRuntime } from '../runtime.ts';

/** SKB_MAX_ALLOC: what a linear buffer of four pages holds besides its skb_shared_info. */
export const SKB_MAX_BYTES = 4 * 4096 - SKB_SHARED_INFO_BYTES;
/** struct bpf_skb_data_end in `cb`. */
const CB_DATA_META = 32;
const CB_DATA_END = 40;
/** A header's offset that nobody has set. */
export const NOT_SET = 0xffff;

const HEADERS = [
  'network_header',
  'transport_header',
  'inner_mac_header',
  'inner_network_header',
  'inner_transport_header',
] as const;

/** bpf_compute_data_pointers: where `data_meta` and `data_end` of __sk_buff come from. */
export function computeDataPointers(skb: SkBuffView): void {
  const { ram, cb } = skb;
  ram.writePointer((cb + CB_DATA_META) as RamOffset, skb.data);
  ram.writePointer((cb + CB_DATA_END) as RamOffset, (skb.data + skb.len) as RamOffset);
}

export function ensureHeadroom(runtime: BpfRuntime, skb: SkBuffView, bytes: number): number {
  const missing = bytes - (skb.data - skb.head);
  return missing > 0 ? expandHead(runtime, skb, missing, 0) : 0;
}

export function ensureTailroom(runtime: BpfRuntime, skb: SkBuffView, bytes: number): number {
  const missing = bytes - (skb.end - skb.tail);
  return missing > 0 ? expandHead(runtime, skb, 0, missing) : 0;
}

/** pskb_expand_head: the same packet in a larger buffer. */
function expandHead(
  { ram, kernel }: BpfRuntime,
  skb: SkBuffView,
  front: number,
  behind: number,
): number {
  const usable = align(front) + skb.end + align(behind);
  const head = allocate(() => ram.kzalloc(usable + SKB_SHARED_INFO_BYTES));
  if (head === undefined) return -errno.ENOMEM;
  const moved = align(front);
  ram.u8.copyWithin(head + moved, skb.head, skb.head + skb.tail);
  const info = skb.head + skb.end;
  ram.u8.copyWithin(head + usable, info, info + SKB_SHARED_INFO_BYTES);
  const old = skb.head;
  skb.data = (head + (skb.data - old) + moved) as RamOffset;
  skb.head = head;
  skb.tail += moved;
  skb.end = usable;
  if (skb.mac_header !== NOT_SET) skb.mac_header += moved;
  // Of the others Linux does not ask whether they are set: one that is not becomes one that is.
  for (const header of HEADERS) skb[header] = (skb[header] + moved) & 0xffff;
  if (kernel.skbFreeHead) kernel.skbFreeHead(skb.offset, old);
  else ram.kfree(old);
  return 0;
}

/** SKB_DATA_ALIGN: whole cache lines. */
const align = (bytes: number) => Math.ceil(bytes / 64) * 64;

function allocate(take: () => RamOffset): RamOffset | undefined {
  try {
    return take();
  } catch (error) {
    if (error instanceof OutOfMemory) return undefined;
    throw error;
  }
}

/** The caller has made room. */
export function push(skb: SkBuffView, bytes: number): void {
  skb.data = (skb.data - bytes) as RamOffset;
  skb.len += bytes;
}

export function pull(skb: SkBuffView, bytes: number): void {
  skb.data = (skb.data + bytes) as RamOffset;
  skb.len -= bytes;
}

export const networkOffset = (skb: SkBuffView) => skb.head + skb.network_header - skb.data;
export const macHeaderLength = (skb: SkBuffView) => skb.network_header - skb.mac_header;

/** bpf_skb_net_hdr_push: `bytes` zeros, `at` bytes into the packet; the headers before move down. */
export function insertHeader(skb: SkBuffView, at: number, bytes: number): void {
  const { u8 } = skb.ram;
  push(skb, bytes);
  u8.copyWithin(skb.data, skb.data + bytes, skb.data + bytes + at);
  u8.fill(0, skb.data + at, skb.data + at + bytes);
  moveHeaders(skb, -bytes);
}

/** bpf_skb_net_hdr_pop. */
export function removeHeader(skb: SkBuffView, at: number, bytes: number): number {
  if (at + bytes > skb.len) return -errno.ENOMEM;
  skb.ram.u8.copyWithin(skb.data + bytes, skb.data, skb.data + at);
  pull(skb, bytes);
  moveHeaders(skb, bytes);
  return 0;
}

function moveHeaders(skb: SkBuffView, by: number): void {
  const transportIsNetwork = skb.transport_header === skb.network_header;
  skb.mac_header += by;
  skb.network_header += by;
  if (transportIsNetwork) skb.transport_header = skb.network_header;
}

/** Zeros behind the packet (bpf_skb_grow_rcsum). */
export function growTail(runtime: BpfRuntime, skb: SkBuffView, newLength: number): number {
  const by = newLength - skb.len;
  const result = ensureTailroom(runtime, skb, by);
  if (result < 0) return result;
  const end = skb.head + skb.tail;
  skb.ram.u8.fill(0, end, end + by);
  skb.tail += by;
  skb.len = newLength;
  return 0;
}

export function trim(skb: SkBuffView, newLength: number): void {
  skb.len = newLength;
  skb.tail = skb.data - skb.head + newLength;
}
