/** Arithmetic on pairs of 32-bit registers. */
import type { Insn } from '../../bpf/isa/insn.ts';
import type { RowOf } from '../../bpf/isa/row.ts';
import { Bug } from '../../kernel/types/units.ts';
import type { Code } from './code.ts';
import { constant, hi, IMM_A, IMM_B, lo, NONE } from './isa.ts';
import { U32_MAX, type Value } from './values.ts';

export interface AluContext {
  readonly code: Code;
  /** The upper half of the result is read. */
  readonly upperNeeded: boolean;
  readonly left: Value;
  readonly right: Value;
}

const BITWISE = { and: 'AND', or: 'OR', xor: 'XOR' } as const;
const U16_MAX = 0xffffn;

export function lowerAlu(context: AluContext, insn: Insn, row: RowOf<'alu'>): void {
  const { code } = context;
  const { dst, src, imm } = insn;
  const wide = row.width === 64;
  const fromImm = row.source === 'imm';
  const [dlo, dhi] = [lo(dst), hi(dst)];
  switch (row.operation) {
    case 'mov':
      if (fromImm) code.immed(dlo, imm);
      else code.mov(dlo, lo(src));
      if (wide && fromImm) code.immed(dhi, imm < 0 ? -1 : 0);
      else if (wide) code.mov(dhi, hi(src));
      break;
    case 'add':
    case 'sub': {
      const sign = row.operation === 'add' ? '+' : '-';
      const low = fromImm ? code.operand(imm, IMM_A) : lo(src);
      const high = !wide ? NONE : fromImm ? code.operand(imm < 0 ? -1 : 0, IMM_B) : hi(src);
      code.alu(sign, dlo, dlo, low);
      if (wide) code.alu(`${sign}carry`, dhi, dhi, high);
      break;
    }
    case 'and':
    case 'or':
    case 'xor':
      if (fromImm) {
        bitwiseConstant(code, row.operation, dlo, imm);
        if (wide) bitwiseConstant(code, row.operation, dhi, imm < 0 ? -1 : 0);
      } else {
        code.alu(BITWISE[row.operation], dlo, dlo, lo(src));
        if (wide) code.alu(BITWISE[row.operation], dhi, dhi, hi(src));
      }
      break;
    case 'lsh':
    case 'rsh':
    case 'arsh':
      shift(context, insn, row);
      break;
    case 'mul': {
      const factor = fromImm ? code.operand(imm, IMM_B) : lo(src);
      const small = fitsIn16(context.left) && (fromImm ? imm <= 0xffff : fitsIn16(context.right));
      code.multiply(dlo, wide ? dhi : undefined, dlo, factor, !small);
      break;
    }
    case 'div':
      divide(code, dlo, divisor(context, fromImm ? imm : undefined));
      break;
    default:
      throw new Bug(`${row.operation} is refused`);
  }
  if (!wide) clearUpper(context, dst);
}

export function clearUpper({ code, upperNeeded }: AluContext, dst: number): void {
  if (upperNeeded) code.immed(hi(dst), 0);
}

const fitsIn16 = (value: Value): boolean => value.kind === 'number' && value.max <= U16_MAX;

function divisor({ right }: AluContext, imm: number | undefined): number {
  if (imm !== undefined) return imm;
  if (right.kind !== 'number') throw new Bug('a divisor that is not known is refused');
  return Number(right.min);
}

function bitwiseConstant(
  code: Code,
  operation: keyof typeof BITWISE,
  register: number,
  imm: number,
): void {
  if (operation === 'and' && imm === 0) return code.immed(register, 0);
  if (operation === 'or' && imm === -1) return code.immed(register, -1);
  if (operation === 'xor' && imm === -1) return code.alu('~B', register, NONE, register);
  if (imm === (operation === 'and' ? -1 : 0)) return;
  code.alu(BITWISE[operation], register, register, code.operand(imm, IMM_A));
}

