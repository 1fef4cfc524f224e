/**
 * The pcapng format (draft-ietf-opsawg-pcapng): sections in either byte order, any number of
 * interfaces with their own link type and time resolution, enhanced, simple and the obsolete packet
 * blocks. Blocks of other types are skipped, as the format asks.
 */
import type { Capture, CapturedFrame } from './capture.ts';
import { CaptureError, MAX_FRAME_BYTES, knowsLinkType, toEthernet } from './capture.ts';

/** Reads the same in both byte orders. */
export const SECTION_HEADER = 0x0a0d0d0a;
const INTERFACE_DESCRIPTION = 1;
const OBSOLETE_PACKET = 2;
const SIMPLE_PACKET = 3;
const ENHANCED_PACKET = 6;
const BYTE_ORDER_MAGIC = 0x1a2b3c4d;
const OPTION_END = 0;
const OPTION_TSRESOL = 9;
const OPTION_TSOFFSET = 14;
/** Type, length, and the length again. */
const BLOCK_OVERHEAD_BYTES = 12;
/** Resolutions beyond this are no clock's, and make numbers of absurd size. */
const MAX_RESOLUTION_EXPONENT = 64;

interface Interface {
  readonly linkType: number;
  /** 0: no limit. */
  readonly snapBytes: number;
  readonly unitsPerSecond: bigint;
  readonly offsetSeconds: bigint;
}

export function readPcapng(bytes: Uint8Array, file: string): Capture {
  return new Reader(bytes, file).read();
}

class Reader {
  readonly #bytes: Uint8Array;
  readonly #view: DataView;
  readonly #file: string;
  #littleEndian = true;
  #interfaces: Interface[] = [];
  readonly #frames: CapturedFrame[] = [];
  #startNs: bigint | undefined;
  #lastNs = 0n;

  constructor(bytes: Uint8Array, file: string) {
    this.#bytes = bytes;
    this.#view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    this.#file = file;
  }

