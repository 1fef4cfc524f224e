/**
 * How a BPF function looks as a WASM function, and expressions for its registers and addresses.
 *
 * Every function has one signature, so that subprograms, callbacks and tail calls are all alike:
 *   (r1, r2, r3, r4, r5: i64, stackTop: i32, tailCalls: i32) -> i64 (r0)
 * Registers are i64 locals. Stack frames lie in RAM; `stackTop` is the frame's r10, so a stack slot
 * is a constant offset from a local, `frame`, without an add.
 */
import { KERNEL_BASE } from '../../kernel/ram/ram.ts';
import type { Insn } from '../isa/insn.ts';
import type { Binaryen, Expr, WasmModule, WasmType } from './binaryen.ts';

const R0 = 7;
const R6 = 8;
export const STACK_TOP = 5;
export const TAIL_CALLS = 6;
export const LOCALS = { frame: 13, i32: 14, i64: 15, label: 16, f64: 17 } as const;

/** Local of register n. */
const REGISTER = [R0, 0, 1, 2, 3, 4, R6, R6 + 1, R6 + 2, R6 + 3, R6 + 4] as const;

export function functionType(binaryen: Binaryen): { params: WasmType; locals: WasmType[] } {
  const { i32, i64, f64 } = binaryen;
  return {
    params: binaryen.createType([i64, i64, i64, i64, i64, i32, i32]),
    locals: [i64, i64, i64, i64, i64, i64, i32, i32, i64, i32, f64],
  };
}

/** A WASM address: the i32 expression and the constant that the instruction itself adds. */
export interface Address {
  readonly base: Expr;
  readonly offset: number;
}

export class FrameExpressions {
  readonly m: WasmModule;
  readonly stackBytes: number;
  readonly #b: Binaryen;

  constructor(binaryen: Binaryen, module: WasmModule, stackBytes: number) {
    this.#b = binaryen;
    this.m = module;
    this.stackBytes = stackBytes;
  }

  get(register: number): Expr {
    return this.m.local.get(REGISTER[register]!, this.#b.i64);
  }

  set(register: number, value: Expr): Expr {
    return this.m.local.set(REGISTER[register]!, value);
  }

  /** Low half of a register. */
  get32(register: number): Expr {
    return this.m.i32.wrap(this.get(register));
  }

  /** From an i32, the upper half 0. */
  set32(register: number, value: Expr): Expr {
    return this.set(register, this.m.i64.extend_u(value));
  }

  i32(local: keyof typeof LOCALS): Expr {
    return this.m.local.get(LOCALS[local], this.#b.i32);
  }

  i64Temp(): Expr {
    return this.m.local.get(LOCALS.i64, this.#b.i64);
  }

  stackTop(): Expr {
    return this.m.local.get(STACK_TOP, this.#b.i32);
  }

  tailCalls(): Expr {
    return this.m.local.get(TAIL_CALLS, this.#b.i32);
  }

  /** What runs before the first instruction. */
  prologue(): Expr[] {
    const { m } = this;
    return [
      m.local.set(LOCALS.frame, m.i32.sub(this.stackTop(), m.i32.const(this.stackBytes))),
      this.set(10, this.kernelAddress(this.stackTop())),
    ];
  }

  /** The kernel address of a RAM offset that is not NULL. */
  kernelAddress(offset: Expr): Expr {
    return this.m.i64.or(this.m.i64.extend_u(offset), this.m.i64.const(KERNEL_BASE));
  }

  /**
   * Of register + off. A WASM offset is unsigned and does not wrap: a negative one is added first.
   * (The pointer itself may lie before its object, but never below the 64 KiB NULL guard.)
   */
  address({ register, off }: { register: number; off: number }): Address {
    const { m } = this;
    if (register === 10 && off >= -this.stackBytes) {
      return { base: this.i32('frame'), offset: this.stackBytes + off };
    }
    const base = this.get32(register);
    return off >= 0
      ? { base, offset: off }
      : { base: m.i32.add(base, m.i32.const(off)), offset: 0 };
  }

  /** Where a load reads and where a store or atomic writes. */
  source(insn: Insn): Address {
    return this.address({ register: insn.src, off: insn.off });
  }

  destination(insn: Insn): Address {
    return this.address({ register: insn.dst, off: insn.off });
  }
}
