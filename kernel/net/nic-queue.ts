/**
 * One queue pair of the NIC driver: its rings, its receive buffers, and the poll that empties them.
 * This is the hot path: a packet that XDP drops touches a descriptor, the xdp_buff and the program.
 */
import type { ProgObject } from '../../bpf/syscall/objects.ts';
import { XDP_ABORTED, XDP_DROP, XDP_PASS, XDP_REDIRECT, XDP_TX } from '../../bpf/uapi.ts';
import {
  DESCRIPTOR_BYTES,
  DESCRIPTOR_WORDS,
  RX_HASH_WORD,
  RX_LENGTH_WORD,
  RX_STATUS_DD,
  RX_STATUS_WORD,
  TX_ADDRESS_WORD,
  TX_COMMAND,
  TX_LENGTH_WORD,
  TX_STATUS_DD,
  TX_STATUS_WORD,
} from '../../hw/nic/descriptor.ts';
import type { Nic } from '../../hw/nic/nic.ts';
import { RING_DEFAULT } from '../../hw/nic/params.ts';
import {
  RX_COMPLETION_NS,
  RX_REFILL_NS,
  XDP_HANDLING_NS,
  XDP_PROGRAM_NS,
  XDP_REDIRECT_NS,
  XDP_TX_NS,
} from '../cost/net.ts';
import { PageAllocator } from '../ram/page-allocator.ts';
import type { RamOffset } from '../types/units.ts';
import { XDP_PACKET_HEADROOM } from '../types/xdp.ts';
import type { NetDevice, XdpPage } from './device.ts';
import { ethTypeTrans } from './ethernet.ts';
import type { Napi } from './napi.ts';
import type { Net } from './net.ts';
import { PagePool } from './page-pool.ts';
import type { BufferRelease, Skb } from './skb.ts';
import { XdpRx } from './xdp-rx.ts';

/** Fresh buffers are handed to the device this many at a time (IXGBE_RX_BUFFER_WRITE, 6.1). */
const REFILL_BATCH = 16;
const RING_MASK = RING_DEFAULT - 1;

/** What a transmit descriptor's frame belongs to: an skb, or a page and who takes it back. */
type TxOwner = Skb | BufferRelease | undefined;

export class NicQueue {
  readonly stats = {
    rx_packets: 0,
    rx_bytes: 0,
    tx_packets: 0,
    tx_bytes: 0,
    /** No page for the ring. */
    rx_alloc_failed: 0,
    /** The ring had no room; the packet was dropped. */
    tx_busy: 0,
    xdp_packets: 0,
    xdp_pass: 0,
    xdp_drop: 0,
    xdp_tx: 0,
    xdp_tx_err: 0,
    xdp_redirect: 0,
    xdp_aborted: 0,
  };
  napi!: Napi;
  program: ProgObject | undefined;

  readonly #net: Net;
  readonly #nic: Nic;
  readonly #device: NetDevice;
  readonly #index: number;
  readonly #pool: PagePool;
  readonly #release: BufferRelease;
  #xdp: XdpRx | undefined;

  #rxRing = 0 as RamOffset;
  /** Page behind each receive descriptor; 0 where it has gone up with an skb. */
  readonly #rxPages = new Uint32Array(RING_DEFAULT);
  /** Next descriptor to look at, next to give to the device. */
  #rxClean = 0;
  #rxFill = 0;

  #txRing = 0 as RamOffset;
  readonly #txOwners: TxOwner[] = [];
  readonly #txPages = new Uint32Array(RING_DEFAULT);
  #txClean = 0;
  #txUse = 0;
  /** Descriptors were written since the last doorbell. */
  #txPending = false;

  constructor(net: Net, nic: Nic, device: NetDevice, index: number) {
    this.#net = net;
    this.#nic = nic;
    this.#device = device;
    this.#index = index;
    this.#pool = new PagePool(net.host.ram);
    this.#release = (head) => this.#pool.put(head);
  }

