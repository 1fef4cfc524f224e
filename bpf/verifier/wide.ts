/**
 * 64-bit values as two 32-bit halves, both int32: what states are made of, since making bigints for
 * every bound of every instruction is what verification would spend its time on. Functions come in
 * pairs (`addHi` and `addLo`), or compare; `join` makes the bigint for whoever wants one.
 */
export const SIGN = -0x8000_0000;
export const NOT_SIGN = 0x7fff_ffff;

/** The unsigned value. */
export const join = (hi: number, lo: number): bigint =>
  hi === 0 ? BigInt(lo >>> 0) : (BigInt(hi >>> 0) << 32n) | BigInt(lo >>> 0);
/** The signed value. */
export const joinSigned = (hi: number, lo: number): bigint =>
  hi === lo >> 31 ? BigInt(lo) : (BigInt(hi) << 32n) | BigInt(lo >>> 0);
export const hiOf = (value: bigint): number => Number(BigInt.asIntN(32, value >> 32n));
export const loOf = (value: bigint): number => Number(BigInt.asIntN(32, value));

/** The signed value as a number: exact below 2^53. */
export const toNumber = (hi: number, lo: number): number => hi * 0x1_0000_0000 + (lo >>> 0);

/** a < b, 32 bits unsigned. */
export const below32 = (a: number, b: number): boolean => a >>> 0 < b >>> 0;
/** a < b, unsigned. */
export const below = (aHi: number, aLo: number, bHi: number, bLo: number): boolean =>
  aHi === bHi ? aLo >>> 0 < bLo >>> 0 : aHi >>> 0 < bHi >>> 0;
/** a < b, signed. */
export const less = (aHi: number, aLo: number, bHi: number, bLo: number): boolean =>
  aHi === bHi ? aLo >>> 0 < bLo >>> 0 : aHi < bHi;

export const addLo = (aLo: number, bLo: number): number => (aLo + bLo) | 0;
export const addHi = (aHi: number, aLo: number, bHi: number, bLo: number): number =>
  (aHi + bHi + (((aLo + bLo) | 0) >>> 0 < aLo >>> 0 ? 1 : 0)) | 0;
export const subLo = (aLo: number, bLo: number): number => (aLo - bLo) | 0;
export const subHi = (aHi: number, aLo: number, bHi: number, bLo: number): number =>
  (aHi - bHi - (aLo >>> 0 < bLo >>> 0 ? 1 : 0)) | 0;

/** The lower half of a product is `Math.imul(aLo, bLo)`. */
export function mulHi(aHi: number, aLo: number, bHi: number, bLo: number): number {
  const a0 = aLo & 0xffff;
  const a1 = aLo >>> 16;
  const b0 = bLo & 0xffff;
  const b1 = bLo >>> 16;
  const middle = a1 * b0 + ((a0 * b0) >>> 16);
  const carry = ((middle % 0x1_0000) + a0 * b1) / 0x1_0000;
  const low = a1 * b1 + Math.floor(middle / 0x1_0000) + Math.floor(carry);
  return (low + Math.imul(aHi, bLo) + Math.imul(aLo, bHi)) | 0;
}

/** The upper halves of two numbers and of their sum, or difference: it does not fit in s64. */
export const sumOverflows = (a: number, b: number, sum: number): boolean =>
  ((a ^ sum) & (b ^ sum)) < 0;
export const differenceOverflows = (a: number, b: number, difference: number): boolean =>
  ((a ^ b) & (a ^ difference)) < 0;

/** Shifts by 0 to 63. */
export const lshHi = (hi: number, lo: number, bits: number): number =>
  bits === 0 ? hi : bits < 32 ? (hi << bits) | (lo >>> (32 - bits)) : lo << (bits - 32);
export const lshLo = (lo: number, bits: number): number => (bits < 32 ? lo << bits : 0);
export const rshHi = (hi: number, bits: number): number => (bits < 32 ? (hi >>> bits) | 0 : 0);
export const rshLo = (hi: number, lo: number, bits: number): number =>
  bits === 0 ? lo : bits < 32 ? (lo >>> bits) | (hi << (32 - bits)) : (hi >>> (bits - 32)) | 0;
export const arshHi = (hi: number, bits: number): number => hi >> Math.min(bits, 31);
export const arshLo = (hi: number, lo: number, bits: number): number =>
  bits < 32 ? rshLo(hi, lo, bits) : hi >> (bits - 32);

/** Bits needed to hold the value: 0 for 0, 64 for 2^63 and up. */
export const bitLength = (hi: number, lo: number): number =>
  hi !== 0 ? 64 - Math.clz32(hi) : 32 - Math.clz32(lo);
