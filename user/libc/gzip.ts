/**
 * Reads gzip files (RFC 1952, RFC 1951): what zlib's gzopen gives.
 *
 *   gunzip(bytes)     the contents; undefined where the bytes are no gzip file, or a damaged one
 */

/** Contents larger than that come of a bomb. */
const MAX_BYTES = 64 * 1024 * 1024;

export function gunzip(bytes: Uint8Array): Uint8Array | undefined {
  const start = afterHeader(bytes);
  if (start === undefined) return undefined;
  try {
    return new Inflater(bytes, start).run();
  } catch (error) {
    if (error instanceof Damaged) return undefined;
    throw error;
  }
}

class Damaged extends Error {}

/** Flags of the header: what follows its ten bytes. */
const FEXTRA = 4;
const TEXTS = [8, 16];
const FHCRC = 2;

function afterHeader(bytes: Uint8Array): number | undefined {
  if (bytes.length < 18 || bytes[0] !== 0x1f || bytes[1] !== 0x8b || bytes[2] !== 8) {
    return undefined;
  }
  const flags = bytes[3]!;
  let at = 10;
  if (flags & FEXTRA) at += 2 + bytes[at]! + bytes[at + 1]! * 256;
  for (const flag of TEXTS) {
    if (flags & flag) at = bytes.indexOf(0, at) + 1 || bytes.length;
  }
  return flags & FHCRC ? at + 2 : at;
}

/** Smallest length or distance of each code, and the bits that follow it (RFC 1951, 3.2.5). */
const LENGTHS = codes(257, 3, (code) => (code < 8 ? 0 : code < 28 ? (code >> 2) - 1 : 0), 29);
const DISTANCES = codes(0, 1, (code) => (code < 4 ? 0 : (code >> 1) - 1), 30);

function codes(
  first: number,
  smallest: number,
  extraBits: (code: number) => number,
  count: number,
) {
  const rows = new Map<number, readonly [base: number, bits: number]>();
  let base = smallest;
  for (let code = 0; code < count; code++) {
    rows.set(first + code, [base, extraBits(code)]);
    base += 2 ** extraBits(code);
  }
  // The longest length has a code of its own.
  if (first === 257) rows.set(285, [258, 0]);
  return rows;
}

/** In which order the lengths of the code-length code are stored. */
const ORDER = [16, 17, 18, 0, 8, 7, 9, 6, 10, 5, 11, 4, 12, 3, 13, 2, 14, 1, 15];

/** A Huffman code: symbols in the order of their codes, and how many codes each length has. */
class Huffman {
  readonly #counts = new Uint16Array(16);
  readonly #symbols: number[];

  constructor(lengths: readonly number[]) {
    for (const length of lengths) if (length > 0) this.#counts[length]!++;
    this.#symbols = [...lengths.keys()]
      .filter((symbol) => lengths[symbol]! > 0)
      .sort((a, b) => lengths[a]! - lengths[b]! || a - b);
  }

  read(bit: () => number): number {
    let code = 0;
    let first = 0;
    let index = 0;
    for (let length = 1; length < 16; length++) {
      code = code * 2 + bit();
      const count = this.#counts[length]!;
      if (code - first < count) return this.#symbols[index + code - first]!;
      index += count;
      first = (first + count) * 2;
    }
    throw new Damaged();
  }
}

class Inflater {
  readonly #bytes: Uint8Array;
  #at: number;
  #bit = 0;
  #out = new Uint8Array(4096);
  #length = 0;

  constructor(bytes: Uint8Array, start: number) {
    this.#bytes = bytes;
    this.#at = start;
  }

  run(): Uint8Array {
    for (let last = 0; last === 0;) {
      last = this.#bits(1);
      const type = this.#bits(2);
      if (type === 0) this.#stored();
      else if (type === 1) this.#compressed(FIXED.literals, FIXED.distances);
      else if (type === 2) this.#dynamic();
      else throw new Damaged();
    }
    return this.#out.slice(0, this.#length);
  }

  readonly #nextBit = (): number => {
    const byte = this.#bytes[this.#at];
    if (byte === undefined) throw new Damaged();
    const value = (byte >> this.#bit) & 1;
    this.#bit = (this.#bit + 1) & 7;
    if (this.#bit === 0) this.#at++;
    return value;
  };

  #bits(count: number): number {
    let value = 0;
    for (let at = 0; at < count; at++) value |= this.#nextBit() << at;
    return value;
  }

  #put(byte: number): void {
    if (this.#length >= MAX_BYTES) throw new Damaged();
    if (this.#length === this.#out.length) {
      const grown = new Uint8Array(this.#out.length * 2);
      grown.set(this.#out);
      this.#out = grown;
    }
    this.#out[this.#length++] = byte;
  }

  #stored(): void {
    if (this.#bit > 0) this.#at++;
    this.#bit = 0;
    const length = this.#bits(16);
    if ((length ^ this.#bits(16)) !== 0xffff) throw new Damaged();
    if (this.#at + length > this.#bytes.length) throw new Damaged();
    for (const end = this.#at + length; this.#at < end; this.#at++)
      this.#put(this.#bytes[this.#at]!);
  }

  #dynamic(): void {
    const [literalCount, distanceCount, orderCount] = [
      this.#bits(5) + 257,
      this.#bits(5) + 1,
      this.#bits(4) + 4,
    ];
    const orderLengths = new Array<number>(19).fill(0);
    for (const symbol of ORDER.slice(0, orderCount)) orderLengths[symbol] = this.#bits(3);
    const lengthCode = new Huffman(orderLengths);
    const lengths: number[] = [];
    while (lengths.length < literalCount + distanceCount) {
      const symbol = lengthCode.read(this.#nextBit);
      if (symbol < 16) lengths.push(symbol);
      else if (symbol === 16) lengths.push(...repeated(lengths.at(-1), 3 + this.#bits(2)));
      else lengths.push(...repeated(0, symbol === 17 ? 3 + this.#bits(3) : 11 + this.#bits(7)));
    }
    const literals = new Huffman(lengths.slice(0, literalCount));
    const end = literalCount + distanceCount;
    this.#compressed(literals, new Huffman(lengths.slice(literalCount, end)));
  }

  #compressed(literals: Huffman, distances: Huffman): void {
    const END = 256;
    for (;;) {
      const symbol = literals.read(this.#nextBit);
      if (symbol === END) return;
      if (symbol < END) {
        this.#put(symbol);
        continue;
      }
      const length = this.#value(LENGTHS.get(symbol));
      const distance = this.#value(DISTANCES.get(distances.read(this.#nextBit)));
      if (distance > this.#length) throw new Damaged();
      for (let at = 0; at < length; at++) this.#put(this.#out[this.#length - distance]!);
    }
  }

  #value(row: readonly [base: number, bits: number] | undefined): number {
    if (row === undefined) throw new Damaged();
    return row[0] + this.#bits(row[1]);
  }
}

function repeated(value: number | undefined, count: number): number[] {
  if (value === undefined) throw new Damaged();
  return new Array<number>(count).fill(value);
}

const filled = (...runs: readonly (readonly [length: number, count: number])[]) =>
  runs.flatMap(([length, count]) => repeated(length, count));

/** RFC 1951, 3.2.6. */
const FIXED = {
  literals: new Huffman(filled([8, 144], [9, 112], [7, 24], [8, 8])),
  distances: new Huffman(filled([5, 30])),
};