  /** Rings and buffers. Throws OutOfMemory. */
  start(): void {
    const { ram } = this.#net.host;
    const order = PageAllocator.orderFor(RING_DEFAULT * DESCRIPTOR_BYTES);
    this.#rxRing = ram.pages.alloc(order);
    this.#txRing = ram.pages.alloc(order);
    ram.u8.fill(0, this.#rxRing, this.#rxRing + RING_DEFAULT * DESCRIPTOR_BYTES);
    ram.u8.fill(0, this.#txRing, this.#txRing + RING_DEFAULT * DESCRIPTOR_BYTES);
    this.#rxClean = 0;
    this.#rxFill = 0;
    this.#txClean = 0;
    this.#txUse = 0;
    this.#nic.setRxRing(this.#index, this.#rxRing, RING_DEFAULT);
    this.#nic.setTxRing(this.#index, this.#txRing, RING_DEFAULT);
    this.#xdp = new XdpRx(ram, this.#device, this.#index, this.napi.id);
    this.#refill(RING_DEFAULT - 1);
  }

  stop(): void {
    const { ram } = this.#net.host;
    for (let i = 0; i < RING_DEFAULT; i++) {
      if (this.#rxPages[i] !== 0) this.#pool.put(this.#rxPages[i]! as RamOffset);
      this.#rxPages[i] = 0;
    }
    while (this.#txClean !== this.#txUse) this.#releaseTx();
    this.#pool.drain();
    this.#xdp?.free();
    ram.pages.free(this.#rxRing);
    ram.pages.free(this.#txRing);
  }

  arm(): void {
    const nowNs = this.#net.host.clock();
    this.#nic.armInterrupt(this.#index, this.#rxClean, this.#txClean, nowNs);
  }

  /** NAPI: at most `budget` packets. Fewer: all done, and the interrupt is armed again. */
  poll(budget: number): number {
    const { host } = this.#net;
    const nic = this.#nic;
    const { u32 } = host.ram;
    const ring = this.#rxRing >>> 2;
    let syncedNs = host.clock() as number;
    nic.sync(this.#index, syncedNs);
    this.#cleanTx();
    let work = 0;
    let unfilled = 0;
    while (work < budget) {
      const slot = this.#rxClean;
      const descriptor = ring + slot * DESCRIPTOR_WORDS;
      if ((u32[descriptor + RX_STATUS_WORD]! & RX_STATUS_DD) === 0) {
        // Time has passed with this poll's work, and the device has gone on.
        const nowNs = host.clock();
        if (nowNs === syncedNs) break;
        syncedNs = nowNs;
        nic.sync(this.#index, nowNs);
        if ((u32[descriptor + RX_STATUS_WORD]! & RX_STATUS_DD) === 0) break;
      }
      const length = u32[descriptor + RX_LENGTH_WORD]! & 0xffff;
      this.#rxClean = (slot + 1) & RING_MASK;
      work++;
      this.stats.rx_packets++;
      this.stats.rx_bytes += length;
      if (this.program === undefined) {
        host.charge(RX_COMPLETION_NS + RX_REFILL_NS);
        this.#pass(slot, XDP_PACKET_HEADROOM, length, u32[descriptor + RX_HASH_WORD]!);
      } else {
        host.charge(RX_COMPLETION_NS + RX_REFILL_NS + XDP_HANDLING_NS + XDP_PROGRAM_NS);
        this.#runXdp(this.program, slot, length, u32[descriptor + RX_HASH_WORD]!);
      }
      if (++unfilled === REFILL_BATCH) {
        this.#refill(unfilled);
        unfilled = 0;
      }
    }
    if (unfilled > 0) this.#refill(unfilled);
    this.#flushTx();
    this.#net.redirects.flush();
    if (work < budget) this.arm();
    return work;
  }

  /** The stack's transmit: takes the skb; false if it was dropped for lack of room. */
  xmit(skb: Skb): boolean {
    if (!this.#reserveTx()) {
      this.stats.tx_busy++;
      return false;
    }
    this.#queueTx(skb.data, skb.len, skb);
    this.#flushTx();
    return true;
  }

  /** A redirected frame; it goes out at the next flush. */
  xmitPage(frame: XdpPage): boolean {
    if (!this.#reserveTx()) return false;
    this.#txPages[this.#txUse] = frame.page;
    this.#queueTx(frame.data, frame.length, frame.release);
    this.#net.redirects.flushLater(this.#flush);
    return true;
  }

  readonly #flush = (): void => this.#flushTx();

  #runXdp(program: ProgObject, slot: number, length: number, hash: number): void {
    const page = this.#rxPages[slot]!;
    const xdp = this.#xdp!;
    const { stats } = this;
    stats.xdp_packets++;
    const verdict = xdp.run(program, page, page + XDP_PACKET_HEADROOM, length);
    switch (verdict) {
      case XDP_DROP:
        stats.xdp_drop++;
        return;
      case XDP_PASS:
        stats.xdp_pass++;
        this.#pass(slot, xdp.data - page, xdp.dataEnd - xdp.data, hash);
        return;
      case XDP_TX:
        this.#net.host.charge(XDP_TX_NS);
        if (this.#xdpTx(slot, xdp.data, xdp.dataEnd - xdp.data)) stats.xdp_tx++;
        else {
          stats.xdp_tx_err++;
          this.#net.xdpException(this.#device, program, verdict);
        }
        return;
      case XDP_REDIRECT:
        this.#net.host.charge(XDP_REDIRECT_NS);
        if (this.#redirect(program, page as RamOffset, xdp) < 0) break;
        this.#rxPages[slot] = 0;
        stats.xdp_redirect++;
        return;
      default:
        if (verdict !== XDP_ABORTED) this.#net.warnInvalidAction(this.#device, program, verdict);
    }
    this.#net.xdpException(this.#device, program, verdict);
    stats.xdp_aborted++;
  }

  #redirect(program: ProgObject, page: RamOffset, xdp: XdpRx): number {
    const { data, dataEnd } = xdp;
    const metaBytes = data - xdp.buff.data_meta;
    const frame = { page, data, length: dataEnd - data, metaBytes, release: this.#release };
    return this.#net.redirects.redirect(this.#device, program, frame);
  }

  /** Up the stack, with the page. */
  #pass(slot: number, headroom: number, length: number, hash: number): void {
    const page = this.#rxPages[slot]! as RamOffset;
    this.#rxPages[slot] = 0;
    const dataAt = (page + headroom) as RamOffset;
    const skb = this.#net.skbs.build(page, dataAt, length, this.#release);
    skb.view.hash = hash;
    skb.view.queue_mapping = this.#index + 1;
    skb.view.napi_id = this.napi.id;
    skb.view.skb_iif = this.#device.ifindex;
    ethTypeTrans(skb, this.#device);
    this.#net.receive(skb);
  }

  /** Buffers for `count` descriptors, then the doorbell. */
  #refill(count: number): void {
    const { u32 } = this.#net.host.ram;
    const ring = this.#rxRing >>> 2;
    for (let i = 0; i < count; i++) {
      const slot = this.#rxFill;
      let page = this.#rxPages[slot]!;
      if (page === 0) {
        page = this.#pool.get();
        this.#rxPages[slot] = page;
      }
      const descriptor = ring + slot * DESCRIPTOR_WORDS;
      u32[descriptor] = page + XDP_PACKET_HEADROOM;
      u32[descriptor + RX_HASH_WORD] = 0;
      u32[descriptor + RX_STATUS_WORD] = 0;
      this.#rxFill = (slot + 1) & RING_MASK;
    }
    this.#nic.setRxTail(this.#index, this.#rxFill, this.#net.host.clock());
  }

  #xdpTx(slot: number, data: RamOffset, length: number): boolean {
    if (!this.#reserveTx()) return false;
    this.#txPages[this.#txUse] = this.#rxPages[slot]!;
    this.#rxPages[slot] = 0;
    this.#queueTx(data, length, this.#release);
    return true;
  }

  /** Room for one more descriptor; one always stays empty. */
  #reserveTx(): boolean {
    if (((this.#txUse + 1) & RING_MASK) !== this.#txClean) return true;
    this.#nic.sync(this.#index, this.#net.host.clock());
    this.#cleanTx();
    return ((this.#txUse + 1) & RING_MASK) !== this.#txClean;
  }

  #queueTx(data: RamOffset, length: number, owner: TxOwner): void {
    const { u32 } = this.#net.host.ram;
    const descriptor = (this.#txRing >>> 2) + this.#txUse * DESCRIPTOR_WORDS;
    u32[descriptor + TX_ADDRESS_WORD] = data;
    u32[descriptor + 1] = 0;
    u32[descriptor + TX_LENGTH_WORD] = TX_COMMAND | length;
    u32[descriptor + TX_STATUS_WORD] = 0;
    this.#txOwners[this.#txUse] = owner;
    this.#txUse = (this.#txUse + 1) & RING_MASK;
    this.#txPending = true;
    this.stats.tx_packets++;
    this.stats.tx_bytes += length;
  }

  #flushTx(): void {
    if (!this.#txPending) return;
    this.#txPending = false;
    this.#nic.txDoorbell(this.#index, this.#txUse, this.#net.host.clock());
  }

  /** Take back what has been sent. */
  #cleanTx(): void {
    const { u32 } = this.#net.host.ram;
    const ring = this.#txRing >>> 2;
    while (this.#txClean !== this.#txUse) {
      const descriptor = ring + this.#txClean * DESCRIPTOR_WORDS;
      if ((u32[descriptor + TX_STATUS_WORD]! & TX_STATUS_DD) === 0) return;
      this.#releaseTx();
    }
  }

  #releaseTx(): void {
    const slot = this.#txClean;
    const owner = this.#txOwners[slot];
    if (typeof owner === 'function') owner(this.#txPages[slot]! as RamOffset);
    else if (owner) this.#net.skbs.consume(owner);
    this.#txOwners[slot] = undefined;
    this.#txClean = (slot + 1) & RING_MASK;
  }
}
