/**
 * The link between device and host: how long a transfer takes, and what has crossed it. Writes are
 * posted, and each direction carries one transfer at a time.
 */
import { PCIE } from './params.ts';

/** Bytes on the link for `bytes` of payload. */
function withHeaders(bytes: number): number {
  return bytes + Math.ceil(bytes / PCIE.maxPayloadBytes) * PCIE.headerBytes;
}

export class PcieLink {
  /** Payload moved by DMA, and doorbells rung. */
  readonly stats = { toHostBytes: 0, fromHostBytes: 0, registerWrites: 0 };
  /** When each direction is free again. */
  #upFreeNs = 0;
  #downFreeNs = 0;

  /** When a DMA write that is ready at `startNs` will have left; `commitWrite` makes it so. */
  writeEnd(startNs: number, bytes: number): number {
    const start = startNs > this.#upFreeNs ? startNs : this.#upFreeNs;
    return start + withHeaders(bytes) / PCIE.bytesPerNs;
  }

  commitWrite(endNs: number): void {
    this.#upFreeNs = endNs;
  }

  /** When descriptors have arrived, asked for at `startNs`; they are small beside frames. */
  readDescriptors(startNs: number, bytes: number): number {
    this.stats.fromHostBytes += bytes;
    return startNs + PCIE.readNs + withHeaders(bytes) / PCIE.bytesPerNs;
  }

  /** When a frame of host memory has arrived, asked for at `startNs`. Reads are pipelined. */
  readFrame(startNs: number, bytes: number): number {
    this.stats.fromHostBytes += bytes;
    const start = startNs > this.#downFreeNs ? startNs : this.#downFreeNs;
    this.#downFreeNs = start + withHeaders(bytes) / PCIE.bytesPerNs;
    return this.#downFreeNs + PCIE.readNs;
  }

  /** When the device sees a register write that the CPU makes at `nowNs`. */
  registerWrite(nowNs: number): number {
    this.stats.registerWrites++;
    return nowNs + PCIE.writeNs;
  }
}
