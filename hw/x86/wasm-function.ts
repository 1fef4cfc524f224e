/** x86's part of a function as WebAssembly: addresses of its operands. */
import { I64 } from '../../bpf/jit/code-writer.ts';
import { WasmFunction } from '../cpu/jit/wasm-function.ts';
import type { Operand } from './decode.ts';

export type MemoryOperand = Extract<Operand, { kind: 'memory' }>;

export class X86Function extends WasmFunction {
  /** Push the operand's address. */
  effectiveAddress({ base, index, scale, displacement }: MemoryOperand): void {
    this.get(base);
    if (index !== undefined) {
      this.get(index);
      if (scale > 1) {
        this.i64(BigInt(Math.log2(scale)));
        this.op(I64.shl);
      }
      this.op(I64.add);
    }
    if (displacement !== 0) {
      this.i64(BigInt(displacement));
      this.op(I64.add);
    }
  }

  /** Push the RAM offset of what the operand means; a fault where it is not RAM. */
  address(operand: MemoryOperand, bytes: number, insn: number): void {
    this.checked(() => this.effectiveAddress(operand), bytes, insn);
  }

  /** `load` with the operand's RAM offset pushed; `otherwise` where it is not RAM. */
  addressOr(operand: MemoryOperand, bytes: number, load: () => void, otherwise: () => void): void {
    this.checkedOr(() => this.effectiveAddress(operand), bytes, load, otherwise);
  }
}
