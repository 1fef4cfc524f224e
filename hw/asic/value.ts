/**
 * Values as a match-action pipeline sees them: 64 bits, each constant or a bit of a field. Moving
 * bits about (shifts by constants, masks, byte order, putting fields side by side) is wiring and
 * costs nothing; only what is left over becomes an operation of a stage.
 */
import type { AluOperation } from '../../bpf/isa/row.ts';
import type { BpfMap } from '../../bpf/maps/map.ts';
import type { Edge, Lookup } from './graph.ts';

export const WORD = 64;

/** Somewhere bits come from. */
export type Source =
  /** A byte of the packet as it came in, counted from where it then began. */
  | { readonly kind: 'packet'; readonly at: number }
  /** What the parser knows besides: port, queue, time. */
  | { readonly kind: 'metadata'; readonly name: string }
  /** A byte of the entry that a lookup found. */
  | { readonly kind: 'entry'; readonly lookup: Lookup; readonly at: number }
  /** What a stage computes. */
  | {
      readonly kind: 'computed';
      readonly operation: AluOperation | 'neg';
      readonly a: Bits;
      readonly b: Bits;
      readonly slot: number;
    }
  /** What another way would have brought, where ways join. */
  | { readonly kind: 'joined'; readonly ways: readonly { readonly edge: Edge; readonly bits: Bits }[] }
  /** What a table decides: the verdict of a redirect. */
  | { readonly kind: 'decided'; readonly lookup: Lookup }; // prettier-ignore

export class Field {
  readonly source: Source;
  readonly bits: readonly FieldBit[];

  constructor(source: Source, width: number) {
    this.source = source;
    this.bits = Array.from({ length: width }, (_, index) => ({ field: this, index }));
  }
}

export interface FieldBit {
  readonly field: Field;
  readonly index: number;
}

export type Bit = 0 | 1 | FieldBit;
/** Least significant first; 64 of a register, 8 of a byte. */
export type Bits = readonly Bit[];

export type Value =
  | { readonly kind: 'bits'; readonly bits: Bits }
  /** `at` counts from where the packet began when it came in. */
  | { readonly kind: 'packet'; readonly at: number }
  | { readonly kind: 'packet end' }
  /** Packet end less a place in the packet: its length less `at`. */
  | { readonly kind: 'length'; readonly at: number }
  | { readonly kind: 'stack'; readonly at: number }
  | { readonly kind: 'context' }
  | { readonly kind: 'map'; readonly map: BpfMap }
  /** Null where the lookup has missed. */
  | { readonly kind: 'entry'; readonly lookup: Lookup; readonly at: number };

export const bitsOf = (value: bigint, width = WORD): Bit[] =>
  Array.from({ length: width }, (_, i) => Number((value >> BigInt(i)) & 1n) as 0 | 1);

export const constant = (value: bigint): Value => ({ kind: 'bits', bits: bitsOf(value) });

/** The number, if every bit is known; unsigned. */
export function constantOf(bits: Bits): bigint | undefined {
  let value = 0n;
  for (let i = 0; i < bits.length; i++) {
    const bit = bits[i]!;
    if (typeof bit !== 'number') return undefined;
    if (bit === 1) value |= 1n << BigInt(i);
  }
  return value;
}

export const sameBits = (a: Bits, b: Bits): boolean => a.every((bit, i) => bit === b[i]);

/** One more than the highest bit that may be set. */
export const widthOf = (bits: Bits): number => bits.findLastIndex((bit) => bit !== 0) + 1;

/** Fields that the bits come from. */
export function fieldsOf(bits: Bits): Set<Field> {
  const fields = new Set<Field>();
  for (const bit of bits) if (typeof bit !== 'number') fields.add(bit.field);
  return fields;
}

/** The low half, and zeros above. */
export const low32 = (bits: Bits): Bit[] => bits.map((bit, i) => (i < 32 ? bit : 0));

/** Zeros above `from`, or copies of the bit below it. */
export function extended(bits: Bits, from: number, signed: boolean): Bit[] {
  const fill = signed ? bits[from - 1]! : 0;
  return Array.from({ length: WORD }, (_, i) => (i < from ? bits[i]! : fill));
}

export function shifted(bits: Bits, by: number, direction: 'left' | 'right', width: number): Bit[] {
  return Array.from({ length: WORD }, (_, i): Bit => {
    const from = direction === 'left' ? i - by : i + by;
    return i < width && from >= 0 && from < width ? bits[from]! : 0;
  });
}

/** Bytes of the low `width` bits the other way round. */
export function swapped(bits: Bits, width: number): Bit[] {
  return Array.from({ length: WORD }, (_, i) => {
    if (i >= width) return 0;
    const byte = width / 8 - 1 - (i >> 3);
    return bits[byte * 8 + (i & 7)]!;
  });
}

/** Each bit of `and`, `or` or `xor` where one side decides; undefined where none does. */
export function bitwise(operation: 'and' | 'or' | 'xor', a: Bit, b: Bit): Bit | undefined {
  if (a === b) return operation === 'xor' ? 0 : a;
  const [known, other] = typeof a === 'number' ? [a, b] : [b, a];
  if (typeof known !== 'number') return undefined;
  switch (operation) {
    case 'and':
      return known === 1 ? other : 0;
    case 'or':
      return known === 0 ? other : 1;
    case 'xor':
      return known === 0 ? other : typeof other === 'number' ? ((1 - other) as 0 | 1) : undefined;
  }
}

/** Both sides never have a bit in the same place, so adding is putting side by side. */
export const isDisjoint = (a: Bits, b: Bits): boolean =>
  a.every((bit, i) => bit === 0 || b[i] === 0);

const signed = (value: bigint, width: 32 | 64): bigint => BigInt.asIntN(width, value);

/** What the CPU would compute, of known numbers; unsigned, `width` bits. */
export function fold(
  operation: AluOperation | 'neg',
  width: 32 | 64,
  x: bigint,
  y: bigint,
): bigint {
  const a = BigInt.asUintN(width, x);
  const b = BigInt.asUintN(width, y);
  const by = b & BigInt(width - 1);
  const value = ((): bigint => {
    switch (operation) {
      case 'add': return a + b;
      case 'sub': return a - b;
      case 'mul': return a * b;
      case 'div': return b === 0n ? 0n : a / b;
      case 'mod': return b === 0n ? a : a % b;
      case 'sdiv': return b === 0n ? 0n : signed(a, width) / signed(b, width);
      case 'smod': return b === 0n ? a : signed(a, width) % signed(b, width);
      case 'or': return a | b;
      case 'and': return a & b;
      case 'xor': return a ^ b;
      case 'lsh': return a << by;
      case 'rsh': return a >> by;
      case 'arsh': return signed(a, width) >> by;
      case 'mov': return b;
      case 'neg': return -a;
    }
  })(); // prettier-ignore
  return BigInt.asUintN(width, value);
}
