/** Bytes that grow, with WebAssembly's variable-length numbers (LEB128). */

/** Bytes of a u32 whose value is filled in later. */
const PADDED_U32_BYTES = 5;
/** Room that every write makes sure of: more than a fixed-size write takes. */
const MARGIN_BYTES = 32;

export class ByteWriter {
  #bytes: Uint8Array<ArrayBuffer>;
  #length = 0;

  constructor(expectedBytes = 512) {
    this.#bytes = new Uint8Array(expectedBytes + MARGIN_BYTES);
  }

  get length(): number {
    return this.#length;
  }

  /** A view, valid until something more is written. */
  get bytes(): Uint8Array<ArrayBuffer> {
    return this.#bytes.subarray(0, this.#length);
  }

  byte(value: number): void {
    this.#makeRoom(1);
    this.#bytes[this.#length++] = value;
  }

  raw(bytes: Uint8Array): void {
    this.#makeRoom(bytes.length);
    this.#bytes.set(bytes, this.#length);
    this.#length += bytes.length;
  }

  u32(value: number): void {
    this.#makeRoom(5);
    let rest = value;
    while (rest > 0x7f) {
      this.#bytes[this.#length++] = (rest & 0x7f) | 0x80;
      rest >>>= 7;
    }
    this.#bytes[this.#length++] = rest;
  }

  s32(value: number): void {
    this.#makeRoom(5);
    let rest = value | 0;
    while (rest < -64 || rest > 63) {
      this.#bytes[this.#length++] = (rest & 0x7f) | 0x80;
      rest >>= 7;
    }
    this.#bytes[this.#length++] = rest & 0x7f;
  }

  s64(value: bigint): void {
    const number = Number(value);
    if (number === (number | 0)) {
      this.s32(number);
      return;
    }
    this.#makeRoom(10);
    let rest = BigInt.asIntN(64, value);
    while (rest < -64n || rest > 63n) {
      this.#bytes[this.#length++] = Number(rest & 0x7fn) | 0x80;
      rest >>= 7n;
    }
    this.#bytes[this.#length++] = Number(rest & 0x7fn);
  }

  f64(value: number): void {
    this.#makeRoom(8);
    new DataView(this.#bytes.buffer).setFloat64(this.#length, value, true);
    this.#length += 8;
  }

  /** Its length and its characters, which are ASCII. */
  text(value: string): void {
    this.u32(value.length);
    for (let i = 0; i < value.length; i++) this.byte(value.charCodeAt(i));
  }

  /** Leave room for a u32 that `fillU32` writes later; returns where. */
  leaveU32(): number {
    this.#makeRoom(PADDED_U32_BYTES);
    this.#length += PADDED_U32_BYTES;
    return this.#length - PADDED_U32_BYTES;
  }

  fillU32(at: number, value: number): void {
    for (let i = 0; i < PADDED_U32_BYTES; i++) {
      const isLast = i === PADDED_U32_BYTES - 1;
      this.#bytes[at + i] = ((value >>> (7 * i)) & 0x7f) | (isLast ? 0 : 0x80);
    }
  }

  #makeRoom(count: number): void {
    if (this.#length + count <= this.#bytes.length) return;
    const larger = new Uint8Array(2 * this.#bytes.length + count);
    larger.set(this.#bytes);
    this.#bytes = larger;
  }
}
