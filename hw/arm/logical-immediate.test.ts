import { describe, expect, it } from 'vitest';
import { decodeLogical, encodeLogical } from './logical-immediate.ts';

describe.each([
  // Runs of 1 to size - 1 ones, each in `size` rotations, of every size that fits.
  [32, 1302],
  [64, 5334],
] as const)('bitmask immediates of %i bits', (width, count) => {
  const values = new Set<bigint>();
  for (let n = 0; n <= 1; n++) {
    for (let immr = 0; immr < 64; immr++) {
      for (let imms = 0; imms < 64; imms++) {
        const value = decodeLogical(n, immr, imms, width);
        if (value !== undefined) values.add(value);
      }
    }
  }

  it('are as many as the manual’s encodings mean', () => expect(values.size).toBe(count));

  it('are encoded as what they are decoded to', () => {
    for (const value of values) {
      const { n, immr, imms } = encodeLogical(value, width)!;
      expect(decodeLogical(n, immr, imms, width)).toBe(value);
    }
  });

  it('are not what has no encoding', () => {
    const all = BigInt.asUintN(width, -1n);
    for (const value of [0n, all, 5n, 0x1234n, 0xfffn ^ 0x10n]) {
      expect(values.has(value)).toBe(false);
      expect(encodeLogical(value, width)).toBeUndefined();
    }
  });
});
