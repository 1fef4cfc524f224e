/**
 * The WASM function of one subprogram while its code is written: registers, temporaries, addresses.
 *
 * Registers are i64 locals, made when first used. Stack frames lie in RAM: a slot is a constant
 * offset from a local, the frame's lowest byte, so that its address needs no addition.
 */
import { KERNEL_BASE } from '../../kernel/ram/ram.ts';
import { CodeWriter, I32, I64, type Label, type ValueType } from './code-writer.ts';
import type { Shape } from './shape.ts';

const R10 = 10;
const FIRST_CALLEE_SAVED = 6;

/** What differs between a function and a subprogram whose code stands in it. */
interface Scope {
  /** Local of each of r6 to r9, as far as there is one yet. */
  readonly saved: number[];
  readonly stackBytes: number;
  /** Locals: r10's offset, and the frame's lowest byte. */
  readonly stackTop: number;
  readonly frame: number;
  /** Where an inlined subprogram ends; undefined in the function itself. */
  readonly end: Label | undefined;
}

export class FunctionCode extends CodeWriter {
  /** Types of the locals behind the parameters. */
  readonly locals: ValueType[] = [];
  readonly tailCallsLocal: number;
  readonly #params: number;
  /** Local of each of r0 to r5, as far as there is one yet. */
  readonly #registers: number[] = [];
  readonly #temporaries: Partial<Record<ValueType, number>> = {};
  #scope: Scope;

  constructor({ args, takesStack, takesTailCalls }: Shape, stackBytes: number) {
    super();
    args.forEach((register, i) => (this.#registers[register] = i));
    const stackTop = args.length;
    this.tailCallsLocal = args.length + 1;
    this.#params = args.length + Number(takesStack) + Number(takesTailCalls);
    const frame = takesStack ? this.#frameBelow(stackTop, stackBytes) : stackTop;
    this.#scope = { saved: [], stackBytes, stackTop, frame, end: undefined };
  }

  /**
   * Write a subprogram in place of a call. It shares r0 to r5, which the call would clobber, and has
   * r6 to r9 and the stack frame to itself.
   */
  inlined({ takesStack }: Shape, stackBytes: number, write: () => void): void {
    const outer = this.#scope;
    const end = this.block();
    const stackTop = outer.frame;
    const frame = takesStack ? this.#frameBelow(stackTop, stackBytes) : stackTop;
    this.#scope = { saved: [], stackBytes, stackTop, frame, end };
    write();
    this.#scope = outer;
    this.end();
  }

  /** Leave the function, or the subprogram that is inlined, with what is in r0. */
  exit(): void {
    if (this.#scope.end !== undefined) {
      this.br(this.#scope.end);
      return;
    }
    this.get(0);
    this.return();
  }

  /** A local with the lowest byte of the frame that begins below `stackTop`. */
  #frameBelow(stackTop: number, stackBytes: number): number {
    const frame = this.local('i32');
    this.localGet(stackTop);
    this.i32(stackBytes);
    this.op(I32.sub);
    this.localSet(frame);
    return frame;
  }

  /** A new local. */
  local(type: ValueType): number {
    return this.#params + this.locals.push(type) - 1;
  }

  /** A local for use within one instruction. */
  temporary(type: ValueType): number {
    return (this.#temporaries[type] ??= this.local(type));
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
    this.localGet(this.#scope.stackTop);
  }

  /** The frame's lowest byte, which is the top of a callee's frame. */
  frame(): void {
    this.localGet(this.#scope.frame);
  }

  tailCalls(): void {
    this.localGet(this.tailCallsLocal);
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
    const { stackBytes } = this.#scope;
    if (register === R10 && off >= -stackBytes && off < 0) {
      this.frame();
      return stackBytes + off;
    }
    this.get32(register);
    if (off >= 0) return off;
    this.i32(off);
    this.op(I32.add);
    return 0;
  }

  #local(register: number): number {
    const locals = register < FIRST_CALLEE_SAVED ? this.#registers : this.#scope.saved;
    return (locals[register] ??= this.local('i64'));
  }
}
