/**
 * WASM for the arithmetic instructions and the conditions of jumps. 32-bit operations work on the
 * wrapped halves and zero-extend; V8 makes one machine instruction of that.
 */
import type { AluOperation, Condition, RowOf } from '../isa/row.ts';
import type { Insn } from '../isa/insn.ts';
import type { Expr, WasmModule } from './binaryen.ts';
import type { FrameExpressions } from './frame.ts';

/** Expressions are trees: what is used twice must be built twice. */
type Make = () => Expr;

interface Operands {
  readonly a: Make;
  readonly b: Make;
  /** The immediate, where `b` is one. */
  readonly imm: bigint | undefined;
}

type IntOps = WasmModule['i64'] | WasmModule['i32'];

interface Width {
  readonly m: WasmModule;
  readonly ops: IntOps;
  constant(value: bigint): Expr;
}

function aluExpression(operation: AluOperation, w: Width, { a, b, imm }: Operands): Expr {
  const { ops } = w;
  switch (operation) {
    case 'add':
      return ops.add(a(), b());
    case 'sub':
      return ops.sub(a(), b());
    case 'mul':
      return ops.mul(a(), b());
    case 'or':
      return ops.or(a(), b());
    case 'and':
      return ops.and(a(), b());
    case 'xor':
      return ops.xor(a(), b());
    case 'mov':
      return b();
    // WASM masks shift counts as BPF does.
    case 'lsh':
      return ops.shl(a(), b());
    case 'rsh':
      return ops.shr_u(a(), b());
    case 'arsh':
      return ops.shr_s(a(), b());
    case 'div':
      return unlessZero(
        w,
        imm,
        b,
        () => w.constant(0n),
        () => ops.div_u(a(), b()),
      );
    case 'mod':
      return unlessZero(w, imm, b, a, () => ops.rem_u(a(), b()));
    case 'sdiv':
      return unlessZero(
        w,
        imm,
        b,
        () => w.constant(0n),
        () => signedDivision(w, imm, a, b),
      );
    case 'smod':
      // WASM's rem_s of the most negative number by -1 is 0 and does not trap.
      return unlessZero(w, imm, b, a, () => ops.rem_s(a(), b()));
  }
}

function unlessZero(
  { m, ops }: Width,
  imm: bigint | undefined,
  b: Make,
  ifZero: Make,
  otherwise: Make,
): Expr {
  if (imm === undefined) return m.if(ops.eqz(b()), ifZero(), otherwise());
  return imm === 0n ? ifZero() : otherwise();
}

/** WASM traps on the most negative number by -1; dividing by -1 is negation, which wraps. */
function signedDivision(w: Width, imm: bigint | undefined, a: Make, b: Make): Expr {
  const { m, ops } = w;
  const negated = (): Expr => ops.sub(w.constant(0n), a());
  if (imm === -1n) return negated();
  if (imm !== undefined) return ops.div_s(a(), b());
  return m.if(ops.eq(b(), w.constant(-1n)), negated(), ops.div_s(a(), b()));
}

function widthOf(m: WasmModule, width: 32 | 64): Width {
  return width === 64
    ? { m, ops: m.i64, constant: (value) => m.i64.const(value) }
    : { m, ops: m.i32, constant: (value) => m.i32.const(Number(value)) };
}

function operands(
  f: FrameExpressions,
  insn: Insn,
  { width, source }: { readonly width: 32 | 64; readonly source: 'imm' | 'reg' },
): Operands {
  const get = width === 64 ? (r: number) => f.get(r) : (r: number) => f.get32(r);
  const { constant } = widthOf(f.m, width);
  const imm = source === 'imm' ? BigInt(insn.imm) : undefined;
  return {
    a: () => get(insn.dst),
    b: imm === undefined ? () => get(insn.src) : () => constant(imm),
    imm,
  };
}

