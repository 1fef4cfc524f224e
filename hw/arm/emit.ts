/**
 * Machine code of one lowered BPF instruction: arithmetic, jumps and all that is no memory access
 * and no call. The sequences are those of Linux 6.1 (build_insn, arch/arm64/net/bpf_jit_comp.c),
 * which knows no signed division and sign extension; those follow Linux 6.6.
 */
import type { AluOperation, Condition, RowOf } from '../../bpf/isa/row.ts';
import type { Lowered } from '../cpu/jit/lowered.ts';
import { Bug } from '../../kernel/types/units.ts';
import {
  isAddSubImm,
  type AluOp,
  type ConditionCode,
  type LogicalOp,
  type TwoSourceOp,
  type Width,
} from './assembler.ts';
import { emitCall, type Outside } from './emit-call.ts';
import { emitAtomic, emitLoad, emitStore } from './emit-memory.ts';
import type { FunctionCode } from './function-code.ts';
import { ARM_OF_BPF, TMP1, TMP2, ZR } from './registers.ts';

const reg = (bpf: number): number => ARM_OF_BPF[bpf]!;

export function emitItem(f: FunctionCode, item: Lowered, outside: Outside): void {
  const { row, insn } = item;
  const dst = reg(insn.dst);
  const src = reg(insn.src);
  switch (row.kind) {
    case 'alu':
      return row.source === 'imm' ? aluImm(f, row, dst, insn.imm) : aluReg(f, row, dst, src);
    case 'neg':
      return f.alu('sub', row.width, dst, ZR, dst);
    case 'movsx':
      return f.bitfield('sbfm', row.width, dst, src, 0, row.bits - 1);
    case 'endian':
      return endian(f, row, dst);
    case 'ld_imm64':
      // A callback's address is known only when all is placed: Linux gives it one size.
      if (row.form === 'func') return f.movAddress(dst, item.imm64!);
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
      else f.alu(row.condition === 'set' ? 'ands' : 'subs', row.width, ZR, dst, src);
      return f.jumpToItem(item.target!.index, CONDITIONS[row.condition]);
    case 'call':
      return emitCall(f, item, outside);
    case 'exit':
      return f.exit();
    case 'nospec':
      // Linux relies on the processor's own mitigation here.
      return;
    case 'ld_packet':
      throw new Bug(`${row.name} is lowered to a call`);
  }
}

const CONDITIONS: Readonly<Record<Condition, ConditionCode>> = {
  eq: 'eq',
  ne: 'ne',
  gt: 'hi',
  ge: 'cs',
  lt: 'cc',
  le: 'ls',
  sgt: 'gt',
  sge: 'ge',
  slt: 'lt',
  sle: 'le',
  set: 'ne',
};

const SIMPLE: Partial<Record<AluOperation, AluOp>> = {
  add: 'add',
  sub: 'sub',
  and: 'and',
  or: 'orr',
  xor: 'eor',
};
const LOGICAL: Partial<Record<AluOperation, LogicalOp>> = { and: 'and', or: 'orr', xor: 'eor' };
const SHIFTS: Partial<Record<AluOperation, 'lsl' | 'lsr' | 'asr'>> = {
  lsh: 'lsl',
  rsh: 'lsr',
  arsh: 'asr',
};
const TWO_SOURCES: Partial<Record<AluOperation, TwoSourceOp>> = {
  lsh: 'lslv',
  rsh: 'lsrv',
  arsh: 'asrv',
  div: 'udiv',
  sdiv: 'sdiv',
};

function aluImm(f: FunctionCode, row: RowOf<'alu'>, dst: number, imm: number): void {
  const { operation, width } = row;
  if (operation === 'mov') return f.movImm(width, dst, imm);
  if (operation === 'add' || operation === 'sub') {
    const opposite = operation === 'add' ? 'sub' : 'add';
    if (isAddSubImm(imm)) return f.addSubImm(operation, width, dst, dst, imm);
    if (isAddSubImm(-imm)) return f.addSubImm(opposite, width, dst, dst, -imm);
  }
  const logical = LOGICAL[operation];
  if (logical !== undefined && f.logicalImm(logical, width, dst, dst, BigInt(imm))) return;
  const shift = SHIFTS[operation];
  if (shift !== undefined) return f.shiftImm(shift, width, dst, dst, imm & (width - 1));
  // The remainder needs the first temporary register itself.
  const operand = isRemainder(operation) ? TMP2 : TMP1;
  f.movImm(width, operand, imm);
  aluReg(f, row, dst, operand);
}

const isRemainder = (operation: AluOperation): boolean =>
  operation === 'mod' || operation === 'smod';

function aluReg(f: FunctionCode, row: RowOf<'alu'>, dst: number, src: number): void {
  const { operation, width } = row;
  const simple = SIMPLE[operation];
  if (simple !== undefined) return f.alu(simple, width, dst, dst, src);
  const twoSources = TWO_SOURCES[operation];
  if (twoSources !== undefined) return f.twoSources(twoSources, width, dst, dst, src);
  switch (operation) {
    case 'mov':
      return f.mov(width, dst, src);
    case 'mul':
      return f.multiply('madd', width, dst, ZR, dst, src);
    case 'mod':
    case 'smod':
      f.twoSources(operation === 'mod' ? 'udiv' : 'sdiv', width, TMP1, dst, src);
      return f.multiply('msub', width, dst, dst, TMP1, src);
    default:
      throw new Bug(`no code for ${row.name}`);
  }
}

/** The machine is little-endian: `le` only truncates. */
function endian(f: FunctionCode, { order, bits }: RowOf<'endian'>, dst: number): void {
  if (order !== 'le') f.reverse(bits, bits === 64 ? 64 : 32, dst, dst);
  if (bits === 16 || (bits === 32 && order === 'le')) {
    f.bitfield('ubfm', 32, dst, dst, 0, bits - 1);
  }
}

function compareImm(f: FunctionCode, row: RowOf<'branch'>, dst: number, imm: number): void {
  const { width } = row;
  if (row.condition === 'set') {
    if (f.logicalImm('ands', width, ZR, dst, BigInt(imm))) return;
  } else {
    if (isAddSubImm(imm)) return f.addSubImm('subs', width, ZR, dst, imm);
    if (isAddSubImm(-imm)) return f.addSubImm('adds', width, ZR, dst, -imm);
  }
  f.movImm(width as Width, TMP1, imm);
  f.alu(row.condition === 'set' ? 'ands' : 'subs', width, ZR, dst, TMP1);
}
