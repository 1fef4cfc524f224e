/** AArch64's part of a function as WebAssembly: the zero register, operands, addresses. */
import { I32, I64, type IntOps } from '../../bpf/jit/code-writer.ts';
import { WasmFunction } from '../cpu/jit/wasm-function.ts';
import type { ArmInsn } from './decode.ts';
import { ZR } from './registers.ts';

export class ArmFunction extends WasmFunction {
  /** Push a register's 64 or 32 bits; what can be done with them. */
  value(width: 32 | 64, register: number): IntOps {
    if (register === ZR) {
      if (width === 64) this.i64(0n);
      else this.i32(0);
    } else if (width === 64) {
      this.get(register);
    } else {
      this.get32(register);
    }
    return width === 64 ? I64 : I32;
  }

  /** A register from what is on the stack; 32 bits clear the upper half. */
  setValue(width: 32 | 64, register: number): void {
    if (register === ZR)
      this.localSet(this.temporary(`none${width}`, width === 64 ? 'i64' : 'i32'));
    else if (width === 64) this.set(register);
    else this.set32(register);
  }

  /** Push the address that the instruction's base, index and offset make, plus `further`. */
  effectiveAddress({ rn, rm, imm, addressing }: ArmInsn, further = 0n): void {
    this.get(rn!);
    const offset = (addressing === 'post' ? 0n : (imm ?? 0n)) + further;
    if (rm !== undefined) {
      this.value(64, rm);
      this.op(I64.add);
    }
    if (offset !== 0n) {
      this.i64(offset);
      this.op(I64.add);
    }
  }

  /** The base moves where the addressing says so. */
  writeBack({ rn, imm, addressing }: ArmInsn): void {
    if (addressing !== 'pre' && addressing !== 'post') return;
    this.get(rn!);
    this.i64(imm!);
    this.op(I64.add);
    this.set(rn!);
  }
}
