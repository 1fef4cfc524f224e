/**
 * Socket buffers: a struct sk_buff in RAM and the object that kernel code handles it by.
 *
 *   skbs.build(page, dataAt, length, release)   around a received frame, without a copy
 *   skbs.alloc(bytes, headroom)                 a buffer of its own, empty
 *   skb.push(n), pull(n), put(n)                move data's start down or up, data's end up
 *   skbs.consume(skb), skbs.drop(skb, reason)   the end: done with, or dropped and traced
 *
 * Objects and structs are reused, so handling a packet allocates nothing on the host.
 */
import type { Ram } from '../ram/ram.ts';
import {
  CHECKSUM_NONE,
  SKB_HEAD_FRAG,
  SKB_IP_SUMMED_MASK,
  SKB_PKT_TYPE_MASK,
  SkBuff,
} from '../types/skbuff.ts';
import type { SkBuffView } from '../types/skbuff.ts';
import type { RamOffset } from '../types/units.ts';
import { Bug } from '../types/units.ts';
import { PAGE_SIZE } from '../ram/ram.ts';
import { SKB_SHARED_INFO_BYTES } from '../types/xdp.ts';
import type { NetDevice } from './device.ts';
import type { DropReason, NetTracepoints } from './net-events.ts';

/** Gives a buffer back to where it came from. */
export type BufferRelease = (head: RamOffset) => void;

export class Skb {
  readonly view: SkBuffView;
  readonly ram: Ram;
  #dev!: NetDevice;
  release: BufferRelease | undefined;

  constructor(ram: Ram) {
    this.ram = ram;
    this.view = SkBuff.alloc(ram);
  }

  get offset(): RamOffset {
    return this.view.offset;
  }

  get dev(): NetDevice {
    return this.#dev;
  }

  set dev(dev: NetDevice) {
    this.#dev = dev;
    this.view.dev = dev.offset;
  }

  get len(): number {
    return this.view.len;
  }

  get data(): RamOffset {
    return this.view.data;
  }

  get headroom(): number {
    return this.view.data - this.view.head;
  }

  get tailroom(): number {
    return this.view.end - this.view.tail;
  }

  /** Where the Ethernet header starts. */
  get macHeader(): RamOffset {
    return (this.view.head + this.view.mac_header) as RamOffset;
  }

  /** The packet's bytes, a view. */
  bytes(): Uint8Array<ArrayBuffer> {
    return this.ram.bytes(this.view.data, this.view.len);
  }

  /** EtherType as a number; the struct has it in network order. */
  get protocol(): number {
    return swap16(this.view.protocol);
  }

  set protocol(protocol: number) {
    this.view.protocol = swap16(protocol);
  }

  get pktType(): number {
    return this.view.bits128 & SKB_PKT_TYPE_MASK;
  }

  set pktType(type: number) {
    this.view.bits128 = (this.view.bits128 & ~SKB_PKT_TYPE_MASK) | type;
  }

  /** Room in front of the data becomes data. */
  push(bytes: number): RamOffset {
    const { view } = this;
    view.data = (view.data - bytes) as RamOffset;
    if (view.data < view.head) throw new Bug('skb_under_panic');
    view.len += bytes;
    return view.data;
  }

  /** Data at the start is done with. */
  pull(bytes: number): void {
    const { view } = this;
    if (bytes > view.len) throw new Bug(`skb_pull of ${bytes} in ${view.len}`);
    view.data = (view.data + bytes) as RamOffset;
    view.len -= bytes;
  }

  /** Room behind the data becomes data; returns where it starts. */
  put(bytes: number): RamOffset {
    const { view } = this;
    const at = view.head + view.tail;
    view.tail += bytes;
    if (view.tail > view.end) throw new Bug('skb_over_panic');
    view.len += bytes;
    return at as RamOffset;
  }

  /** Cut to `bytes`. */
  trim(bytes: number): void {
    const { view } = this;
    view.len = bytes;
    view.tail = view.data - view.head + bytes;
  }
}

export const swap16 = (value: number): number => ((value & 0xff) << 8) | (value >> 8);

export class SkbAllocator {
  readonly #ram: Ram;
  readonly #tracepoints: NetTracepoints;
  readonly #free: Skb[] = [];
  readonly #kfree: BufferRelease;
  /** Buffers in use. */
  live = 0;

  constructor(ram: Ram, tracepoints: NetTracepoints) {
    this.#ram = ram;
    this.#tracepoints = tracepoints;
    this.#kfree = (head) => ram.kfree(head);
  }

  /** A frame of `length` bytes at `dataAt` in the page at `page`. */
  build(page: RamOffset, dataAt: RamOffset, length: number, release: BufferRelease): Skb {
    const skb = this.#take(page, PAGE_SIZE, release);
    const { view } = skb;
    view.data = dataAt;
    view.tail = dataAt - page + length;
    view.len = length;
    view.bits126 = SKB_HEAD_FRAG;
    return skb;
  }

  /** Room for `bytes` of data behind `headroom`. Throws OutOfMemory. */
  alloc(bytes: number, headroom: number): Skb {
    const size = headroom + bytes + SKB_SHARED_INFO_BYTES;
    const head = this.#ram.kzalloc(size);
    const skb = this.#take(head, size, this.#kfree);
    skb.view.data = (head + headroom) as RamOffset;
    skb.view.tail = headroom;
    return skb;
  }

  consume(skb: Skb): void {
    const { consumeSkb } = this.#tracepoints;
    if (consumeSkb.enabled) consumeSkb.fire(skb);
    this.#give(skb);
  }

  drop(skb: Skb, reason: DropReason): void {
    const { kfreeSkb } = this.#tracepoints;
    if (kfreeSkb.enabled) kfreeSkb.fire(skb, 0 as RamOffset, reason);
    this.#give(skb);
  }

  /** The frame goes on without its sk_buff; the buffer is the caller's from here. */
  release(skb: Skb): void {
    skb.release = undefined;
    this.#give(skb);
  }

  #take(head: RamOffset, size: number, release: BufferRelease): Skb {
    const skb = this.#free.pop() ?? new Skb(this.#ram);
    const { view } = skb;
    this.#ram.u8.fill(0, view.offset, view.offset + SkBuff.size);
    view.head = head;
    view.end = size - SKB_SHARED_INFO_BYTES;
    this.#ram.u8.fill(0, head + view.end, head + size);
    view.truesize = size + SkBuff.size;
    view.users = 1;
    // No header found yet: (typeof(skb->mac_header))~0U.
    view.mac_header = 0xffff;
    view.transport_header = 0xffff;
    view.bits128 = (CHECKSUM_NONE << 5) & SKB_IP_SUMMED_MASK;
    skb.release = release;
    this.live++;
    return skb;
  }

  #give(skb: Skb): void {
    skb.release?.(skb.view.head);
    skb.release = undefined;
    this.live--;
    this.#free.push(skb);
  }
}
