/**
 * The bitmask immediates of and, orr, eor and ands (Arm ARM, DecodeBitMasks): an element of 2 to 64
 * bits, repeated, that is a run of ones rotated.
 *
 *   encodeLogical(value, width)            N:immr:imms, undefined for what has no encoding
 *   decodeLogical(n, immr, imms, width)    and back; undefined for what is reserved
 */
export interface LogicalImmediate {
  readonly n: number;
  readonly immr: number;
  readonly imms: number;
}

const ones = (count: number): bigint => (1n << BigInt(count)) - 1n;

const rotateRight = (value: bigint, by: number, size: number): bigint =>
  ((value >> BigInt(by)) | (value << BigInt(size - by))) & ones(size);

/** @param value of which the lower `width` bits count */
export function encodeLogical(value: bigint, width: 32 | 64): LogicalImmediate | undefined {
  const bits = BigInt.asUintN(width, value);
  if (bits === 0n || bits === ones(width)) return undefined;
  let size: number = width;
  while (size > 2) {
    const half = size / 2;
    if ((bits & ones(half)) !== ((bits >> BigInt(half)) & ones(half))) break;
    size = half;
  }
  const element = bits & ones(size);
  const count = popcount(element);
  const run = ones(count);
  for (let immr = 0; immr < size; immr++) {
    if (rotateRight(run, immr, size) !== element) continue;
    const n = size === 64 ? 1 : 0;
    return { n, immr, imms: (-(2 * size) & 0x3f) | (count - 1) };
  }
  return undefined;
}

export function decodeLogical(
  n: number,
  immr: number,
  imms: number,
  width: 32 | 64,
): bigint | undefined {
  const selector = (n << 6) | (~imms & 0x3f);
  const length = 31 - Math.clz32(selector);
  if (length < 1) return undefined;
  const size = 1 << length;
  if (size > width) return undefined;
  const count = (imms & (size - 1)) + 1;
  if (count === size) return undefined;
  const element = rotateRight(ones(count), immr & (size - 1), size);
  let value = 0n;
  for (let at = 0; at < width; at += size) value |= element << BigInt(at);
  return value;
}

function popcount(value: bigint): number {
  let count = 0;
  for (let rest = value; rest !== 0n; rest &= rest - 1n) count++;
  return count;
}
