/**
 * Machine code of one lowered BPF instruction: arithmetic, jumps and all that is no memory access
 * and no call. The sequences are those of Linux 6.1 (do_jit, arch/x86/net/bpf_jit_comp.c), which
 * knows no signed division and sign extension; those follow Linux 6.6.
 */
import type { AluOperation, Condition, RowOf } from '../../bpf/isa/row.ts';
import type { AluOp, ConditionCode, ShiftOp } from './assembler.ts';
import { emitCall } from './emit-call.ts';
import { emitAtomic, emitLoad, emitStore } from './emit-memory.ts';
import type { FunctionCode } from './function-code.ts';
import type { Lowered } from '../cpu/jit/lowered.ts';
import { R11, RAX, RCX, RDX, X86_OF_BPF } from './registers.ts';
import { Bug } from '../../kernel/types/units.ts';

/** Distances to what lies outside the function; from the end of the instruction that is written. */
export interface Outside {
  /** @param at offset in the function of the end of the call */
  distanceTo(target: bigint | { readonly subprog: number }, at: number): number;
  /** Where the entries of programs by id lie: see `tailCallTarget` in image.ts. */
  readonly programEntries: bigint;
}

const reg = (bpf: number): number => X86_OF_BPF[bpf]!;

export function emitItem(f: FunctionCode, item: Lowered, outside: Outside): void {
  const { row, insn } = item;
  const dst = reg(insn.dst);
  const src = reg(insn.src);
  switch (row.kind) {
    case 'alu':
      return row.source === 'imm' ? aluImm(f, row, dst, insn.imm) : aluReg(f, row, dst, src);
    case 'neg':
      return f.unary('neg', row.width, dst);
    case 'movsx':
      return f.extend(row.width, row.bits, true, dst, src);
    case 'endian':
      return endian(f, row, dst);
    case 'ld_imm64':
      return f.movImm64(dst, item.imm64!);
    case 'load':
      return emitLoad(f, row, dst, src, insn.off);
    case 'store':
      return emitStore(f, row, dst, src, insn.off, insn.imm);
    case 'atomic':
      return emitAtomic(f, row, dst, src, insn.off);
    case 'goto':
      return f.jumpToItem(item.target!.index);
    case 'branch':
      if (row.source === 'imm') compareImm(f, row, dst, insn.imm);
      else if (row.condition === 'set') f.test(row.width, dst, src);
      else f.alu('cmp', row.width, dst, src);
      return f.jumpToItem(item.target!.index, CONDITIONS[row.condition]);
    case 'call':
      return emitCall(f, item, outside);
    case 'exit':
      return f.exit();
    case 'nospec':
      return f.lfence();
    case 'ld_packet':
      throw new Bug(`${row.name} is lowered to a call`);
  }
}

const CONDITIONS: Readonly<Record<Condition, ConditionCode>> = {
  eq: 'e',
  ne: 'ne',
  gt: 'a',
  ge: 'ae',
  lt: 'b',
  le: 'be',
  sgt: 'g',
  sge: 'ge',
  slt: 'l',
  sle: 'le',
  set: 'ne',
};

const SIMPLE: Partial<Record<AluOperation, AluOp>> = {
  add: 'add',
  sub: 'sub',
  and: 'and',
  or: 'or',
  xor: 'xor',
};
const SHIFTS: Partial<Record<AluOperation, ShiftOp>> = { lsh: 'shl', rsh: 'shr', arsh: 'sar' };

function aluImm(f: FunctionCode, row: RowOf<'alu'>, dst: number, imm: number): void {
  const { operation, width } = row;
  const simple = SIMPLE[operation];
  if (simple !== undefined) return f.aluImm(simple, width, dst, imm);
  const shift = SHIFTS[operation];
  // The count of a shift is masked by the processor as BPF masks it.
  if (shift !== undefined) return f.shiftImm(shift, width, dst, imm & (width - 1));
  switch (operation) {
    case 'mov':
      return f.movImm(width, dst, imm);
    case 'mul':
      return f.imulImm(width, dst, dst, imm);
    default:
      return divide(f, row, dst, () => (f.movSignedImm(64, R11, imm), R11));
  }
}

function aluReg(f: FunctionCode, row: RowOf<'alu'>, dst: number, src: number): void {
  const { operation, width } = row;
  const simple = SIMPLE[operation];
  if (simple !== undefined) return f.alu(simple, width, dst, src);
  const shift = SHIFTS[operation];
  if (shift !== undefined) return shiftReg(f, shift, width, dst, src);
  switch (operation) {
    case 'mov':
      // In 32 bits it clears the upper half.
      return width === 64 && dst === src ? undefined : f.mov(width, dst, src);
    case 'mul':
      return f.imul(width, dst, src);
    default:
      return divide(f, row, dst, () => {
        if (src !== RAX && src !== RDX) return src;
        f.mov(64, R11, src);
        return R11;
      });
  }
}

/** The processor divides rdx:rax, which are r3 and r0. */
function divide(f: FunctionCode, row: RowOf<'alu'>, dst: number, divisor: () => number): void {
  const { operation, width } = row;
  const signed = operation === 'sdiv' || operation === 'smod';
  const result = operation === 'div' || operation === 'sdiv' ? RAX : RDX;
  if (dst !== RAX) f.push(RAX);
  if (dst !== RDX) f.push(RDX);
  const by = divisor();
  if (dst !== RAX) f.mov(width, RAX, dst);
  if (signed) f.signIntoRdx(width);
  else f.alu('xor', 32, RDX, RDX);
  f.unary(signed ? 'idiv' : 'div', width, by);
  if (dst !== result) f.mov(width, dst, result);
  if (dst !== RDX) f.pop(RDX);
  if (dst !== RAX) f.pop(RAX);
}

/** The count must be in cl, which is r4's. */
function shiftReg(f: FunctionCode, op: ShiftOp, width: 32 | 64, dst: number, src: number): void {
  const shifted = dst === RCX ? R11 : dst;
  if (dst === RCX) f.mov(64, R11, RCX);
  if (src !== RCX) {
    f.push(RCX);
    f.mov(64, RCX, src);
  }
  f.shift(op, width, shifted);
  if (src !== RCX) f.pop(RCX);
  if (dst === RCX) f.mov(64, RCX, R11);
}

/** The machine is little-endian: `le` only truncates. */
function endian(f: FunctionCode, { order, bits }: RowOf<'endian'>, dst: number): void {
  if (order === 'le') {
    if (bits === 16) f.extend(32, 16, false, dst, dst);
    else if (bits === 32) f.mov(32, dst, dst);
    return;
  }
  if (bits === 16) {
    f.rotate16(dst);
    f.extend(32, 16, false, dst, dst);
  } else {
    f.bswap(bits, dst);
  }
}

function compareImm(f: FunctionCode, row: RowOf<'branch'>, dst: number, imm: number): void {
  if (row.condition === 'set') f.testImm(row.width, dst, imm);
  else if (imm === 0) f.test(row.width, dst, dst);
  else f.aluImm('cmp', row.width, dst, imm);
}
