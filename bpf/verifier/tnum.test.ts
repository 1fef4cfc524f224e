import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { u64 } from './int.ts';
import {
  addTnum,
  andTnum,
  arshTnum,
  castTnum,
  constTnum,
  intersectTnum,
  lshTnum,
  mulTnum,
  orTnum,
  rangeTnum,
  rshTnum,
  subTnum,
  tnum,
  tnumHolds,
  tnumText,
  xorTnum,
  type Tnum,
} from './tnum.ts';

const word = fc.oneof(
  fc.bigInt({ min: 0n, max: (1n << 64n) - 1n }),
  fc.bigInt({ min: 0n, max: 255n }),
);
/** A tnum and a value of it. */
const known = fc
  .tuple(word, word)
  .map(([value, mask]): readonly [Tnum, bigint] => [tnum(value & ~mask, mask), value]);
const has = (t: Tnum, value: bigint): boolean => (u64(value) & ~t.mask) === t.value;

describe('tnums', () => {
  it('hold every result', () => {
    fc.assert(
      fc.property(known, known, fc.nat(63), ([a, x], [b, y], bits) => {
        const shift = BigInt(bits);
        expect(has(addTnum(a, b), x + y)).toBe(true);
        expect(has(subTnum(a, b), x - y)).toBe(true);
        expect(has(mulTnum(a, b), x * y)).toBe(true);
        expect(has(andTnum(a, b), x & y)).toBe(true);
        expect(has(orTnum(a, b), x | y)).toBe(true);
        expect(has(xorTnum(a, b), x ^ y)).toBe(true);
        expect(has(lshTnum(a, bits), x << shift)).toBe(true);
        expect(has(rshTnum(a, bits), x >> shift)).toBe(true);
        expect(has(arshTnum(a, bits, 64), BigInt.asIntN(64, x) >> shift)).toBe(true);
        const low = BigInt.asIntN(32, x) >> (shift & 31n);
        expect(has(arshTnum(castTnum(a, 4), bits & 31, 32), BigInt.asUintN(32, low))).toBe(true);
        expect(has(castTnum(a, 2), x & 0xffffn)).toBe(true);
        if (has(b, x)) expect(has(intersectTnum(a, b), x)).toBe(true);
      }),
      { numRuns: 2000, seed: 7 },
    );
  });

  it('of a range hold what is in it', () => {
    fc.assert(
      fc.property(word, word, word, (a, b, c) => {
        const [min, at, max] = [a, b, c].sort((x, y) => (x < y ? -1 : 1)) as [
          bigint,
          bigint,
          bigint,
        ];
        expect(has(rangeTnum(min, max), at)).toBe(true);
      }),
      { numRuns: 1000, seed: 8 },
    );
  });

  it('include each other where one allows more', () => {
    const byte = rangeTnum(0n, 255n);
    expect(tnumHolds(byte, constTnum(7n))).toBe(true);
    expect(tnumHolds(byte, constTnum(256n))).toBe(false);
    expect(tnumHolds(constTnum(7n), byte)).toBe(false);
    expect(tnumText(byte)).toBe('(0x0; 0xff)');
  });
});
