/** Comparisons and the branches on them. */
import type { Insn } from '../../bpf/isa/insn.ts';
import type { Condition, RowOf } from '../../bpf/isa/row.ts';
import type { Code } from './code.ts';
import { constant, type Fn, hi, IMM_A, IMM_B, isConstant, lo, NONE } from './isa.ts';

/** By `a - b` where not turned, `b - a` where turned. */
const ORDERED: Readonly<Record<Exclude<Condition, 'eq' | 'ne' | 'set'>, readonly [Fn<'br'>, boolean]>> = {
  lt: ['lo', false], ge: ['hs', false], gt: ['lo', true], le: ['hs', true],
  slt: ['lt', false], sge: ['ge', false], sgt: ['lt', true], sle: ['ge', true],
}; // prettier-ignore

export function lowerBranch(code: Code, insn: Insn, row: RowOf<'branch'>, target: number): void {
  const { condition } = row;
  if (condition === 'set') return lowerSet(code, insn, row, target);
  if (condition === 'eq' || condition === 'ne') {
    if (row.source === 'imm') equalsConstant(code, insn, row);
    else equals(code, insn, row);
    return code.br(condition, target);
  }
  const { dst, src, imm } = insn;
  const [fn, turned] = ORDERED[condition];
  const wide = row.width === 64;
  const fromImm = row.source === 'imm';
  const low = fromImm ? code.operand(imm, IMM_A) : lo(src);
  const high = !wide ? NONE : fromImm ? code.operand(imm < 0 ? -1 : 0, IMM_B) : hi(src);
  if (turned) code.alu('-', NONE, low, lo(dst));
  else code.alu('-', NONE, lo(dst), low);
  if (wide && turned) code.alu('-carry', NONE, high, hi(dst));
  else if (wide) code.alu('-carry', NONE, hi(dst), high);
  code.br(fn, target);
}

function equals(code: Code, { dst, src }: Insn, { width }: RowOf<'branch'>): void {
  if (width === 32) return code.alu('XOR', NONE, lo(dst), lo(src));
  code.alu('XOR', IMM_A, lo(dst), lo(src));
  code.alu('XOR', IMM_B, hi(dst), hi(src));
  code.alu('OR', NONE, IMM_A, IMM_B);
}

function equalsConstant(code: Code, { dst, imm }: Insn, { width }: RowOf<'branch'>): void {
  const low = different(code, lo(dst), imm, IMM_A);
  if (width === 32) return code.alu('OR', NONE, low, constant(0));
  const high = different(code, hi(dst), imm < 0 ? -1 : 0, IMM_B);
  code.alu('OR', NONE, low, high);
}

/** A register that is 0 where the two are equal. */
function different(code: Code, register: number, value: number, to: number): number {
  if (value === 0) return register;
  const operand = code.operand(value, to);
  code.alu('XOR', to, register, operand);
  return to;
}

function lowerSet(code: Code, insn: Insn, row: RowOf<'branch'>, target: number): void {
  const { dst, src, imm } = insn;
  const fromImm = row.source === 'imm';
  const test = (register: number, operand: number): void => {
    if (isConstant(operand) && operand === constant(0)) return;
    code.alu('AND', NONE, register, operand);
    code.br('ne', target);
  };
  test(lo(dst), fromImm ? code.operand(imm, IMM_A) : lo(src));
  if (row.width === 64) test(hi(dst), fromImm ? code.operand(imm < 0 ? -1 : 0, IMM_A) : hi(src));
}