  read(): Capture {
    let at = 0;
    while (at < this.#bytes.length) at = this.#block(at);
    return { frames: this.#frames, startNs: this.#startNs ?? 0n };
  }

  /** Read the block at `at`; returns where the next one starts. */
  #block(at: number): number {
    if (at + BLOCK_OVERHEAD_BYTES > this.#bytes.length) {
      this.#fail(at, 'truncated', 'a block header is cut off');
    }
    const isSection = this.#view.getUint32(at, true) === SECTION_HEADER;
    if (isSection) this.#littleEndian = this.#byteOrder(at + 8);
    const type = this.#u32(at);
    const length = this.#u32(at + 4);
    if (length < BLOCK_OVERHEAD_BYTES || length % 4 !== 0) {
      this.#fail(at + 4, 'bad-length', `a block of ${length} bytes`);
    }
    const end = at + length;
    if (end > this.#bytes.length) {
      this.#fail(at, 'truncated', `a block of ${length} bytes is cut off`);
    }
    if (this.#u32(end - 4) !== length) {
      this.#fail(end - 4, 'bad-length', 'a block whose two lengths differ');
    }
    const body = at + 8;
    const bodyEnd = end - 4;
    if (isSection) this.#section(body, bodyEnd);
    else if (type === INTERFACE_DESCRIPTION) this.#interface(body, bodyEnd);
    else if (type === ENHANCED_PACKET || type === OBSOLETE_PACKET) {
      this.#need(body, 20, bodyEnd);
      const id = type === ENHANCED_PACKET ? this.#u32(body) : this.#u16(body);
      this.#packet(id, body + 4, body + 12, body + 20, bodyEnd);
    } else if (type === SIMPLE_PACKET) {
      this.#simplePacket(body, bodyEnd);
    }
    return end;
  }

  #byteOrder(at: number): boolean {
    if (at + 4 > this.#bytes.length) this.#fail(at, 'truncated', 'a section header is cut off');
    if (this.#view.getUint32(at, true) === BYTE_ORDER_MAGIC) return true;
    if (this.#view.getUint32(at, false) === BYTE_ORDER_MAGIC) return false;
    return this.#fail(at, 'not-a-capture', 'a section header without its byte-order magic');
  }

  #section(body: number, end: number): void {
    this.#need(body, 16, end);
    const major = this.#u16(body + 4);
    if (major !== 1) this.#fail(body + 4, 'version', `pcapng version ${major} is not known`);
    this.#interfaces = [];
  }

  #interface(body: number, end: number): void {
    this.#need(body, 8, end);
    const linkType = this.#u16(body);
    if (!knowsLinkType(linkType)) {
      this.#fail(body, 'link-type', `frames of link type ${linkType} are no packets`);
    }
    let unitsPerSecond = 1_000_000n;
    let offsetSeconds = 0n;
    for (let at = body + 8; at + 4 <= end;) {
      const code = this.#u16(at);
      const length = this.#u16(at + 2);
      const value = at + 4;
      if (code === OPTION_END) break;
      if (value + length > end) this.#fail(at, 'bad-option', 'an option longer than its block');
      if (code === OPTION_TSRESOL) {
        if (length !== 1) this.#fail(at, 'bad-option', `if_tsresol of ${length} bytes`);
        unitsPerSecond = this.#resolution(value);
      } else if (code === OPTION_TSOFFSET) {
        if (length !== 8) this.#fail(at, 'bad-option', `if_tsoffset of ${length} bytes`);
        offsetSeconds = this.#view.getBigInt64(value, this.#littleEndian);
      }
      at = value + Math.ceil(length / 4) * 4;
    }
    this.#interfaces.push({
      linkType,
      snapBytes: this.#u32(body + 4),
      unitsPerSecond,
      offsetSeconds,
    });
  }

  /** The high bit chooses between a power of ten and a power of two. */
  #resolution(at: number): bigint {
    const value = this.#bytes[at]!;
    const exponent = value & 0x7f;
    if (exponent > MAX_RESOLUTION_EXPONENT) {
      this.#fail(at, 'bad-option', `a time resolution of ${value}`);
    }
    return (value & 0x80 ? 2n : 10n) ** BigInt(exponent);
  }

  #packet(id: number, timeAt: number, lengthAt: number, dataAt: number, end: number): void {
    const source = this.#interfaces[id];
    if (!source) this.#fail(dataAt, 'no-interface', `a frame of unknown interface ${id}`);
    const units = (BigInt(this.#u32(timeAt)) << 32n) | BigInt(this.#u32(timeAt + 4));
    const timeNs =
      source.offsetSeconds * 1_000_000_000n + (units * 1_000_000_000n) / source.unitsPerSecond;
    this.#add(source, timeNs, dataAt, this.#u32(lengthAt), this.#u32(lengthAt + 4), end);
  }

  /** No interface and no time of its own: the section's first interface, the last frame's time. */
  #simplePacket(body: number, end: number): void {
    this.#need(body, 4, end);
    const source = this.#interfaces[0];
    if (!source) this.#fail(body, 'no-interface', 'a frame before any interface');
    const wire = this.#u32(body);
    const captured = source.snapBytes === 0 ? wire : Math.min(wire, source.snapBytes);
    this.#add(source, this.#lastNs, body + 4, captured, wire, end);
  }

  #add(
    source: Interface,
    timeNs: bigint,
    dataAt: number,
    captured: number,
    wire: number,
    end: number,
  ): void {
    if (captured > MAX_FRAME_BYTES || dataAt + captured > end) {
      this.#fail(dataAt, 'bad-length', `a frame of ${captured} bytes in a smaller block`);
    }
    const data = toEthernet(source.linkType, this.#bytes.slice(dataAt, dataAt + captured));
    if (!data) this.#fail(dataAt, 'bad-length', 'a frame without its headers');
    this.#startNs ??= timeNs;
    this.#lastNs = timeNs;
    this.#frames.push({
      timeNs: Number(timeNs - this.#startNs),
      data,
      wireBytes: Math.max(data.length, wire + data.length - captured),
    });
  }

  #u16(at: number): number {
    return this.#view.getUint16(at, this.#littleEndian);
  }

  #u32(at: number): number {
    return this.#view.getUint32(at, this.#littleEndian);
  }

  #need(at: number, bytes: number, end: number): void {
    if (at + bytes > end) this.#fail(at, 'bad-length', 'a block too short for its type');
  }

  #fail(at: number, problem: CaptureError['problem'], what: string): never {
    throw new CaptureError(this.#file, at, problem, what);
  }
}
