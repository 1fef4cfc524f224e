/** The Internet checksum (RFC 1071). */

/** Ones' complement sum of big-endian 16-bit words, folded; `sum` carries on from another part. */
export function sum16(bytes: Uint8Array, start: number, length: number, sum = 0): number {
  const end = start + (length & ~1);
  for (let i = start; i < end; i += 2) sum += (bytes[i]! << 8) | bytes[i + 1]!;
  if (length & 1) sum += bytes[end]! << 8;
  while (sum > 0xffff) sum = (sum & 0xffff) + Math.floor(sum / 0x10000);
  return sum;
}

/** The value to store; 0 where the data with its checksum is intact. */
export const checksum = (bytes: Uint8Array, start: number, length: number, sum = 0): number =>
  ~sum16(bytes, start, length, sum) & 0xffff;
