/**
 * SipHash-2-4 with 64 bits of result (Aumasson and Bernstein, 2012), which Linux makes SYN cookies
 * and other things with that others must not guess.
 */
export interface SipKey {
  readonly low: bigint;
  readonly high: bigint;
}

const rotate = (value: bigint, by: bigint): bigint =>
  BigInt.asUintN(64, (value << by) | (value >> (64n - by)));
const add = (a: bigint, b: bigint): bigint => BigInt.asUintN(64, a + b);

export function siphash(bytes: Uint8Array, key: SipKey): bigint {
  let v0 = key.low ^ 0x736f6d6570736575n;
  let v1 = key.high ^ 0x646f72616e646f6dn;
  let v2 = key.low ^ 0x6c7967656e657261n;
  let v3 = key.high ^ 0x7465646279746573n;
  const round = (): void => {
    v0 = add(v0, v1);
    v1 = rotate(v1, 13n) ^ v0;
    v0 = rotate(v0, 32n);
    v2 = add(v2, v3);
    v3 = rotate(v3, 16n) ^ v2;
    v0 = add(v0, v3);
    v3 = rotate(v3, 21n) ^ v0;
    v2 = add(v2, v1);
    v1 = rotate(v1, 17n) ^ v2;
    v2 = rotate(v2, 32n);
  };
  const whole = bytes.length - (bytes.length % 8);
  // The last word holds what is left, and the length in its top byte.
  const last = new Uint8Array(8);
  last.set(bytes.subarray(whole));
  last[7] = bytes.length & 0xff;
  const words = [bytes.subarray(0, whole), last];
  for (const part of words) {
    const view = new DataView(part.buffer, part.byteOffset, part.length);
    for (let at = 0; at < part.length; at += 8) {
      const word = view.getBigUint64(at, true);
      v3 ^= word;
      round();
      round();
      v0 ^= word;
    }
  }
  v2 ^= 0xffn;
  for (let i = 0; i < 4; i++) round();
  return v0 ^ v1 ^ v2 ^ v3;
}
