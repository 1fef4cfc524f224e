/**
 * One receive queue: frames that have reached the device wait here until the host's time has come
 * to where their DMA is done; then they fill the next descriptor, or are dropped if the driver has
 * provided none.
 */
import type { Ram } from '../../kernel/ram/ram.ts';
import type { RamOffset } from '../../kernel/types/units.ts';
import {
  DESCRIPTOR_WORDS,
  RX_ADDRESS_WORD,
  RX_HASH_WORD,
  RX_LENGTH_WORD,
  RX_STATUS_DD,
  RX_STATUS_EOP,
  RX_STATUS_WORD,
} from './descriptor.ts';
import type { FrameStore } from './frames.ts';
import type { PcieLink } from './pcie.ts';

/** Copies longer than this pay for the call that copies a block. */
const WORD_COPY_MAX_BYTES = 256;

export class RxQueue {
  readonly stats = {
    packets: 0,
    bytes: 0,
    /** Dropped because the ring had no buffer. */
    missed: 0,
  };
  /** Next descriptor that the device fills. */
  head = 0;
  /** First descriptor that is not the device's; the driver's doorbell moves it. */
  tail = 0;
  size = 0;

  readonly #ram: Ram;
  readonly #pcie: PcieLink;
  #ringWord = 0;

  /** Frames under way, a circular buffer of parallel arrays. */
  #capacity = 256;
  #first = 0;
  #count = 0;
  #visibleNs = new Float64Array(this.#capacity);
  #start = new Uint32Array(this.#capacity);
  #length = new Uint32Array(this.#capacity);
  #hash = new Uint32Array(this.#capacity);
  #store: (FrameStore | undefined)[] = [];

  constructor(ram: Ram, pcie: PcieLink) {
    this.#ram = ram;
    this.#pcie = pcie;
  }

  get pending(): number {
    return this.#count;
  }

  /** When the next frame is in host memory; Infinity: none is under way. */
  get nextNs(): number {
    return this.#count > 0 ? this.#visibleNs[this.#first]! : Infinity;
  }

  /** `size` descriptors (a power of two) at `ring`; none of them is the device's yet. */
  setRing(ring: RamOffset, size: number): void {
    this.#ringWord = ring >>> 2;
    this.size = size;
    this.head = 0;
    this.tail = 0;
    this.#count = 0;
  }

  push(visibleNs: number, store: FrameStore, start: number, length: number, hash: number): void {
    if (this.#count === this.#capacity) this.#grow();
    const at = (this.#first + this.#count) & (this.#capacity - 1);
    this.#visibleNs[at] = visibleNs;
    this.#store[at] = store;
    this.#start[at] = start;
    this.#length[at] = length;
    this.#hash[at] = hash;
    this.#count++;
  }

  /** Do the DMA of all frames that are in host memory by `nowNs`. */
  deliver(nowNs: number): void {
    while (this.#count > 0 && this.#visibleNs[this.#first]! <= nowNs) {
      const at = this.#first;
      if (this.head === this.tail) this.stats.missed++;
      else this.#write(at);
      this.#first = (at + 1) & (this.#capacity - 1);
      this.#count--;
    }
  }

  #write(at: number): void {
    const { u32, u8 } = this.#ram;
    const descriptor = this.#ringWord + this.head * DESCRIPTOR_WORDS;
    const address = u32[descriptor + RX_ADDRESS_WORD]!;
    const length = this.#length[at]!;
    const start = this.#start[at]!;
    const store = this.#store[at]!;
    if (length <= WORD_COPY_MAX_BYTES && (address & 3) === 0) {
      const { words } = store;
      const to = address >>> 2;
      const from = start >>> 2;
      const count = (length + 3) >>> 2;
      for (let i = 0; i < count; i++) u32[to + i] = words[from + i]!;
    } else {
      u8.set(store.bytes.subarray(start, start + length), address);
    }
    u32[descriptor] = 0;
    u32[descriptor + RX_HASH_WORD] = this.#hash[at]!;
    u32[descriptor + RX_STATUS_WORD] = RX_STATUS_DD | RX_STATUS_EOP;
    u32[descriptor + RX_LENGTH_WORD] = length;
    this.head = this.head + 1 === this.size ? 0 : this.head + 1;
    this.stats.packets++;
    this.stats.bytes += length;
    this.#pcie.stats.toHostBytes += length;
  }

  #grow(): void {
    const old = this.#capacity;
    const capacity = old * 2;
    const unroll = <T extends Float64Array | Uint32Array>(from: T, to: T): T => {
      for (let i = 0; i < old; i++) to[i] = from[(this.#first + i) & (old - 1)]!;
      return to;
    };
    this.#visibleNs = unroll(this.#visibleNs, new Float64Array(capacity));
    this.#start = unroll(this.#start, new Uint32Array(capacity));
    this.#length = unroll(this.#length, new Uint32Array(capacity));
    this.#hash = unroll(this.#hash, new Uint32Array(capacity));
    this.#store = Array.from({ length: old }, (_, i) => this.#store[(this.#first + i) & (old - 1)]);
    this.#first = 0;
    this.#capacity = capacity;
  }
}
