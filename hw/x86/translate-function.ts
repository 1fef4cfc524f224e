/**
 * A function of machine code as a WebAssembly function: () -> i32, the low half of the address that
 * it returned to, which its caller checks. WebAssembly has no way to return elsewhere.
 */
import { I32, I64 } from '../../bpf/jit/code-writer.ts';
import { structure } from '../../bpf/jit/structure.ts';
import type { ModuleWriter, Signature } from '../../bpf/jit/module-writer.ts';
import { FLAGS, HOST_CALL_WORDS, type InsnDescriptor } from '../cpu/events.ts';
import type { Ending, MachineFunction } from './control-flow.ts';
import type { X86Insn } from './decode.ts';
import { pushCondition, type Flags } from './flags.ts';
import { ARGUMENTS, CALLER_SAVED, RAX, RSP } from './registers.ts';
import type { KernelSymbol } from './symbols.ts';
import { stackOperand, translateInsn } from './translate.ts';
import type { DivideOperation } from './translate-divide.ts';
import { WasmFunction, type WasmHost } from './wasm-function.ts';

export const FUNCTION: Signature = { params: [], results: ['i32'] };

/** What a function's code refers to outside itself. */
export interface Linkage extends WasmHost {
  readonly module: ModuleWriter;
  /** Of the image's first byte. */
  readonly address: bigint;
  /** Number in the module of the function at that offset; undefined for what is no function of it. */
  functionAt(offset: number): number | undefined;
  symbolAt(address: bigint): KernelSymbol;
  /** The register that a fault of the load at that offset zeroes. */
  zeroedBy(offset: number): number | undefined;
  /** Lowest address that the stack may reach, as a RAM offset. */
  readonly stackLimit: number;
  /** Give caller-saved registers a value that no program wants. */
  readonly poison: boolean;
  readonly imports: {
    /** (low half of the target: i32) -> i32: a jump to another program. */
    readonly leave: number;
    /** (offset: i32): #DE */
    readonly divideError: number;
    /** (offset: i32): a function returned elsewhere, or int3 was reached. */
    readonly lost: number;
    /** (offset: i32) */
    readonly stackOverflow: number;
    readonly divide: Readonly<Record<DivideOperation, number>>;
  };
  /** Id of each block of a function, with `words` that follow it; in traced code. */
  blockOf(entry: number, block: number): { readonly id: number; readonly words: number };
}

const POISON = 0x6b6b_6b6b_6b6b_6b6bn;

export function translateFunction(
  link: Linkage,
  func: MachineFunction,
  descriptors: readonly InsnDescriptor[],
  slotAt: (offset: number) => number | undefined,
): WasmFunction {
  return new FunctionTranslation(link, func, descriptors).write(slotAt);
}

class FunctionTranslation {
  readonly #link: Linkage;
  readonly #func: MachineFunction;
  readonly #descriptors: readonly InsnDescriptor[];
  readonly #f: WasmFunction;
  /** What each block leaves for the jump at its end. */
  readonly #flags: (Flags | undefined)[] = [];

  constructor(link: Linkage, func: MachineFunction, descriptors: readonly InsnDescriptor[]) {
    this.#link = link;
    this.#func = func;
    this.#descriptors = descriptors;
    const used = new Set<number>();
    const written = new Set<number>();
    for (const { reads, writes } of descriptors) {
      for (const register of reads) if (register !== FLAGS) used.add(register);
      for (const register of writes) {
        if (register === FLAGS) continue;
        used.add(register);
        written.add(register);
      }
    }
    // Calls out take arguments from registers and leave a result.
    if (func.endings.some(({ kind }) => kind === 'call')) {
      for (const register of [...ARGUMENTS, RAX]) used.add(register);
      written.add(RAX);
      if (link.poison) for (const register of ARGUMENTS) written.add(register);
    }
    this.#f = new WasmFunction(link, used, written);
  }

