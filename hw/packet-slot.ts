/**
 * Room for one packet in RAM, with the xdp_buff that a program gets, used again for each packet.
 */
import type { Ram } from '../kernel/ram/ram.ts';
import { NetDeviceStruct } from '../kernel/types/net-device.ts';
import type { RamOffset } from '../kernel/types/units.ts';
import { XDP_PACKET_HEADROOM, XdpBuff, type XdpBuffView, XdpRxqInfo } from '../kernel/types/xdp.ts';

/** A page each, as in a driver without multi-buffer packets. */
const FRAME_BYTES = 4096;

/** Where packets can come in. */
export interface Port {
  readonly ifindex: number;
  readonly queue: number;
}

export const FIRST_PORT: Port = { ifindex: 1, queue: 0 };

export class PacketSlot {
  readonly xdp: XdpBuffView;
  /** Where a packet begins unless the program moves it. */
  readonly start: RamOffset;
  readonly #ram: Ram;
  readonly #buffer: RamOffset;
  /** Struct xdp_rxq_info of each port, and their devices. */
  readonly #rxqs: RamOffset[] = [];
  readonly #devices: RamOffset[] = [];
  /** End of what an earlier packet may have left in the buffer. */
  #dirtyTo: number;

  constructor(ram: Ram, ports: readonly Port[] = [FIRST_PORT]) {
    this.#ram = ram;
    this.xdp = XdpBuff.alloc(ram);
    for (const { ifindex, queue } of ports) {
      const device = NetDeviceStruct.alloc(ram);
      device.ifindex = ifindex;
      const rxq = XdpRxqInfo.alloc(ram);
      rxq.dev = device.offset;
      rxq.queue_index = queue;
      this.#devices.push(device.offset);
      this.#rxqs.push(rxq.offset);
    }
    this.#buffer = ram.kzalloc(FRAME_BYTES);
    this.start = (this.#buffer + XDP_PACKET_HEADROOM) as RamOffset;
    this.#dirtyTo = this.start;
  }

  /** @param port index of one of the ports */
  place(frame: Uint8Array, port = 0): void {
    const { xdp, start } = this;
    const { u8 } = this.#ram;
    // Room in front and behind holds zeros, so that a run depends on its own packet alone.
    u8.fill(0, this.#buffer, Math.max(xdp.data_end, this.#dirtyTo));
    u8.set(frame, start);
    this.#dirtyTo = start + frame.length;
    xdp.data_hard_start = this.#buffer;
    xdp.data = start;
    xdp.data_meta = start;
    xdp.data_end = (start + frame.length) as RamOffset;
    xdp.rxq = this.#rxqs[port]!;
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
    const parts = [this.#buffer, this.xdp.offset, ...this.#rxqs, ...this.#devices];
    for (const part of parts) this.#ram.kfree(part);
  }
}
