/** Ones' complement arithmetic on 32-bit and 16-bit sums (include/net/checksum.h). */

export function csumAdd(a: number, b: number): number {
  const sum = (a >>> 0) + (b >>> 0);
  return sum > 0xffff_ffff ? (sum + 1) >>> 0 : sum;
}

export function csumSub(a: number, b: number): number {
  return csumAdd(a, ~b >>> 0);
}

export function csum16Add(a: number, b: number): number {
  const sum = a + b;
  return sum > 0xffff ? (sum + 1) & 0xffff : sum;
}

export function csum16Sub(a: number, b: number): number {
  return csum16Add(a, ~b & 0xffff);
}

/** A 32-bit sum as the 16 bits that go into a header. */
export function csumFold(sum: number): number {
  let folded = (sum & 0xffff) + (sum >>> 16);
  folded = (folded & 0xffff) + (folded >>> 16);
  return ~folded & 0xffff;
}
