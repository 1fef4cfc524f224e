/**
 * The Toeplitz hash of receive-side scaling (Microsoft, "RSS hashing functions"; 82599 datasheet
 * 7.1.2.8.1), by table: one XOR a byte of input.
 */

/** Bytes hashed for IPv6 with ports: two addresses of 16, two ports of 2. */
const MAX_INPUT_BYTES = 36;
export const RSS_KEY_BYTES = 40;

/** The key of Microsoft's verification suite ("Verifying the RSS hash calculation"). */
export const DEFAULT_RSS_KEY: readonly number[] = [
  0x6d, 0x5a, 0x56, 0xda, 0x25, 0x5b, 0x0e, 0xc2, 0x41, 0x67, 0x25, 0x3d, 0x43, 0xa3, 0x8f, 0xb0,
  0xd0, 0xca, 0x2b, 0xcb, 0xae, 0x7b, 0x30, 0xb4, 0x77, 0xcb, 0x2d, 0xa3, 0x80, 0x30, 0xf2, 0x0c,
  0x6a, 0x42, 0xb7, 0x3b, 0xbe, 0xac, 0x01, 0xfa,
];

/** For each input position, what each value of that byte adds: `table[position * 256 + byte]`. */
export type ToeplitzTable = Uint32Array;

export function toeplitzTable(key: readonly number[] | Uint8Array): ToeplitzTable {
  const table = new Uint32Array(MAX_INPUT_BYTES * 256);
  const keyBit = (bit: number) => (key[bit >> 3]! >> (7 - (bit & 7))) & 1;
  /** 32 bits of the key from `bit` on. */
  const window = (bit: number) => {
    let value = 0;
    for (let i = 0; i < 32; i++) value = (value << 1) | keyBit(bit + i);
    return value >>> 0;
  };
  for (let position = 0; position < MAX_INPUT_BYTES; position++) {
    const windows = Array.from({ length: 8 }, (_, bit) => window(position * 8 + bit));
    for (let byte = 0; byte < 256; byte++) {
      let hash = 0;
      for (let bit = 0; bit < 8; bit++) if (byte & (0x80 >> bit)) hash ^= windows[bit]!;
      table[position * 256 + byte] = hash;
    }
  }
  return table;
}

/** Hash of `count` bytes at `at`, taken as the input from `position` on. */
export function toeplitz(
  table: ToeplitzTable,
  bytes: Uint8Array,
  at: number,
  count: number,
  position = 0,
): number {
  let hash = 0;
  for (let i = 0; i < count; i++) hash ^= table[((position + i) << 8) | bytes[at + i]!]!;
  return hash >>> 0;
}
