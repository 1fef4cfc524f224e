/** WebAssembly through which the host enters machine code: registers and stack are made ready. */
import { CodeWriter, I32, I64 } from '../../../bpf/jit/code-writer.ts';
import { KERNEL_BASE } from '../../../kernel/ram/ram.ts';
import { HOST_RETURN } from './text-space.ts';

export class EntryCode extends CodeWriter {
  readonly #registersAt: number;

  constructor(registersAt: number) {
    super();
    this.#registersAt = registersAt;
  }

  setRegister(register: number, push: () => void): void {
    this.i32(0);
    push();
    this.memory(I64.store, this.#registersAt + 8 * register);
  }

  setConstant(register: number, value: bigint): void {
    this.setRegister(register, () => this.i64(value));
  }

  setHostReturn(register: number): void {
    this.setConstant(register, BigInt.asIntN(64, HOST_RETURN));
  }

  /** The kernel address of local `top` (an i32) minus `below`. */
  setStack(register: number, top: number, below: number): void {
    this.setRegister(register, () => {
      this.localGet(top);
      this.i32(below);
      this.op(I32.sub);
      this.op(I64.extend_u);
      this.i64(BigInt.asIntN(64, KERNEL_BASE));
      this.op(I64.or);
    });
  }

  /** memory[top - below] = value, 8 bytes. */
  store(top: number, below: number, value: bigint): void {
    this.localGet(top);
    this.i32(below);
    this.op(I32.sub);
    this.i64(BigInt.asIntN(64, value));
    this.memory(I64.store, 0);
  }

  /** Look where the function returned to, whose result is on the stack, and return `register`. */
  returned(register: number, lost: number): void {
    this.i32(Number(BigInt.asIntN(32, HOST_RETURN)));
    this.op(I32.ne);
    this.if();
    this.i32(0);
    this.callImport(lost);
    this.end();
    this.i32(0);
    this.memory(I64.load, this.#registersAt + 8 * register);
    this.end();
  }
}
