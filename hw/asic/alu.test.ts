/** Wired bits stand for what the CPU computes, whatever is known of the operands. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { alu } from './alu.ts';
import { Refusal } from './refusal.ts';
import { type Bits, Field, fold, swapped } from './value.ts';

const OPERATIONS = [
  'add', 'sub', 'mul', 'div', 'mod', 'or', 'and', 'xor', 'lsh', 'rsh', 'arsh', 'mov', 'neg',
] as const; // prettier-ignore

type Contents = ReadonlyMap<Field, bigint>;

/** What the bits are once every field has its contents. */
function valueOf(bits: Bits, contents: Contents): bigint {
  return bits.reduce<bigint>((sum, bit, i) => {
    const set = typeof bit === 'number' ? bit : Number((contentsOf(bit.field, contents) >> BigInt(bit.index)) & 1n);
    return sum | (BigInt(set) << BigInt(i));
  }, 0n);
} // prettier-ignore

function contentsOf(field: Field, contents: Contents): bigint {
  const { source } = field;
  if (source.kind !== 'computed') return contents.get(field)!;
  return fold(source.operation, 64, valueOf(source.a, contents), valueOf(source.b, contents));
}

/** A register of which some bits are known, and what the others are. */
const operand = fc.tuple(
  fc.bigInt(0n, 2n ** 64n - 1n),
  fc.bigInt(0n, 2n ** 64n - 1n),
  fc.boolean(),
);

describe('alu', () => {
  it('computes what the CPU does', () => {
    fc.assert(
      fc.property(
        fc.constantFrom(...OPERATIONS),
        fc.constantFrom(32 as const, 64 as const),
        operand,
        operand,
        fc.integer({ min: 0, max: 63 }),
        (operation, width, [a, known, _], [b, knownToo, isConstant], power) => {
          const scales = ['mul', 'div', 'mod', 'lsh', 'rsh', 'arsh'].includes(operation);
          const isShift = scales && operation.endsWith('sh');
          const right = isShift ? BigInt(power) : scales ? 1n << BigInt(power % width) : b;
          const contents = new Map<Field, bigint>();
          const bitsFor = (value: bigint, mask: bigint): Bits => {
            const field = new Field({ kind: 'metadata', name: 'x' }, 64);
            contents.set(field, value);
            return field.bits.map((bit, i) =>
              (mask >> BigInt(i)) & 1n ? (Number((value >> BigInt(i)) & 1n) as 0 | 1) : bit,
            );
          };
          const x = bitsFor(a, known);
          const y = bitsFor(right, scales || isConstant ? 2n ** 64n - 1n : knownToo);
          const result = alu(operation, width, x, y, 0);
          expect(valueOf(result, contents)).toBe(fold(operation, width, a, right));
        },
      ),
      { numRuns: 3000 },
    );
  });

  it('costs nothing where a shift, a mask or an or only moves bits', () => {
    const [low, high] = [0, 1].map((at) => new Field({ kind: 'packet', at }, 8));
    const zeros = Array.from({ length: 56 }, () => 0 as const);
    const eight = (value: bigint) => Array.from({ length: 64 }, (_, i) => Number((value >> BigInt(i)) & 1n) as 0 | 1);
    const moved = alu('lsh', 64, [...high!.bits, ...zeros], eight(8n), 0);
    const both = alu('or', 64, moved, [...low!.bits, ...zeros], 0);
    expect(both.slice(0, 16)).toEqual([...low!.bits, ...high!.bits]);
    expect(swapped(both, 16).slice(0, 16)).toEqual([...high!.bits, ...low!.bits]);
  }); // prettier-ignore

  it.each(['mul', 'div', 'mod', 'lsh'] as const)(
    '%s by a value of the packet is refused',
    (operation) => {
      const { bits } = new Field({ kind: 'metadata', name: 'x' }, 64);
      expect(() => alu(operation, 64, bits, bits, 7)).toThrow(Refusal);
    },
  );
});
