/**
 * Classic BPF (S. McCanne, V. Jacobson: "The BSD Packet Filter", USENIX 1993), as Linux has it:
 * registers A and X, sixteen words of scratch memory M, forward jumps. One row an instruction; what
 * Linux refuses has no row. Encoding: struct sock_filter, UAPI linux/filter.h.
 *
 *   classicRow(code)                  the row of a 16-bit opcode
 *   decodeClassic / encodeClassic     8 bytes an instruction
 */
import { Bug } from '../../kernel/types/units.ts';

export interface ClassicInsn {
  readonly code: number;
  /** Instructions to skip if a branch's condition holds, and if not. */
  readonly jt: number;
  readonly jf: number;
  /** Unsigned. */
  readonly k: number;
}

export type ClassicOperation =
  'add' | 'sub' | 'mul' | 'div' | 'mod' | 'or' | 'and' | 'xor' | 'lsh' | 'rsh';
export type ClassicCondition = 'eq' | 'gt' | 'ge' | 'set';

export type ClassicShape =
  /** A = P[k : bytes], or P[X + k : bytes]; network order. Negative k: an extension or a header. */
  | { readonly kind: 'load'; readonly mode: 'abs' | 'ind'; readonly bytes: 1 | 2 | 4 }
  /** Length of the packet. */
  | { readonly kind: 'length'; readonly to: 'a' | 'x' }
  | { readonly kind: 'immediate'; readonly to: 'a' | 'x' }
  /** M[k] */
  | { readonly kind: 'memory'; readonly to: 'a' | 'x' }
  | { readonly kind: 'store'; readonly from: 'a' | 'x' }
  /** X = 4 * (P[k] & 15): the length of an IPv4 header. */
  | { readonly kind: 'header-length' }
  /** A = A operation (k | X). A division by X = 0 ends the filter with 0. */
  | {
      readonly kind: 'alu';
      readonly operation: ClassicOperation;
      readonly source: 'k' | 'x';
    }
  | { readonly kind: 'neg' }
  | { readonly kind: 'goto' }
  | { readonly kind: 'branch'; readonly condition: ClassicCondition; readonly source: 'k' | 'x' }
  | { readonly kind: 'return'; readonly source: 'k' | 'a' }
  | { readonly kind: 'move'; readonly to: 'a' | 'x' };

export type ClassicRow = { readonly code: number; readonly name: string } & ClassicShape;

const row = (code: number, name: string, shape: ClassicShape): ClassicRow => ({
  code,
  name,
  ...shape,
});

const ALU: readonly (readonly [ClassicOperation, number])[] = [
  ['add', 0x04],
  ['sub', 0x14],
  ['mul', 0x24],
  ['div', 0x34],
  ['or', 0x44],
  ['and', 0x54],
  ['lsh', 0x64],
  ['rsh', 0x74],
  ['mod', 0x94],
  ['xor', 0xa4],
];
const BRANCHES: readonly (readonly [ClassicCondition, number])[] = [
  ['eq', 0x15],
  ['gt', 0x25],
  ['ge', 0x35],
  ['set', 0x45],
];
/** BPF_X beside BPF_K. */
const X = 0x08;

/** Names as bpf_asm and tcpdump -d spell them. */
export const CLASSIC_ROWS: readonly ClassicRow[] = [
  row(0x20, 'ld', { kind: 'load', mode: 'abs', bytes: 4 }),
  row(0x28, 'ldh', { kind: 'load', mode: 'abs', bytes: 2 }),
  row(0x30, 'ldb', { kind: 'load', mode: 'abs', bytes: 1 }),
  row(0x40, 'ld', { kind: 'load', mode: 'ind', bytes: 4 }),
  row(0x48, 'ldh', { kind: 'load', mode: 'ind', bytes: 2 }),
  row(0x50, 'ldb', { kind: 'load', mode: 'ind', bytes: 1 }),
  row(0x80, 'ld', { kind: 'length', to: 'a' }),
  row(0x81, 'ldx', { kind: 'length', to: 'x' }),
  row(0x00, 'ld', { kind: 'immediate', to: 'a' }),
  row(0x01, 'ldx', { kind: 'immediate', to: 'x' }),
  row(0x60, 'ld', { kind: 'memory', to: 'a' }),
  row(0x61, 'ldx', { kind: 'memory', to: 'x' }),
  row(0xb1, 'ldxb', { kind: 'header-length' }),
  row(0x02, 'st', { kind: 'store', from: 'a' }),
  row(0x03, 'stx', { kind: 'store', from: 'x' }),
  ...ALU.flatMap(([operation, code]) => [
    row(code, operation, { kind: 'alu', operation, source: 'k' }),
    row(code | X, operation, { kind: 'alu', operation, source: 'x' }),
  ]),
  row(0x84, 'neg', { kind: 'neg' }),
  row(0x05, 'ja', { kind: 'goto' }),
  ...BRANCHES.flatMap(([condition, code]) => [
    row(code, `j${condition}`, { kind: 'branch', condition, source: 'k' }),
    row(code | X, `j${condition}`, { kind: 'branch', condition, source: 'x' }),
  ]),
  row(0x06, 'ret', { kind: 'return', source: 'k' }),
  row(0x16, 'ret', { kind: 'return', source: 'a' }),
  row(0x07, 'tax', { kind: 'move', to: 'x' }),
  row(0x87, 'txa', { kind: 'move', to: 'a' }),
];

const byCode: ReadonlyMap<number, ClassicRow> = new Map(CLASSIC_ROWS.map((r) => [r.code, r]));

/** Undefined for an opcode that Linux refuses. */
export function classicRow(code: number): ClassicRow | undefined {
  return byCode.get(code);
}

export const CLASSIC_INSN_BYTES = 8;
/** UAPI linux/filter.h: most instructions, words of scratch memory. */
export const BPF_MAXINSNS = 4096;
export const BPF_MEMWORDS = 16;

export function decodeClassic(bytes: Uint8Array): ClassicInsn[] {
  if (bytes.length % CLASSIC_INSN_BYTES !== 0) {
    throw new Bug(`${bytes.length} bytes are no classic instructions`);
  }
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  return Array.from({ length: bytes.length / CLASSIC_INSN_BYTES }, (_, i) => ({
    code: view.getUint16(8 * i, true),
    jt: view.getUint8(8 * i + 2),
    jf: view.getUint8(8 * i + 3),
    k: view.getUint32(8 * i + 4, true),
  }));
}

export function encodeClassic(insns: readonly ClassicInsn[]): Uint8Array<ArrayBuffer> {
  const bytes = new Uint8Array(insns.length * CLASSIC_INSN_BYTES);
  const view = new DataView(bytes.buffer);
  insns.forEach(({ code, jt, jf, k }, i) => {
    view.setUint16(8 * i, code, true);
    view.setUint8(8 * i + 2, jt);
    view.setUint8(8 * i + 3, jf);
    view.setUint32(8 * i + 4, k, true);
  });
  return bytes;
}
