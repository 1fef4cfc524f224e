/** Division as WebAssembly: rdx:rax by an operand, quotient to rax and remainder to rdx. */
import { I32, I64 } from '../../bpf/jit/code-writer.ts';
import type { X86Insn } from './decode.ts';
import { RAX, RDX } from './registers.ts';
import type { WasmFunction } from './wasm-function.ts';

export type DivideOperation = 'div' | 'mod' | 'idiv' | 'imod';

export interface DivideSite {
  /** Imports (rdx, rax, divisor) -> i64 for dividends of 128 bits, by name. */
  divide(operation: DivideOperation): number;
  /** Import (offset of the instruction: i32): #DE, which does not return. */
  readonly divideError: number;
}

/** edx:eax by 32 bits, in 64. @param pushDivisor pushes an i32 */
export function divide64(
  f: WasmFunction,
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
  f: WasmFunction,
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
function errorIf(f: WasmFunction, { offset }: X86Insn, site: DivideSite): void {
  f.if();
  f.i32(offset);
  f.callImport(site.divideError);
  f.unreachable();
  f.end();
}