export function negate(context: AluContext, dst: number, wide: boolean): void {
  const { code } = context;
  code.alu('-', lo(dst), constant(0), lo(dst));
  if (wide) code.alu('-carry', hi(dst), constant(0), hi(dst));
  else clearUpper(context, dst);
}

/** To network order: bytes turned by one either way are half of them right each. */
export function swap(context: AluContext, dst: number, bits: 16 | 32 | 64): void {
  const { code } = context;
  const [dlo, dhi] = [lo(dst), hi(dst)];
  if (bits === 16) {
    code.field('clear', IMM_A, 0b0001, dlo, 1);
    code.field('keep', IMM_A, 0b0010, dlo, 3);
  } else {
    swapWord(code, IMM_A, dlo);
    if (bits === 64) swapWord(code, dlo, dhi);
  }
  code.mov(bits === 64 ? dhi : dlo, IMM_A);
  if (bits !== 64) clearUpper(context, dst);
}

function swapWord(code: Code, to: number, from: number): void {
  code.shf('rot', to, NONE, from, 8);
  code.field('keep', to, 0b0101, from, 3);
}

function shift(context: AluContext, insn: Insn, row: RowOf<'alu'>): void {
  const { code, right } = context;
  const { dst, src, imm } = insn;
  const operation = row.operation as 'lsh' | 'rsh' | 'arsh';
  const constantBy =
    row.source === 'imm'
      ? imm
      : right.kind === 'number' && right.min === right.max
        ? Number(right.min & 63n)
        : undefined;
  if (row.width === 32) {
    const by = constantBy === undefined ? undefined : constantBy & 31;
    if (by === undefined) shift32(code, operation, lo(dst), lo(src));
    else if (by > 0) shift32By(code, operation, lo(dst), by);
  } else if (constantBy !== undefined) shift64By(code, operation, dst, constantBy & 63);
  else shift64(code, operation, dst, lo(src), right);
}

const SHIFT = { lsh: '<<', rsh: '>>', arsh: '>>a' } as const;

function shift32By(code: Code, operation: keyof typeof SHIFT, register: number, by: number): void {
  // An arithmetic shift takes the sign of the second operand that the ALU had last.
  if (operation === 'arsh') code.alu('OR', NONE, constant(0), register);
  code.shf(SHIFT[operation], register, NONE, register, by);
}

function shift32(code: Code, operation: keyof typeof SHIFT, register: number, by: number): void {
  // An indirect shift takes the amount from the ALU's first operand, the sign from its second.
  code.alu('OR', NONE, by, register);
  code.shf(`${SHIFT[operation]}ind`, register, NONE, register);
}

function shift64By(code: Code, operation: keyof typeof SHIFT, dst: number, by: number): void {
  const [dlo, dhi] = [lo(dst), hi(dst)];
  if (by === 0) return;
  if (operation === 'lsh') {
    if (by < 32) {
      code.shf('dbl>>', dhi, dhi, dlo, 32 - by);
      code.shf('<<', dlo, NONE, dlo, by);
      return;
    }
    if (by === 32) code.mov(dhi, dlo);
    else code.shf('<<', dhi, NONE, dlo, by - 32);
    code.immed(dlo, 0);
    return;
  }
  if (by < 32) {
    code.shf('dbl>>', dlo, dhi, dlo, by);
    shift32By(code, operation, dhi, by);
    return;
  }
  if (by === 32) code.mov(dlo, dhi);
  else {
    if (operation === 'arsh') code.alu('OR', NONE, constant(0), dhi);
    code.shf(SHIFT[operation], dlo, NONE, dhi, by - 32);
  }
  if (operation === 'rsh') code.immed(dhi, 0);
  else shift32By(code, 'arsh', dhi, 31);
}

