/** HeldRefs against a plain array. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { HeldRefs } from './held-refs.ts';
import type { Reference } from './state.ts';

/** Negative: acquire; else: release the one at this index, modulo how many there are. */
const steps = fc.array(fc.oneof(fc.constant(-1), fc.nat(5000)), { maxLength: 3000, size: 'max' });

describe('the references that a frame holds', () => {
  it('are those of a list, and earlier lists stay what they were', () => {
    fc.assert(
      fc.property(steps, fc.nat(1500), (actions, before) => {
        let held = HeldRefs.NONE;
        let list: Reference[] = [];
        const kept: [HeldRefs, Reference[]][] = [];
        const acquire = (id: number): void => {
          held = held.with({ id, insn: 0, callbackFrame: 0 });
          list = [...list, { id, insn: 0, callbackFrame: 0 }];
        };
        for (let id = 1; id <= before; id++) acquire(id);
        actions.forEach((action, i) => {
          if (i % 100 === 0) kept.push([held, list]);
          if (action < 0 || list.length === 0) {
            acquire(10_000 + i);
            return;
          }
          const index = action % list.length;
          held = held.without(index);
          list = list.slice();
          const last = list.pop()!;
          if (index < list.length) list[index] = last;
        });
        for (const [refs, wanted] of [...kept, [held, list] as const]) {
          expect([...refs]).toEqual(wanted);
          if (wanted.length > 0) expect(refs.indexOf(wanted[0]!.id)).toBe(0);
        }
        const again = list.reduce((refs, ref) => refs.with({ ...ref }), HeldRefs.NONE);
        expect(held.equals(again)).toBe(true);
        const other = again.with({ id: -1, insn: 0, callbackFrame: 0 });
        expect(held.equals(other)).toBe(false);
        if (list.length > 0) expect(other.without(0).equals(again)).toBe(false);
      }),
      { numRuns: 30 },
    );
  });
});