export function emitAlu(f: FrameExpressions, row: RowOf<'alu'>, insn: Insn): Expr {
  if (row.operation === 'mov' && row.source === 'imm') {
    const imm = BigInt(insn.imm);
    const value = row.width === 64 ? imm : BigInt.asUintN(32, imm);
    return f.set(insn.dst, f.m.i64.const(value));
  }
  const value = aluExpression(row.operation, widthOf(f.m, row.width), operands(f, insn, row));
  return row.width === 64 ? f.set(insn.dst, value) : f.set32(insn.dst, value);
}

export function emitNeg(f: FrameExpressions, row: RowOf<'neg'>, { dst }: Insn): Expr {
  const { i32, i64 } = f.m;
  if (row.width === 64) return f.set(dst, i64.sub(i64.const(0n), f.get(dst)));
  return f.set32(dst, i32.sub(i32.const(0), f.get32(dst)));
}

export function emitMovsx(f: FrameExpressions, row: RowOf<'movsx'>, { dst, src }: Insn): Expr {
  const { i32, i64 } = f.m;
  if (row.bits === 32) return f.set(dst, i64.extend_s(f.get32(src)));
  if (row.width === 64) {
    return f.set(dst, row.bits === 8 ? i64.extend8_s(f.get(src)) : i64.extend16_s(f.get(src)));
  }
  const value = f.get32(src);
  return f.set32(dst, row.bits === 8 ? i32.extend8_s(value) : i32.extend16_s(value));
}

/** The machine is little-endian: `le` only truncates. */
export function emitEndian(f: FrameExpressions, row: RowOf<'endian'>, { dst }: Insn): Expr {
  const { i32, i64 } = f.m;
  const swaps = row.order !== 'le';
  switch (row.bits) {
    case 16: {
      if (!swaps) return f.set(dst, i64.and(f.get(dst), i64.const(0xffffn)));
      return f.set32(
        dst,
        swap16(f.m, () => f.get32(dst)),
      );
    }
    case 32:
      return f.set32(dst, swaps ? swap32(f.m, () => f.get32(dst)) : f.get32(dst));
    case 64: {
      if (!swaps) return f.m.nop();
      const low = swap32(f.m, () => f.get32(dst));
      const high = swap32(f.m, () => i32.wrap(i64.shr_u(f.get(dst), i64.const(32n))));
      return f.set(dst, i64.or(i64.shl(i64.extend_u(low), i64.const(32n)), i64.extend_u(high)));
    }
  }
}

/** Of the low 16 bits of an i32; the rest becomes 0. */
export function swap16({ i32 }: WasmModule, x: Make): Expr {
  const high = i32.shl(i32.and(x(), i32.const(0xff)), i32.const(8));
  const low = i32.and(i32.shr_u(x(), i32.const(8)), i32.const(0xff));
  return i32.or(high, low);
}

export function swap32({ i32 }: WasmModule, x: Make): Expr {
  const odd = i32.and(i32.rotl(x(), i32.const(8)), i32.const(0x00ff00ff));
  const even = i32.and(i32.rotr(x(), i32.const(8)), i32.const(0xff00ff00 | 0));
  return i32.or(odd, even);
}

/** Non-zero if the jump is taken. */
export function emitCondition(f: FrameExpressions, row: RowOf<'branch'>, insn: Insn): Expr {
  const { ops, constant } = widthOf(f.m, row.width);
  const { a, b } = operands(f, insn, row);
  const compare: Record<Condition, () => Expr> = {
    eq: () => ops.eq(a(), b()),
    ne: () => ops.ne(a(), b()),
    gt: () => ops.gt_u(a(), b()),
    ge: () => ops.ge_u(a(), b()),
    lt: () => ops.lt_u(a(), b()),
    le: () => ops.le_u(a(), b()),
    sgt: () => ops.gt_s(a(), b()),
    sge: () => ops.ge_s(a(), b()),
    slt: () => ops.lt_s(a(), b()),
    sle: () => ops.le_s(a(), b()),
    set: () => ops.ne(ops.and(a(), b()), constant(0n)),
  };
  return compare[row.condition]();
}