/** By a register: the two cases apart where both can be. */
function shift64(
  code: Code,
  operation: keyof typeof SHIFT,
  dst: number,
  by: number,
  amount: Value,
): void {
  const range = amount.kind === 'number' ? amount : undefined;
  if (by === lo(dst)) {
    // The first half would be the amount of the second.
    code.mov(IMM_B, by);
    by = IMM_B;
  }
  if (range && range.max < 32n) return shiftBelow32(code, operation, dst, by);
  if (range && range.min >= 32n && range.max < 64n) return shiftFrom32(code, operation, dst, by);
  const far = code.label();
  const end = code.label();
  code.alu('AND', NONE, by, constant(32));
  code.br('ne', far);
  shiftBelow32(code, operation, dst, by);
  code.br('unc', end);
  code.place(far);
  shiftFrom32(code, operation, dst, by);
  code.place(end);
}

function shiftBelow32(code: Code, operation: keyof typeof SHIFT, dst: number, by: number): void {
  const [dlo, dhi] = [lo(dst), hi(dst)];
  if (operation === 'lsh') {
    // A double shift by 32 gives the upper word: nothing is shifted out for an amount of 0.
    code.alu('-', IMM_A, constant(32), by);
    code.shiftBy(IMM_A);
    code.shf('dbl>>ind', dhi, dhi, dlo);
    code.shiftBy(by);
    code.shf('<<ind', dlo, NONE, dlo);
    return;
  }
  code.shiftBy(by);
  code.shf('dbl>>ind', dlo, dhi, dlo);
  shift32(code, operation, dhi, by);
}

function shiftFrom32(code: Code, operation: keyof typeof SHIFT, dst: number, by: number): void {
  const [dlo, dhi] = [lo(dst), hi(dst)];
  code.alu('OR', NONE, by, dhi);
  if (operation === 'lsh') {
    code.shf('<<ind', dhi, NONE, dlo);
    code.immed(dlo, 0);
    return;
  }
  code.shf(`${SHIFT[operation]}ind`, dlo, NONE, dhi);
  if (operation === 'rsh') code.immed(dhi, 0);
  else shift32By(code, 'arsh', dhi, 31);
}

/**
 * Of 32 bits by a constant: by its reciprocal (Granlund and Montgomery, "Division by Invariant
 * Integers using Multiplication", PLDI'94).
 */
function divide(code: Code, register: number, by: number): void {
  const divisor = BigInt(by >>> 0);
  if (divisor === 0n) return code.immed(register, 0);
  if (divisor === 1n) return;
  const bits = (divisor - 1n).toString(2).length;
  if (divisor === 1n << BigInt(bits)) {
    return code.shf('>>', register, NONE, register, bits);
  }
  if (divisor > 1n << 31n) {
    const operand = code.operand(Number(divisor), IMM_B);
    code.alu('-', NONE, register, operand);
    code.immed(register, 0);
    code.alu('+carry', register, register, constant(0));
    return;
  }
  const short = shortReciprocal(divisor, bits);
  if (short) {
    code.multiply(IMM_A, register, register, code.operand(short.factor, IMM_B), true);
    if (short.by > 0) code.shf('>>', register, NONE, register, short.by);
    return;
  }
  // The factor has 33 bits: the highest is added.
  const factor = ((1n << 32n) * ((1n << BigInt(bits)) - divisor)) / divisor + 1n;
  const operand = code.operand(Number(factor & U32_MAX), IMM_B);
  code.multiply(IMM_A, IMM_B, register, operand, true);
  code.alu('-', register, register, IMM_B);
  code.shf('>>', register, NONE, register, 1);
  code.alu('+', register, register, IMM_B);
  if (bits > 1) code.shf('>>', register, NONE, register, bits - 1);
}

function shortReciprocal(
  divisor: bigint,
  bits: number,
): { readonly factor: number; readonly by: number } | undefined {
  for (let by = 0; by < bits; by++) {
    const scale = 1n << BigInt(32 + by);
    const factor = (scale + divisor - 1n) / divisor;
    if (factor <= U32_MAX && factor * divisor - scale <= 1n << BigInt(by)) {
      return { factor: Number(factor), by };
    }
  }
  return undefined;
}
