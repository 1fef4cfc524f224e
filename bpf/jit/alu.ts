/**
 * WASM for the arithmetic instructions and the conditions of jumps. 32-bit operations work on the
 * wrapped halves and zero-extend; V8 makes one machine instruction of that.
 */
import type { AluOperation, Condition, RowOf } from '../isa/row.ts';
import type { Insn } from '../isa/insn.ts';
import { I32, I64, type IntOp, type IntOps, type ValueType } from './code-writer.ts';
import type { FunctionCode } from './frame.ts';

type Division = 'div' | 'mod' | 'sdiv' | 'smod';

/** WASM has these as they are; it masks shift counts as BPF does. */
const SAME: Readonly<Record<Exclude<AluOperation, Division | 'mov'>, IntOp>> = {
  add: 'add',
  sub: 'sub',
  mul: 'mul',
  or: 'or',
  and: 'and',
  xor: 'xor',
  lsh: 'shl',
  rsh: 'shr_u',
  arsh: 'shr_s',
};

/** The operands of an instruction at its width; each call pushes the value again. */
class Operands {
  readonly ops: IntOps;
  readonly type: ValueType;
  /** Where `b` is an immediate. */
  readonly imm: number | undefined;
  readonly #f: FunctionCode;
  readonly #insn: Insn;
  readonly #isWide: boolean;

  constructor(
    f: FunctionCode,
    insn: Insn,
    { width, source }: { readonly width: 32 | 64; readonly source: 'imm' | 'reg' },
  ) {
    this.#f = f;
    this.#insn = insn;
    this.#isWide = width === 64;
    this.ops = this.#isWide ? I64 : I32;
    this.type = this.#isWide ? 'i64' : 'i32';
    this.imm = source === 'imm' ? insn.imm : undefined;
  }

  a(): void {
    this.#get(this.#insn.dst);
  }

  b(): void {
    if (this.imm === undefined) this.#get(this.#insn.src);
    else this.constant(this.imm);
  }

