/**
 * The WebAssembly function that a function of machine code becomes, while it is written: registers
 * are locals, kept in the core's state between functions; memory is RAM, checked. Architectures add
 * their addresses and flags.
 */
import type { Ram } from '../../../kernel/ram/ram.ts';
import { KERNEL_BASE, NULL_GUARD_BYTES } from '../../../kernel/ram/ram.ts';
import { CodeWriter, I32, I64, type ValueType } from '../../../bpf/jit/code-writer.ts';
import type { EventBuffer } from './core-state.ts';

/** What the writer of one function needs to know of the module and the core. */
export interface WasmHost {
  readonly ram: Ram;
  readonly registersAt: number;
  /** Where events go, in traced code. */
  readonly events: EventBuffer | undefined;
  /** Imports: (address: i64, offset of the instruction: i32, bytes: i32), which does not return. */
  readonly fault: number;
  /** () -> i32: empties the buffer, returns where it begins. */
  readonly flush: number;
}

export class WasmFunction extends CodeWriter {
  readonly locals: ValueType[] = [];
  readonly #host: WasmHost;
  /** Local of each register, undefined for what the function does not touch. */
  readonly #registers: (number | undefined)[] = [];
  readonly #written: readonly number[];
  readonly #temporaries = new Map<string, number>();
  /** Words of the current block that are written already. */
  #word = 0;

  constructor(host: WasmHost, used: ReadonlySet<number>, written: ReadonlySet<number>) {
    super();
    this.#host = host;
    for (const register of [...used].sort((a, b) => a - b)) {
      this.#registers[register] = this.local('i64');
    }
    this.#written = [...written].sort((a, b) => a - b);
    this.reload();
  }

  local(type: ValueType): number {
    return this.locals.push(type) - 1;
  }

  /** A local of that name, made when first asked for. */
  temporary(name: string, type: ValueType): number {
    let local = this.#temporaries.get(name);
    if (local === undefined) {
      local = this.local(type);
      this.#temporaries.set(name, local);
    }
    return local;
  }

  /** Registers from the core's state. */
  reload(): void {
    this.#registers.forEach((local, register) => {
      this.i32(0);
      this.memory(I64.load, this.#host.registersAt + 8 * register);
      this.localSet(local!);
    });
  }

  /** And back: before control goes elsewhere. */
  spill(): void {
    for (const register of this.#written) {
      this.i32(0);
      this.get(register);
      this.memory(I64.store, this.#host.registersAt + 8 * register);
    }
  }

  uses(register: number): boolean {
    return this.#registers[register] !== undefined;
  }

  get(register: number): void {
    this.localGet(this.#registers[register]!);
  }

  get32(register: number): void {
    this.get(register);
    this.op(I32.wrap);
  }

  set(register: number): void {
    this.localSet(this.#registers[register]!);
  }

  /** From the i32 on the stack. */
  set32(register: number): void {
    this.op(I64.extend_u);
    this.set(register);
  }

  /** The kernel address of the RAM offset on the stack, NULL for 0. */
  setPointer(register: number): void {
    const offset = this.temporary('pointer', 'i32');
    this.localTee(offset);
    this.if('i64');
    this.localGet(offset);
    this.op(I64.extend_u);
    this.i64(BigInt.asIntN(64, KERNEL_BASE));
    this.op(I64.or);
    this.else();
    this.i64(0n);
    this.end();
    this.set(register);
  }

  /** Note that the block with that id is entered, and make room for its words. */
  enterBlock(id: number, words: number): void {
    const { events, flush } = this.#host;
    if (events === undefined) return;
    const cursor = this.temporary('cursor', 'i32');
    this.i32(0);
    this.memory(I32.load, events.cursorAt);
    this.localTee(cursor);
    this.i32(events.limit);
    this.op(I32.gt_u);
    this.if();
    this.callImport(flush);
    this.localSet(cursor);
    this.end();
    this.localGet(cursor);
    this.i32(id);
    this.memory(I32.store, 0);
    this.i32(0);
    this.localGet(cursor);
    this.i32(4 * (1 + words));
    this.op(I32.add);
    this.memory(I32.store, events.cursorAt);
    this.#word = 1;
  }

  /** Add a word to the block's; `push` pushes it. */
  note(push: () => void): void {
    if (this.#host.events === undefined) return;
    this.localGet(this.temporary('cursor', 'i32'));
    push();
    this.memory(I32.store, 4 * this.#word++);
  }

  /** Push whether `bytes` at the address in `ea` are not all of RAM. */
  #isOutside(ea: number, bytes: number): void {
    const low = KERNEL_BASE + BigInt(NULL_GUARD_BYTES);
    this.localGet(ea);
    this.i64(BigInt.asIntN(64, -low));
    this.op(I64.add);
    this.i64(BigInt(this.#host.ram.sizeBytes - NULL_GUARD_BYTES - bytes));
    this.op(I64.gt_u);
  }

  /** Push the RAM offset of the address that `push` pushes; a fault where that is not RAM. */
  checked(push: () => void, bytes: number, insn: number): void {
    const ea = this.#noted(push);
    this.#isOutside(ea, bytes);
    this.if();
    this.localGet(ea);
    this.i32(insn);
    this.i32(bytes);
    this.callImport(this.#host.fault);
    this.unreachable();
    this.end();
    this.localGet(ea);
    this.op(I32.wrap);
  }

  /** `load` with the RAM offset of the address pushed; `otherwise` where it is not RAM. */
  checkedOr(push: () => void, bytes: number, load: () => void, otherwise: () => void): void {
    const ea = this.#noted(push);
    this.#isOutside(ea, bytes);
    this.if();
    otherwise();
    this.else();
    this.localGet(ea);
    this.op(I32.wrap);
    load();
    this.end();
  }

  /** The local that holds the address. */
  #noted(push: () => void): number {
    const ea = this.temporary('ea', 'i64');
    push();
    this.localSet(ea);
    this.note(() => {
      this.localGet(ea);
      this.op(I32.wrap);
    });
    return ea;
  }
}