  write(slotAt: (offset: number) => number | undefined): WasmFunction {
    const f = this.#f;
    const { cfg, insns, endings } = this.#func;
    structure(f, cfg, {
      body: ({ index, slots }) => {
        if (this.#link.events !== undefined) {
          const { id, words } = this.#link.blockOf(this.#func.entry, index);
          f.enterBlock(id, words);
        }
        let flags: Flags | undefined;
        slots.forEach((slot, i) => {
          const insn = insns[slot]!;
          const bpfSlot = slotAt(insn.offset);
          if (bpfSlot !== undefined) f.mark(bpfSlot);
          const made = translateInsn(f, insn, {
            flagsUsed: this.#flagsUsed(slots, i),
            zeroes: this.#link.zeroedBy(insn.offset),
            divide: (operation) => this.#link.imports.divide[operation],
            divideError: this.#link.imports.divideError,
          });
          if (this.#descriptors[slot]!.writes.includes(FLAGS)) flags = made;
        });
        this.#flags[index] = flags;
        this.#ending(endings[index]!, slots.at(-1)!);
      },
      condition: ({ index, slots }) => {
        pushCondition(f, insns[slots.at(-1)!]!, this.#flags[index]);
      },
    });
    f.end();
    return f;
  }

  /** A jump comes before the flags are set again. */
  #flagsUsed(slots: readonly number[], from: number): boolean {
    for (const slot of slots.slice(from + 1)) {
      const { reads, writes } = this.#descriptors[slot]!;
      if (reads.includes(FLAGS)) return true;
      if (writes.includes(FLAGS)) return false;
    }
    return false;
  }

  #ending(ending: Ending, last: number): void {
    const f = this.#f;
    const { imports } = this.#link;
    const insn = this.#func.insns[last]!;
    switch (ending.kind) {
      case 'fall':
      case 'branch':
        return;
      case 'return':
        f.address(stackOperand(0), 8, insn.offset);
        f.memory(I32.load, 0);
        this.#moveStack(8n);
        f.spill();
        return f.return();
      case 'call':
        return this.#call(ending.target, insn.offset, insn.offset + insn.length);
      case 'go':
        f.spill();
        f.callOwn(this.#link.functionAt(ending.target)!);
        return f.return();
      case 'leave':
        f.spill();
        return this.#leave(ending.target, insn);
      case 'trap':
        f.i32(insn.offset);
        f.callImport(imports.lost);
        return;
    }
  }

  #leave(target: number | undefined, insn: X86Insn): void {
    const f = this.#f;
    const { imports } = this.#link;
    const address = f.temporary('target', 'i64');
    if (target !== undefined) f.i64(this.#addressOf(target));
    else f.get((insn.operands[0] as { register: number }).register);
    f.localTee(address);
    // Kernel text is the last 2 GiB; elsewhere a jump cannot lead.
    f.localGet(address);
    f.op(I32.wrap);
    f.op(I64.extend_s);
    f.op(I64.ne);
    f.if();
    f.i32(insn.offset);
    f.callImport(imports.lost);
    f.end();
    f.localGet(address);
    f.op(I32.wrap);
    f.callImport(imports.leave);
    f.return();
  }

  #addressOf(offset: number): bigint {
    return BigInt.asIntN(64, this.#link.address + BigInt(offset));
  }

  #moveStack(by: bigint): void {
    const f = this.#f;
    f.get(RSP);
    f.i64(by);
    f.op(I64.add);
    f.set(RSP);
  }

  #call(target: number, at: number, next: number): void {
    const f = this.#f;
    const { imports, stackLimit } = this.#link;
    f.address(stackOperand(-8), 8, at);
    f.i64(this.#addressOf(next));
    f.memory(I64.store, 0);
    const callee = this.#link.functionAt(target);
    if (callee === undefined) return this.#callHost(target);
    f.get32(RSP);
    f.i32(stackLimit);
    f.op(I32.lt_u);
    f.if();
    f.i32(at);
    f.callImport(imports.stackOverflow);
    f.unreachable();
    f.end();
    this.#moveStack(-8n);
    f.spill();
    f.callOwn(callee);
    f.i32(Number(BigInt.asIntN(32, this.#addressOf(next))));
    f.op(I32.ne);
    f.if();
    f.i32(at);
    f.callImport(imports.lost);
    f.unreachable();
    f.end();
    f.reload();
  }

  /** The kernel function takes its return address off the stack itself. */
  #callHost(target: number): void {
    const f = this.#f;
    const symbol = this.#link.symbolAt(BigInt.asUintN(64, this.#link.address + BigInt(target)));
    const { pass, returns, value } = symbol.host;
    for (const register of ARGUMENTS.slice(0, HOST_CALL_WORDS)) f.note(() => f.get32(register));
    const results = {
      i32: 'i32',
      u32: 'i32',
      pointer: 'i32',
      i64: 'i64',
      void: undefined,
    } as const;
    const result = results[returns];
    const name = `${symbol.name}@${symbol.address.toString(16)}`;
    const func = this.#link.module.importFunction(
      name,
      { params: pass, results: result === undefined ? [] : [result] },
      value,
    );
    pass.forEach((passing, i) => {
      if (passing === 'i32') f.get32(ARGUMENTS[i]!);
      else f.get(ARGUMENTS[i]!);
    });
    f.callImport(func);
    this.#setResult(returns);
    if (!this.#link.poison) return;
    for (const register of CALLER_SAVED) {
      if (!f.uses(register)) continue;
      f.i64(POISON);
      f.set(register);
    }
  }

  #setResult(returns: KernelSymbol['host']['returns']): void {
    const f = this.#f;
    switch (returns) {
      case 'i32':
        f.op(I64.extend_s);
        return f.set(RAX);
      case 'u32':
        return f.set32(RAX);
      case 'i64':
        return f.set(RAX);
      case 'pointer':
        return f.setPointer(RAX);
      case 'void':
        f.i64(0n);
        return f.set(RAX);
    }
  }
}
