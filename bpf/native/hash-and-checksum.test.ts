import fc from 'fast-check';
import { beforeAll, describe, expect, it } from 'vitest';
import type { BareMachine } from '../../test/support/assets.ts';
import { bareMachine } from '../../test/support/assets.ts';
import type { RamOffset } from '../../kernel/types/units.ts';

let machine: BareMachine;
let buffer: RamOffset;

beforeAll(async () => {
  machine = await bareMachine({ ramMiB: 16 });
  buffer = machine.ram.kzalloc(4096);
});

const put = (bytes: Uint8Array, at = buffer) => {
  machine.ram.u8.set(bytes, at);
  return at;
};

describe('jhash', () => {
  // Bob Jenkins' own answers for lookup3 (driver5 of lookup3.c); jhash has its initial value.
  it.each([
    ['', 0, 0xdeadbeef],
    ['', 0xdeadbeef, 0xbd5b7dde],
    ['Four score and seven years ago', 0, 0x17770551],
    ['Four score and seven years ago', 1, 0xcd628161],
  ])('of %j with %d', (text, initval, hash) => {
    const bytes = new TextEncoder().encode(text);
    expect(machine.core.exports.jhash(put(bytes), bytes.length, initval) >>> 0).toBe(hash);
  });
});

/** RFC 1071 by the book: 16-bit words, carries added back. */
function onesComplementSum(bytes: Uint8Array, seed: number): number {
  let sum = (seed & 0xffff) + (seed >>> 16);
  for (let i = 0; i < bytes.length; i += 2) sum += bytes[i]! + (bytes[i + 1] ?? 0) * 256;
  while (sum > 0xffff) sum = (sum & 0xffff) + (sum >>> 16);
  return sum;
}

describe('checksums', () => {
  it('agree with RFC 1071 for any bytes at any alignment', () => {
    fc.assert(
      fc.property(
        fc.uint8Array({ maxLength: 200 }),
        fc.integer({ min: 0, max: 0xffffffff }),
        fc.nat(7),
        (bytes, seed, shift) => {
          const at = put(bytes, (buffer + shift) as RamOffset);
          const sum = machine.core.exports.csum_partial(at, bytes.length, seed);
          const expected = ~onesComplementSum(bytes, seed) & 0xffff;
          expect(machine.core.exports.csum_fold(sum)).toBe(expected);
        },
      ),
    );
  });

  it('csum_diff turns the sum over old bytes into the sum over new ones', () => {
    const words = fc.uint8Array({ minLength: 20, maxLength: 20 });
    fc.assert(
      fc.property(words, words, (old, fresh) => {
        const { csum_partial, csum_diff, csum_fold } = machine.core.exports;
        put(old);
        put(fresh, (buffer + 64) as RamOffset);
        const before = csum_partial(buffer, 20, 0);
        const after = csum_diff(buffer, 20, buffer + 64, 20, before);
        const whole = csum_partial(buffer + 64, 20, 0);
        const same = new Set([csum_fold(Number(after)), csum_fold(whole)]);
        // 0 and 0xffff are the same number in ones' complement.
        expect(same.size === 1 || (same.has(0) && same.has(0xffff))).toBe(true);
      }),
    );
  });

  it('csum_diff refuses sizes that Linux refuses', () => {
    const { csum_diff } = machine.core.exports;
    expect(csum_diff(buffer, 3, buffer, 4, 0)).toBe(-22n);
    expect(csum_diff(buffer, 256, buffer, 260, 0)).toBe(-22n);
    expect(csum_diff(buffer, 256, buffer, 256, 0)).toBeGreaterThanOrEqual(0n);
    expect(csum_diff(0, 0, 0, 0, 0x1234)).toBe(0x1234n);
  });
});
