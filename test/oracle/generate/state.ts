/**
 * What the generator knows of registers and stack while it writes a program, so that most of what
 * it writes is acceptable to a verifier. Far coarser than a verifier's own state.
 */

/** A map of the request: its index and its size of values. */
export type Value =
  | { readonly kind: 'none' }
  | { readonly kind: 'scalar' }
  | { readonly kind: 'context' }
  /** Start of the packet; `checked` bytes are known to be there. */
  | { readonly kind: 'packet'; readonly checked: number }
  | { readonly kind: 'packet-end' }
  /** Memory of that size, all initialised: a map's value, a record, an argument. */
  | {
      readonly kind: 'memory';
      readonly bytes: number;
      /** Atomics are possible on aligned memory; the stack allows no other than aligned accesses. */
      readonly place: 'stack' | 'aligned' | 'unaligned';
      readonly access: 'rw' | 'r' | 'w';
    };

export const NONE: Value = { kind: 'none' };
export const SCALAR: Value = { kind: 'scalar' };
export const CONTEXT: Value = { kind: 'context' };

export const STACK_BYTES = 512;

export interface State {
  /** r0 to r9. */
  readonly registers: Value[];
  /** By distance below r10: 1 where the byte is initialised data. Index 0 is the byte at r10 - 1. */
  readonly data: Uint8Array;
  /** Spilled registers by their slot's distance below r10 (8, 16, …). */
  readonly spills: Map<number, Value>;
}

export function emptyState(): State {
  return {
    registers: Array.from({ length: 10 }, () => NONE),
    data: new Uint8Array(STACK_BYTES),
    spills: new Map(),
  };
}

export function copyOf({ registers, data, spills }: State): State {
  return { registers: [...registers], data: data.slice(), spills: new Map(spills) };
}

/** What is known where two paths meet. */
export function merged(a: State, b: State): State {
  const spills = new Map([...a.spills].filter(([at, value]) => same(value, b.spills.get(at))));
  return {
    registers: a.registers.map((value, i) => meet(value, b.registers[i]!)),
    data: a.data.map((byte, i) => byte & b.data[i]!),
    spills,
  };
}

function meet(a: Value, b: Value): Value {
  if (a.kind === 'packet' && b.kind === 'packet') {
    return { kind: 'packet', checked: Math.min(a.checked, b.checked) };
  }
  return same(a, b) ? a : NONE;
}

export function same(a: Value, b: Value | undefined): boolean {
  return b !== undefined && JSON.stringify(a) === JSON.stringify(b);
}

export const isPointer = ({ kind }: Value): boolean => kind !== 'none' && kind !== 'scalar';
