/** Arithmetic on wired bits: what wiring can do is done here, what is left becomes a field. */
import type { AluOperation } from '../../bpf/isa/row.ts';
import { refuse } from './refusal.ts';
import {
  type Bit,
  type Bits,
  bitsOf,
  bitwise,
  constantOf,
  Field,
  fold,
  isDisjoint,
  low32,
  shifted,
  widthOf,
  WORD,
} from './value.ts';

/** dst operation src, in 32 or 64 bits; @param slot whose instruction it is */
export function alu(
  operation: AluOperation | 'neg',
  width: 32 | 64,
  dst: Bits,
  src: Bits,
  slot: number,
): Bits {
  const a = width === 32 ? low32(dst) : dst;
  const b = width === 32 ? low32(src) : src;
  const x = constantOf(a);
  const y = constantOf(b);
  if (operation === 'mov') return b;
  if (x !== undefined && y !== undefined) return bitsOf(fold(operation, width, x, y));
  switch (operation) {
    case 'lsh':
    case 'rsh':
    case 'arsh':
      return shift(operation, width, a, y, slot);
    case 'and':
    case 'or':
    case 'xor':
      return logic(operation, a, b, slot);
    case 'add':
      if (isDisjoint(a, b)) return a.map((bit, i) => (bit === 0 ? b[i]! : bit));
      return computed(operation, a, b, slot, sumWidth(a, b, width));
    case 'sub':
      if (y === 0n) return a;
      return computed(operation, a, b, slot, width);
    case 'neg':
      return computed(operation, a, b, slot, width);
    default:
      return scaled(operation, width, a, y, slot);
  }
}

function shift(
  operation: 'lsh' | 'rsh' | 'arsh',
  width: 32 | 64,
  a: Bits,
  by: bigint | undefined,
  slot: number,
): Bits {
  if (by === undefined) {
    refuse(slot, 'variable-shift', 'a shift by a value that only the packet decides', 'stages shift by constants');
  } // prettier-ignore
  const places = Number(by) & (width - 1);
  if (operation === 'lsh') return shifted(a, places, 'left', width);
  const moved = shifted(a, places, 'right', width);
  const sign = a[width - 1]!;
  if (operation === 'rsh' || sign === 0) return moved;
  return moved.map((bit, i) => (i < width && i >= width - places ? sign : bit));
}

/** Where one side decides every bit it is wiring; the bits that it does not are computed. */
function logic(operation: 'and' | 'or' | 'xor', a: Bits, b: Bits, slot: number): Bits {
  const decided = a.map((bit, i) => bitwise(operation, bit, b[i]!));
  if (!decided.includes(undefined)) return decided as Bit[];
  const rest = new Field({ kind: 'computed', operation, a, b, slot }, WORD);
  return decided.map((bit, i) => bit ?? rest.bits[i]!);
}

/** Products and quotients by powers of two are shifts; there is nothing for others. */
function scaled(
  operation: AluOperation,
  width: 32 | 64,
  a: Bits,
  by: bigint | undefined,
  slot: number,
): Bits {
  if (by !== undefined && by > 0n && (by & (by - 1n)) === 0n) {
    const places = by.toString(2).length - 1;
    if (operation === 'mul') return shifted(a, places, 'left', width);
    if (operation === 'div') return shifted(a, places, 'right', width);
    if (operation === 'mod') return a.map((bit, i) => (i < places ? bit : 0));
  }
  const words: Readonly<Record<string, string>> = { mul: 'multiplication', mod: 'a remainder' };
  const what = words[operation] ?? 'division';
  return refuse(slot, 'unsupported-operation', `${what} by other than a power of two`, 'stages add, subtract, shift and combine bits');
} // prettier-ignore

function sumWidth(a: Bits, b: Bits, width: number): number {
  return Math.min(width, Math.max(widthOf(a), widthOf(b)) + 1);
}

function computed(
  operation: AluOperation | 'neg',
  a: Bits,
  b: Bits,
  slot: number,
  width: number,
): Bits {
  const field = new Field({ kind: 'computed', operation, a, b, slot }, width);
  return Array.from({ length: WORD }, (_, i) => (i < width ? field.bits[i]! : 0));
}
