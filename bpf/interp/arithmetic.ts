/**
 * BPF's arithmetic (RFC 9669 section 4.1), the one place where it wraps and compares.
 *
 * 64-bit values are bigints in the signed range, as a BigInt64Array holds them; 32-bit ones are
 * numbers, signed or unsigned, whose low 32 bits count. 32-bit results are unsigned.
 * Shift counts are masked to the width. Division by zero yields 0, modulo by zero the dividend;
 * the most negative number divided by -1 yields itself, modulo -1 yields 0.
 */
const { asIntN, asUintN } = BigInt;

export const add64 = (a: bigint, b: bigint): bigint => asIntN(64, a + b);
export const sub64 = (a: bigint, b: bigint): bigint => asIntN(64, a - b);
export const mul64 = (a: bigint, b: bigint): bigint => asIntN(64, a * b);
export const neg64 = (a: bigint): bigint => asIntN(64, -a);
export const lsh64 = (a: bigint, b: bigint): bigint => asIntN(64, a << (b & 63n));
export const rsh64 = (a: bigint, b: bigint): bigint => asIntN(64, asUintN(64, a) >> (b & 63n));
export const arsh64 = (a: bigint, b: bigint): bigint => a >> (b & 63n);
export const less64 = (a: bigint, b: bigint): boolean => asUintN(64, a) < asUintN(64, b);

export function div64(a: bigint, b: bigint): bigint {
  return b === 0n ? 0n : asIntN(64, asUintN(64, a) / asUintN(64, b));
}
export function mod64(a: bigint, b: bigint): bigint {
  return b === 0n ? a : asIntN(64, asUintN(64, a) % asUintN(64, b));
}
export function sdiv64(a: bigint, b: bigint): bigint {
  return b === 0n ? 0n : asIntN(64, a / b);
}
export function smod64(a: bigint, b: bigint): bigint {
  return b === 0n ? a : asIntN(64, a % b);
}

export function div32(a: number, b: number): number {
  return b >>> 0 === 0 ? 0 : ((a >>> 0) / (b >>> 0)) >>> 0;
}
export function mod32(a: number, b: number): number {
  return b >>> 0 === 0 ? a >>> 0 : (a >>> 0) % (b >>> 0);
}
export function sdiv32(a: number, b: number): number {
  return (b | 0) === 0 ? 0 : ((a | 0) / (b | 0)) >>> 0;
}
export function smod32(a: number, b: number): number {
  return (b | 0) === 0 ? a >>> 0 : ((a | 0) % (b | 0)) >>> 0;
}

export const swap16 = (a: number): number => ((a & 0xff) << 8) | ((a >>> 8) & 0xff);
export function swap32(a: number): number {
  return ((a << 24) | ((a & 0xff00) << 8) | ((a >>> 8) & 0xff00) | (a >>> 24)) >>> 0;
}
