import fc from 'fast-check';
import { expect, it } from 'vitest';
import { Histogram } from './histogram.ts';

it('percentiles are at most a class too high', () => {
  const values = fc.array(fc.nat({ max: 1 << 30 }), { minLength: 1, maxLength: 200 });
  fc.assert(
    fc.property(values, fc.double({ min: 0.001, max: 1, noNaN: true }), (list, part) => {
      const histogram = new Histogram();
      for (const value of list) histogram.add(value);
      const exact = list.toSorted((a, b) => a - b)[Math.ceil(part * list.length) - 1]!;
      const shown = histogram.percentile(part);
      expect(shown).toBeGreaterThanOrEqual(exact);
      expect(shown).toBeLessThanOrEqual(exact * (1 + 1 / 64) + 1);
      expect(histogram.mean).toBeCloseTo(list.reduce((a, b) => a + b) / list.length, 3);
    }),
  );
});
