/**
 * 64- and 32-bit integer helpers of the verifier. 64-bit values are bigints that always lie in the
 * range of their C type (u64: 0 … 2^64-1, s64: -2^63 … 2^63-1); 32-bit ones are numbers.
 */
export const U64_MAX = 0xffff_ffff_ffff_ffffn;
export const S64_MIN = -0x8000_0000_0000_0000n;
export const S64_MAX = 0x7fff_ffff_ffff_ffffn;
export const U32_MAX = 0xffff_ffff;
export const S32_MIN = -0x8000_0000;
export const S32_MAX = 0x7fff_ffff;

export const u64 = (value: bigint): bigint => BigInt.asUintN(64, value);
export const s64 = (value: bigint): bigint => BigInt.asIntN(64, value);
export const u32 = (value: number): number => value >>> 0;
export const s32 = (value: number): number => value | 0;
export const low32 = (value: bigint): number => Number(BigInt.asUintN(32, value));

export const maxBig = (a: bigint, b: bigint): bigint => (a > b ? a : b);
export const minBig = (a: bigint, b: bigint): bigint => (a < b ? a : b);

export const fitsS64 = (value: bigint): boolean => value >= S64_MIN && value <= S64_MAX;
export const fitsU64 = (value: bigint): boolean => value >= 0n && value <= U64_MAX;
export const fitsS32 = (value: bigint): boolean => value >= -0x8000_0000n && value <= 0x7fff_ffffn;

/** Bits needed to hold `value`: 0 for 0, 64 for 2^63 and up. */
export function bitLength(value: bigint): number {
  const high = Number(value >> 32n);
  return high !== 0 ? 64 - Math.clz32(high) : 32 - Math.clz32(Number(value & 0xffff_ffffn));
}
