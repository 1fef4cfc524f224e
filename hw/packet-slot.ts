/**
 * Room for one packet in RAM, with the xdp_buff that a program gets, used again for each packet.
 */
import type { Ram } from '../kernel/ram/ram.ts';
import type { RamOffset } from '../kernel/types/units.ts';
import { XDP_PACKET_HEADROOM, XdpBuff, type XdpBuffView, XdpRxqInfo } from '../kernel/types/xdp.ts';

/** A page each, as in a driver without multi-buffer packets. */
const FRAME_BYTES = 4096;

export class PacketSlot {
  readonly xdp: XdpBuffView;
  /** Where a packet begins unless the program moves it. */
  readonly start: RamOffset;
  readonly #ram: Ram;
  readonly #buffer: RamOffset;
  readonly #rxq: RamOffset;
  /** What an earlier packet or its program may have left in the buffer. */
  #dirtyTo: number;

  constructor(ram: Ram, queueIndex = 0) {
    this.#ram = ram;
    this.xdp = XdpBuff.alloc(ram);
    const rxq = XdpRxqInfo.alloc(ram);
    rxq.queue_index = queueIndex;
    this.#rxq = rxq.offset;
    this.#buffer = ram.kzalloc(FRAME_BYTES);
    this.start = (this.#buffer + XDP_PACKET_HEADROOM) as RamOffset;
    this.#dirtyTo = this.start;
  }

  place(frame: Uint8Array): void {
    const { xdp, start } = this;
    const ram = this.#ram;
    // Room in front and behind holds zeros, so that a run depends on its own packet alone.
    const left = xdp.data_end > this.#dirtyTo ? xdp.data_end : this.#dirtyTo;
    ram.u8.fill(0, this.#buffer, left);
    ram.u8.set(frame, start);
    this.#dirtyTo = start + frame.length;
    xdp.data_hard_start = this.#buffer;
    xdp.data = start;
    xdp.data_meta = start;
    xdp.data_end = (start + frame.length) as RamOffset;
    xdp.rxq = this.#rxq;
    xdp.frame_sz = FRAME_BYTES;
    xdp.flags = 0;
  }

  get length(): number {
    return this.xdp.data_end - this.xdp.data;
  }

  /** The packet, valid until the next. */
  bytes(): Uint8Array {
    return this.#ram.u8.subarray(this.xdp.data, this.xdp.data_end);
  }

  free(): void {
    this.#ram.kfree(this.#buffer);
    this.#ram.kfree(this.#rxq);
    this.#ram.kfree(this.xdp.offset);
  }
}
