/**
 * One transmit queue. At a doorbell the device fetches the new descriptors and their frames, puts
 * them on the line one after the other, and writes each descriptor back when its frame is out.
 */
import type { Ram } from '../../kernel/ram/ram.ts';
import type { RamOffset } from '../../kernel/types/units.ts';
import {
  DESCRIPTOR_BYTES,
  DESCRIPTOR_WORDS,
  TX_ADDRESS_WORD,
  TX_LENGTH_MASK,
  TX_LENGTH_WORD,
  TX_STATUS_DD,
  TX_STATUS_WORD,
} from './descriptor.ts';
import { PCIE } from './params.ts';
import type { PcieLink } from './pcie.ts';

/** Puts a frame on the line as soon as it is free; returns when the last bit is out. */
export type Line = (readyNs: number, frame: RamOffset, lengthBytes: number) => number;

export class TxQueue {
  readonly stats = { packets: 0, bytes: 0 };
  /** Descriptors written back; the next one to be. */
  head = 0;
  /** First descriptor that is not the device's. */
  tail = 0;
  size = 0;
  readonly #ram: Ram;
  readonly #pcie: PcieLink;
  readonly #line: Line;
  #ringWord = 0;
  /** When each descriptor is written back. */
  #doneNs = new Float64Array(0);

  constructor(ram: Ram, pcie: PcieLink, line: Line) {
    this.#ram = ram;
    this.#pcie = pcie;
    this.#line = line;
  }

  setRing(ring: RamOffset, size: number): void {
    this.#ringWord = ring >>> 2;
    this.size = size;
    this.head = 0;
    this.tail = 0;
    this.#doneNs = new Float64Array(size);
  }

  /** The driver has filled the descriptors up to, not including, `tail`. */
  doorbell(tail: number, nowNs: number): void {
    const { u32 } = this.#ram;
    const count = (tail - this.tail + this.size) % this.size;
    if (count === 0) return;
    const seenNs = this.#pcie.registerWrite(nowNs);
    const fetchedNs = this.#pcie.readDescriptors(seenNs, count * DESCRIPTOR_BYTES);
    while (this.tail !== tail) {
      const descriptor = this.#ringWord + this.tail * DESCRIPTOR_WORDS;
      const length = u32[descriptor + TX_LENGTH_WORD]! & TX_LENGTH_MASK;
      const address = u32[descriptor + TX_ADDRESS_WORD]! as RamOffset;
      const sentNs = this.#line(this.#pcie.readFrame(fetchedNs, length), address, length);
      this.#doneNs[this.tail] = Math.ceil(sentNs + PCIE.writeNs);
      this.tail = this.tail + 1 === this.size ? 0 : this.tail + 1;
    }
  }

  /** When the next descriptor will be written back; Infinity if none is under way. */
  get nextDoneNs(): number {
    return this.head === this.tail ? Infinity : this.#doneNs[this.head]!;
  }

  /** Write back all descriptors whose frames are out by `nowNs`. */
  complete(nowNs: number): void {
    const { u32 } = this.#ram;
    while (this.head !== this.tail && this.#doneNs[this.head]! <= nowNs) {
      const descriptor = this.#ringWord + this.head * DESCRIPTOR_WORDS;
      this.stats.packets++;
      this.stats.bytes += u32[descriptor + TX_LENGTH_WORD]! & TX_LENGTH_MASK;
      u32[descriptor + TX_STATUS_WORD] = TX_STATUS_DD;
      this.head = this.head + 1 === this.size ? 0 : this.head + 1;
    }
  }
}
