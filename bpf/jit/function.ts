/**
 * The code of one subprogram. Small ones that it calls are written in place of the call.
 */
import { Bug } from '../../kernel/types/units.ts';
import { callbackOfImm64 } from '../calls.ts';
import { imm64At } from '../isa/codec.ts';
import { rowOf } from '../isa/table.ts';
import { emitAlu, emitCondition, emitEndian, emitMovsx, emitNeg } from './alu.ts';
import { emitHelper, emitKfunc, type CodeContext } from './calls.ts';
import { FunctionCode } from './frame.ts';
import { emitAtomic, emitLoad, emitStore } from './memory.ts';
import { emitPacketLoad } from './packet.ts';
import { structure } from './structure.ts';

/** Code to put before and behind each instruction; behind a jump there is none. */
export interface AroundEach {
  before(slot: number, f: FunctionCode): void;
  after?(slot: number, f: FunctionCode): void;
}

/** Of a subprogram that is written in place of calls: its slots, and how deep in each other. */
const MAX_INLINED_SLOTS = 40;
const MAX_INLINED_DEPTH = 3;
/** Slots that may come into one function so. */
const MAX_ADDED_SLOTS = 2000;

export function functionCode(c: CodeContext, subprog: number, around?: AroundEach): FunctionCode {
  const f = new FunctionCode(c.shapes[subprog]!, c.program.subprogs[subprog]!.stackBytes);
  new Body(c, f, around).write(subprog);
  f.end();
  return f;
}

/** Writes the instructions of a subprogram, and of those that are inlined in it. */
class Body {
  readonly #c: CodeContext;
  readonly #f: FunctionCode;
  readonly #around: AroundEach | undefined;
  #depth = 0;
  #roomSlots = MAX_ADDED_SLOTS;

  constructor(c: CodeContext, f: FunctionCode, around: AroundEach | undefined) {
    this.#c = c;
    this.#f = f;
    this.#around = around;
  }

  write(subprog: number): void {
    structure(this.#f, this.#c.shapes[subprog]!.cfg, {
      body: ({ slots }) => {
        slots.forEach((slot, i) => {
          this.#f.mark(slot);
          this.#around?.before(slot, this.#f);
          this.#insn(slot, () => slots.slice(0, i));
          this.#around?.after?.(slot, this.#f);
        });
      },
      condition: ({ slots }) => {
        const insn = this.#c.program.insns[slots.at(-1)!]!;
        const row = rowOf(insn);
        if (row?.kind !== 'branch') throw new Bug('a block with two ways out ends in no branch');
        emitCondition(this.#f, row, insn);
      },
    });
  }

  #call(start: number): void {
    const f = this.#f;
    const { program, shapes, inline } = this.#c;
    const callee = program.subprogs.findIndex((subprog) => subprog.start === start);
    const shape = shapes[callee]!;
    const { args, takesStack, takesTailCalls } = shape;
    const { end, stackBytes } = program.subprogs[callee]!;
    const slots = end - start;
    const hasRoom = this.#depth < MAX_INLINED_DEPTH && slots <= this.#roomSlots;
    if (inline && slots <= MAX_INLINED_SLOTS && hasRoom && !takesTailCalls) {
      this.#roomSlots -= slots;
      this.#depth++;
      f.inlined(shape, stackBytes, () => this.write(callee));
      this.#depth--;
      return;
    }
    for (const register of args) f.get(register);
    if (takesStack) f.frame();
    if (takesTailCalls) f.tailCalls();
    const patch = this.#c.patchOf(callee);
    if (patch === undefined) f.callOwn(callee);
    else f.callImport(patch);
    f.set(0);
  }

  /** Jumps are the structure's to make. */
  #insn(slot: number, before: () => readonly number[]): void {
    const c = this.#c;
    const f = this.#f;
    const insn = c.program.insns[slot]!;
    const row = rowOf(insn)!;
    switch (row.kind) {
      case 'alu':
        return emitAlu(f, row, insn);
      case 'neg':
        return emitNeg(f, row, insn);
      case 'movsx':
        return emitMovsx(f, row, insn);
      case 'endian':
        return emitEndian(f, row, insn);
      case 'ld_imm64':
        return f.setConstant(insn.dst, imm64Value(c, slot));
      case 'ld_packet':
        return emitPacketLoad(c, f, row, insn);
      case 'load':
        return emitLoad(f, row, insn, c.runtime.ram.sizeBytes);
      case 'store':
        return emitStore(f, row, insn);
      case 'atomic':
        return emitAtomic(f, row, insn);
      case 'call':
        if (row.target === 'subprog') return this.#call(slot + 1 + insn.imm);
        if (row.target === 'kfunc') return emitKfunc(c, f, slot);
        return emitHelper(c, f, slot, before());
      case 'exit':
        return f.exit();
      case 'goto':
      case 'branch':
      case 'nospec':
        return;
    }
  }
}

function imm64Value({ program, state }: CodeContext, slot: number): bigint {
  const callback = callbackOfImm64(program, slot);
  if (callback !== undefined) return state.funcAddress(program, callback);
  return BigInt.asIntN(64, imm64At(program.insns, slot));
}
