/**
 * One subprogram as a WASM function.
 */
import { Bug } from '../../kernel/types/units.ts';
import { callbackOfImm64 } from '../calls.ts';
import { imm64At } from '../isa/codec.ts';
import { rowOf } from '../isa/table.ts';
import { emitAlu, emitCondition, emitEndian, emitMovsx, emitNeg } from './alu.ts';
import type { Expr, WasmModule } from './binaryen.ts';
import { emitCall, functionName, type CodeContext } from './calls.ts';
import { buildCfg, type Block } from './cfg.ts';
import { FrameExpressions, functionType, LOCALS } from './frame.ts';
import { emitAtomic, emitLoad, emitStore } from './memory.ts';
import { emitPacketLoad } from './packet.ts';
import { structure } from './structure.ts';

export interface FunctionOptions {
  readonly module: WasmModule;
  /** An expression to put before each instruction, for listings and traces. */
  readonly mark?: ((slot: number, f: FrameExpressions) => Expr) | undefined;
}

export function emitFunction(c: CodeContext, subprog: number, options: FunctionOptions): void {
  const { binaryen, program } = c;
  const { module, mark } = options;
  const info = program.subprogs[subprog]!;
  const f = new FrameExpressions(binaryen, module, info.stackBytes);
  const cfg = buildCfg(program, info);
  const body = structure(binaryen, module, cfg, {
    labelLocal: LOCALS.label,
    body: (block) =>
      block.slots.flatMap((slot, i) => {
        const exprs = emitInsn(c, f, slot, block.slots.slice(0, i));
        return mark ? [mark(slot, f), ...exprs] : exprs;
      }),
    condition: (block) => condition(c, f, block),
  });
  const { params, locals } = functionType(binaryen);
  const code = module.block(null, [...f.prologue(), body]);
  module.addFunction(functionName(subprog), params, binaryen.i64, locals, code);
}

function condition(c: CodeContext, f: FrameExpressions, block: Block): Expr {
  const insn = c.program.insns[block.slots.at(-1)!]!;
  const row = rowOf(insn);
  if (row?.kind !== 'branch') throw new Bug('a block with two ways out ends in no branch');
  return emitCondition(f, row, insn);
}

/** Jumps are the structure's to make. */
function emitInsn(
  c: CodeContext,
  f: FrameExpressions,
  slot: number,
  before: readonly number[],
): Expr[] {
  const insn = c.program.insns[slot]!;
  const row = rowOf(insn)!;
  switch (row.kind) {
    case 'alu':
      return [emitAlu(f, row, insn)];
    case 'neg':
      return [emitNeg(f, row, insn)];
    case 'movsx':
      return [emitMovsx(f, row, insn)];
    case 'endian':
      return [emitEndian(f, row, insn)];
    case 'ld_imm64':
      return [f.set(insn.dst, f.m.i64.const(imm64Value(c, slot)))];
    case 'ld_packet':
      return emitPacketLoad(c, f, row, insn);
    case 'load':
      return emitLoad(f, row, insn, c.runtime.ram.sizeBytes);
    case 'store':
      return [emitStore(f, row, insn)];
    case 'atomic':
      return emitAtomic(f, row, insn);
    case 'call':
      return emitCall(c, f, row, slot, before);
    case 'exit':
      return [f.m.return(f.get(0))];
    case 'goto':
    case 'branch':
    case 'nospec':
      return [];
  }
}

function imm64Value({ program, state }: CodeContext, slot: number): bigint {
  const callback = callbackOfImm64(program, slot);
  if (callback !== undefined) return state.funcAddress(program, callback);
  return BigInt.asIntN(64, imm64At(program.insns, slot));
}
