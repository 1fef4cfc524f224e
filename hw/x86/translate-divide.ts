/** Division as WebAssembly: rdx:rax by an operand, quotient to rax and remainder to rdx. */
import { I32, I64 } from '../../bpf/jit/code-writer.ts';
import type { Linkage } from '../cpu/jit/linkage.ts';
import type { X86Insn } from './decode.ts';
import { RAX, RDX } from './registers.ts';
import type { X86Function } from './wasm-function.ts';

export type DivideOperation = 'div' | 'mod' | 'idiv' | 'imod';

export interface DivideSite {
  /** Imports (rdx, rax, divisor) -> i64 for dividends of 128 bits, by name. */
  divide(operation: DivideOperation): number;
  /** Import (offset of the instruction: i32): #DE, which does not return. */
  divideError(): number;
}

/** edx:eax by 32 bits, in 64. @param pushDivisor pushes an i32 */
export function divide64(
  f: X86Function,
  insn: X86Insn,
  site: DivideSite,
  signed: boolean,
  pushDivisor: () => void,
): void {
  const dividend = f.temporary('dividend', 'i64');
  const divisor = f.temporary('divisor', 'i64');
  const quotient = f.temporary('quotient', 'i64');
  pushDivisor();
  f.op(signed ? I64.extend_s : I64.extend_u);
  f.localTee(divisor);
  f.op(I64.eqz);
  errorIf(f, insn, site);
  f.get(RDX);
  f.i64(32n);
  f.op(I64.shl);
  f.get32(RAX);
  f.op(I64.extend_u);
  f.op(I64.or);
  f.localTee(dividend);
  f.localGet(divisor);
  f.op(signed ? I64.div_s : I64.div_u);
  f.localTee(quotient);
  f.localGet(quotient);
  f.op(I32.wrap);
  f.op(signed ? I64.extend_s : I64.extend_u);
  f.op(I64.ne);
  errorIf(f, insn, site);
  f.localGet(dividend);
  f.localGet(divisor);
  f.op(signed ? I64.rem_s : I64.rem_u);
  f.op(I32.wrap);
  f.set32(RDX);
  f.localGet(quotient);
  f.op(I32.wrap);
  f.set32(RAX);
}

/**
 * rdx:rax by 64 bits. Where rdx only extends rax, as after `xor` and `cqo`, 64 bits do.
 * @param pushDivisor pushes an i64
 */
export function divide128(
  f: X86Function,
  insn: X86Insn,
  site: DivideSite,
  signed: boolean,
  pushDivisor: () => void,
): void {
  const divisor = f.temporary('divisor', 'i64');
  const quotient = f.temporary('quotient', 'i64');
  pushDivisor();
  f.localTee(divisor);
  f.op(I64.eqz);
  errorIf(f, insn, site);
  f.get(RDX);
  if (signed) {
    f.get(RAX);
    f.i64(63n);
    f.op(I64.shr_s);
    f.op(I64.eq);
    // The smallest number by -1 has no quotient; let the long way find out.
    f.localGet(divisor);
    f.i64(-1n);
    f.op(I64.ne);
    f.op(I32.and);
  } else {
    f.op(I64.eqz);
  }
  f.if();
  f.get(RAX);
  f.localGet(divisor);
  f.op(signed ? I64.div_s : I64.div_u);
  f.localSet(quotient);
  f.get(RAX);
  f.localGet(divisor);
  f.op(signed ? I64.rem_s : I64.rem_u);
  f.set(RDX);
  f.else();
  for (const operation of signed ? (['idiv', 'imod'] as const) : (['div', 'mod'] as const)) {
    f.get(RDX);
    f.get(RAX);
    f.localGet(divisor);
    f.callImport(site.divide(operation));
    if (operation.endsWith('mod')) f.set(RDX);
    else f.localSet(quotient);
  }
  f.end();
  f.localGet(quotient);
  f.set(RAX);
}

/** #DE if the i32 on the stack is not 0. */
function errorIf(f: X86Function, { offset }: X86Insn, site: DivideSite): void {
  f.if();
  f.i32(offset);
  f.callImport(site.divideError());
  f.unreachable();
  f.end();
}

export const divideErrorImport = ({ module, traps }: Linkage): number =>
  module.importFunction('divideError', { params: ['i32'], results: [] }, () =>
    traps.divideError.bind(traps),
  );

export const divideImport = ({ module, traps }: Linkage, operation: DivideOperation): number =>
  module.importFunction(
    operation,
    { params: ['i64', 'i64', 'i64'], results: ['i64'] },
    () => (high: bigint, low: bigint, by: bigint) => {
      const result = quotient128(operation, high, low, by);
      if (result === undefined) traps.divideError(-1);
      return result!;
    },
  );

/** Undefined where the quotient does not fit 64 bits. */
export function quotient128(
  operation: DivideOperation,
  high: bigint,
  low: bigint,
  by: bigint,
): bigint | undefined {
  const signed = operation.startsWith('i');
  const bits = (high << 64n) | BigInt.asUintN(64, low);
  const dividend = signed ? BigInt.asIntN(128, bits) : BigInt.asUintN(128, bits);
  const divisor = signed ? by : BigInt.asUintN(64, by);
  const quotient = dividend / divisor;
  const fits = signed
    ? BigInt.asIntN(64, quotient) === quotient
    : BigInt.asUintN(64, quotient) === quotient;
  if (!fits) return undefined;
  return BigInt.asIntN(64, operation.endsWith('mod') ? dividend % divisor : quotient);
}
