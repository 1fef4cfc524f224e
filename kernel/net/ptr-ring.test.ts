/** The ring between XDP and a cpumap's thread. */
import fc from 'fast-check';
import { expect, it } from 'vitest';
import { PtrRing } from './ptr-ring.ts';

it('holds as much as its size, and gives it back in order', () => {
  const step = fc.oneof(fc.constant('in' as const), fc.constant('out' as const));
  fc.assert(
    fc.property(
      fc.integer({ min: 1, max: 70 }),
      fc.array(step, { maxLength: 400 }),
      (size, ops) => {
        const ring = new PtrRing<number>(size);
        const held: number[] = [];
        let next = 0;
        for (const op of ops) {
          if (op === 'out') {
            expect(ring.consume()).toBe(held.shift());
          } else {
            const taken = ring.produce(next);
            // 15 consumed slots may still be held back, in rings of 32 and more.
            const slack = size < 32 ? 0 : 15;
            if (held.length < size - slack) expect(taken).toBe(true);
            if (held.length === size) expect(taken).toBe(false);
            if (taken) held.push(next++);
          }
          expect(ring.peek()).toBe(held[0]);
        }
      },
    ),
  );
});

it('hands slots back 16 at a time where it is long', () => {
  const ring = new PtrRing<number>(32);
  for (let i = 0; i < 32; i++) ring.produce(i);
  for (let i = 0; i < 15; i++) ring.consume();
  expect(ring.produce(99)).toBe(false);
  ring.consume();
  expect(ring.produce(99)).toBe(true);

  const short = new PtrRing<number>(31);
  for (let i = 0; i < 31; i++) short.produce(i);
  short.consume();
  expect(short.produce(99)).toBe(true);
});