  constant(value: number): void {
    if (this.#isWide) this.#f.i64(BigInt(value));
    else this.#f.i32(value);
  }

  /** a op b */
  binary(op: IntOp): void {
    this.a();
    this.b();
    this.#f.op(this.ops[op]);
  }

  #get(register: number): void {
    if (this.#isWide) this.#f.get(register);
    else this.#f.get32(register);
  }
}

export function emitAlu(f: FunctionCode, row: RowOf<'alu'>, insn: Insn): void {
  const { operation, width } = row;
  if (operation === 'mov' && row.source === 'imm') {
    f.setConstant(insn.dst, BigInt(width === 64 ? insn.imm : insn.imm >>> 0));
    return;
  }
  pushResult(f, operation, new Operands(f, insn, row));
  if (width === 64) f.set(insn.dst);
  else f.set32(insn.dst);
}

function pushResult(f: FunctionCode, operation: AluOperation, o: Operands): void {
  switch (operation) {
    case 'mov':
      return o.b();
    case 'div':
      return divide(f, o, 'div_u');
    case 'mod':
      return divide(f, o, 'rem_u');
    case 'sdiv':
      return divide(f, o, 'div_s');
    case 'smod':
      return divide(f, o, 'rem_s');
    default:
      return o.binary(SAME[operation]);
  }
}

/** Dividing by 0 gives 0, the remainder is the dividend. */
function divide(f: FunctionCode, o: Operands, op: 'div_u' | 'rem_u' | 'div_s' | 'rem_s'): void {
  const ifZero = (): void => (op.startsWith('div') ? o.constant(0) : o.a());
  const otherwise = (): void => (op === 'div_s' ? divideSigned(f, o) : o.binary(op));
  if (o.imm !== undefined) {
    if (o.imm === 0) ifZero();
    else otherwise();
    return;
  }
  o.b();
  f.op(o.ops.eqz);
  f.if(o.type);
  ifZero();
  f.else();
  otherwise();
  f.end();
}

/** WASM traps on the most negative number by -1; dividing by -1 is negation, which wraps. */
function divideSigned(f: FunctionCode, o: Operands): void {
  const negate = (): void => {
    o.constant(0);
    o.a();
    f.op(o.ops.sub);
  };
  if (o.imm !== undefined) {
    if (o.imm === -1) negate();
    else o.binary('div_s');
    return;
  }
  o.b();
  o.constant(-1);
  f.op(o.ops.eq);
  f.if(o.type);
  negate();
  f.else();
  o.binary('div_s');
  f.end();
}

export function emitNeg(f: FunctionCode, row: RowOf<'neg'>, { dst }: Insn): void {
  if (row.width === 64) {
    f.i64(0n);
    f.get(dst);
    f.op(I64.sub);
    f.set(dst);
  } else {
    f.i32(0);
    f.get32(dst);
    f.op(I32.sub);
    f.set32(dst);
  }
}

export function emitMovsx(f: FunctionCode, row: RowOf<'movsx'>, { dst, src }: Insn): void {
  if (row.bits === 32) {
    f.get32(src);
    f.op(I64.extend_s);
    f.set(dst);
  } else if (row.width === 64) {
    f.get(src);
    f.op(row.bits === 8 ? I64.extend8_s : I64.extend16_s);
    f.set(dst);
  } else {
    f.get32(src);
    f.op(row.bits === 8 ? I32.extend8_s : I32.extend16_s);
    f.set32(dst);
  }
}

/** The machine is little-endian: `le` only truncates. */
export function emitEndian(f: FunctionCode, row: RowOf<'endian'>, { dst }: Insn): void {
  const swaps = row.order !== 'le';
  switch (row.bits) {
    case 16:
      f.get32(dst);
      if (swaps) {
        swap16(f);
      } else {
        f.i32(0xffff);
        f.op(I32.and);
      }
      return f.set32(dst);
    case 32:
      f.get32(dst);
      if (swaps) swap32(f);
      return f.set32(dst);
    case 64:
      if (!swaps) return;
      f.get(dst);
      swap64(f);
      return f.set(dst);
  }
}

/** Of the low 16 bits of the i32 on the stack; the rest becomes 0. */
export function swap16(f: FunctionCode): void {
  const x = f.temporary('i32');
  f.localTee(x);
  f.i32(8);
  f.op(I32.shl);
  f.i32(0xff00);
  f.op(I32.and);
  f.localGet(x);
  f.i32(8);
  f.op(I32.shr_u);
  f.i32(0xff);
  f.op(I32.and);
  f.op(I32.or);
}

export function swap32(f: FunctionCode): void {
  const x = f.temporary('i32');
  f.localTee(x);
  f.i32(8);
  f.op(I32.rotl);
  f.i32(0x00ff00ff);
  f.op(I32.and);
  f.localGet(x);
  f.i32(8);
  f.op(I32.rotr);
  f.i32(0xff00ff00 | 0);
  f.op(I32.and);
  f.op(I32.or);
}

/** First the bytes in each 16 bits, then the four 16-bit parts. */
function swap64(f: FunctionCode): void {
  const x = f.temporary('i64');
  const masked = (op: number, count: bigint, mask: bigint): void => {
    f.i64(count);
    f.op(op);
    f.i64(mask);
    f.op(I64.and);
  };
  f.localTee(x);
  masked(I64.shl, 8n, 0xff00_ff00_ff00_ff00n);
  f.localGet(x);
  masked(I64.shr_u, 8n, 0x00ff_00ff_00ff_00ffn);
  f.op(I64.or);
  f.localTee(x);
  masked(I64.rotl, 16n, 0x0000_ffff_0000_ffffn);
  f.localGet(x);
  masked(I64.rotr, 16n, 0xffff_0000_ffff_0000n);
  f.op(I64.or);
}

const COMPARISON: Readonly<Record<Exclude<Condition, 'set'>, IntOp>> = {
  eq: 'eq',
  ne: 'ne',
  gt: 'gt_u',
  ge: 'ge_u',
  lt: 'lt_u',
  le: 'le_u',
  sgt: 'gt_s',
  sge: 'ge_s',
  slt: 'lt_s',
  sle: 'le_s',
};

/** Push an i32 that is not zero if the jump is taken. */
export function emitCondition(f: FunctionCode, row: RowOf<'branch'>, insn: Insn): void {
  const o = new Operands(f, insn, row);
  o.a();
  if (row.condition === 'eq' && o.imm === 0) {
    f.op(o.ops.eqz);
    return;
  }
  o.b();
  if (row.condition !== 'set') {
    f.op(o.ops[COMPARISON[row.condition]]);
    return;
  }
  f.op(o.ops.and);
  o.constant(0);
  f.op(o.ops.ne);
}
