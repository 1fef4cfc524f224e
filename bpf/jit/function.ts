/**
 * The code of one subprogram.
 */
import { Bug } from '../../kernel/types/units.ts';
import { callbackOfImm64 } from '../calls.ts';
import { imm64At } from '../isa/codec.ts';
import { rowOf } from '../isa/table.ts';
import { emitAlu, emitCondition, emitEndian, emitMovsx, emitNeg } from './alu.ts';
import { emitCall, type CodeContext } from './calls.ts';
import { FunctionCode } from './frame.ts';
import { emitAtomic, emitLoad, emitStore } from './memory.ts';
import { emitPacketLoad } from './packet.ts';
import { structure } from './structure.ts';

/** Code to put before each instruction. */
export type BeforeEach = (slot: number, f: FunctionCode) => void;

export function functionCode(c: CodeContext, subprog: number, before?: BeforeEach): FunctionCode {
  const { program } = c;
  const shape = c.shapes[subprog]!;
  const f = new FunctionCode(shape, program.subprogs[subprog]!.stackBytes);
  structure(f, shape.cfg, {
    body: ({ slots }) => {
      slots.forEach((slot, i) => {
        f.mark(slot);
        before?.(slot, f);
        emitInsn(c, f, slot, () => slots.slice(0, i));
      });
    },
    condition: ({ slots }) => {
      const insn = program.insns[slots.at(-1)!]!;
      const row = rowOf(insn);
      if (row?.kind !== 'branch') throw new Bug('a block with two ways out ends in no branch');
      emitCondition(f, row, insn);
    },
  });
  f.end();
  return f;
}

/** Jumps are the structure's to make. */
function emitInsn(
  c: CodeContext,
  f: FunctionCode,
  slot: number,
  before: () => readonly number[],
): void {
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
      return emitCall(c, f, row, slot, before());
    case 'exit':
      f.get(0);
      return f.return();
    case 'goto':
    case 'branch':
    case 'nospec':
      return;
  }
}

function imm64Value({ program, state }: CodeContext, slot: number): bigint {
  const callback = callbackOfImm64(program, slot);
  if (callback !== undefined) return state.funcAddress(program, callback);
  return BigInt.asIntN(64, imm64At(program.insns, slot));
}
