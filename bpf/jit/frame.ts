/**
 * The WASM function of one subprogram while its code is written: registers, temporaries, addresses.
 *
 * Registers are i64 locals, made when first used. Stack frames lie in RAM: a slot is a constant
 * offset from a local, the frame's lowest byte, so that its address needs no addition.
 */
import { KERNEL_BASE } from '../../kernel/ram/ram.ts';
import { CodeWriter, I32, I64, type ValueType } from './code-writer.ts';
import type { Shape } from './shape.ts';

const R10 = 10;

export class FunctionCode extends CodeWriter {
  readonly shape: Shape;
  readonly stackBytes: number;
  /** Types of the locals behind the parameters. */
  readonly locals: ValueType[] = [];
  readonly #params: number;
  readonly #registers: number[] = [];
  readonly #temporaries: Partial<Record<ValueType | 'label', number>> = {};
  readonly #frame: number;

  constructor(shape: Shape, stackBytes: number) {
    super();
    this.shape = shape;
    this.stackBytes = stackBytes;
    shape.args.forEach((register, i) => (this.#registers[register] = i));
    this.#params = shape.args.length + Number(shape.takesStack) + Number(shape.takesTailCalls);
    this.#frame = this.local('i32');
    if (!shape.takesStack) return;
    this.stackTop();
    this.i32(stackBytes);
    this.op(I32.sub);
    this.localSet(this.#frame);
  }

  /** A new local. */
  local(type: ValueType): number {
    return this.#params + this.locals.push(type) - 1;
  }

  /** A local for use within one instruction. */
  temporary(type: ValueType): number {
    return (this.#temporaries[type] ??= this.local(type));
  }

  /** The local that a dispatcher of blocks keeps the next one in. */
  labelLocal(): number {
    return (this.#temporaries.label ??= this.local('i32'));
  }

  get(register: number): void {
    if (register !== R10) {
      this.localGet(this.#local(register));
      return;
    }
    this.stackTop();
    this.toKernelAddress();
  }

  set(register: number): void {
    this.localSet(this.#local(register));
  }

  /** The low half. */
  get32(register: number): void {
    if (register === R10) {
      this.stackTop();
      return;
    }
    this.get(register);
    this.op(I32.wrap);
  }

  /** From the i32 on the stack; the upper half becomes 0. */
  set32(register: number): void {
    this.op(I64.extend_u);
    this.set(register);
  }

  setConstant(register: number, value: bigint): void {
    this.i64(value);
    this.set(register);
  }

  stackTop(): void {
    this.localGet(this.shape.args.length);
  }

  /** The frame's lowest byte, which is the top of a callee's frame. */
  frame(): void {
    this.localGet(this.#frame);
  }

  tailCalls(): void {
    this.localGet(this.tailCallsLocal);
  }

  get tailCallsLocal(): number {
    return this.shape.args.length + 1;
  }

  /** From the RAM offset on the stack, which is not NULL's. */
  toKernelAddress(): void {
    this.op(I64.extend_u);
    this.i64(KERNEL_BASE);
    this.op(I64.or);
  }

  /** r0 = the RAM offset on the stack as a pointer, NULL for 0. */
  setPointer(): void {
    const offset = this.temporary('i32');
    this.localTee(offset);
    this.if('i64');
    this.localGet(offset);
    this.toKernelAddress();
    this.else();
    this.i64(0n);
    this.end();
    this.set(0);
  }

  /**
   * Push the address register + off; the instruction that uses it adds the offset returned. A WASM
   * offset is unsigned and does not wrap: a negative one is added first. (The pointer itself may
   * lie before its object, but never below the 64 KiB NULL guard.)
   */
  address(register: number, off: number): number {
    if (register === R10 && off >= -this.stackBytes && off < 0) {
      this.frame();
      return this.stackBytes + off;
    }
    this.get32(register);
    if (off >= 0) return off;
    this.i32(off);
    this.op(I32.add);
    return 0;
  }

  #local(register: number): number {
    return (this.#registers[register] ??= this.local('i64'));
  }
}
