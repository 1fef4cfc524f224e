/**
 * The code generator: a verified program becomes AArch64 machine code.
 *
 *   generate(context, options, allocate)   the image: bytes, and where in it is what
 *
 * All instructions have one size, and so has what stands for an address, so that two passes do: one
 * for places, one for code.
 */
import { rowOf } from '../../bpf/isa/table.ts';
import type { SubprogInfo, VerifiedProgram } from '../../bpf/program.ts';
import type { CodeFunction, ExceptionEntry, MachineImage } from '../cpu/jit/architecture.ts';
import { lowerSubprog, type LowerContext } from '../cpu/jit/lower.ts';
import type { Lowered } from '../cpu/jit/lowered.ts';
import { BREAK_FAULT } from './assembler.ts';
import type { Outside } from './emit-call.ts';
import { emitItem } from './emit.ts';
import { FunctionCode, type ArmOptions, type FunctionShape, type Layout } from './function-code.ts';

/** Functions start at cache lines (BPF_PROG_CHUNK_SIZE, kernel/bpf/core.c). */
const FUNCTION_ALIGN = 64;
/** The plt's address, behind the function. */
const PLT_TARGET_BYTES = 8;
const R10 = 10;

export function generate(
  c: LowerContext,
  options: Required<ArmOptions>,
  allocate: (sizeBytes: number) => bigint,
): MachineImage {
  const shapes = c.program.subprogs.map((info, subprog): FunctionShape => {
    const items = lowerSubprog(c, subprog);
    const bottomOffset = bottomOf(c.program, info, items);
    return { info, items, isEntry: subprog === 0, options, bottomOffset };
  });
  const nowhere: Outside = { addressOf: () => -1n };
  const sizes = shapes.map((shape) => write(shape, undefined, nowhere));
  const places: number[] = [];
  let sizeBytes = 0;
  for (const { length } of sizes) {
    places.push(sizeBytes);
    sizeBytes += FUNCTION_ALIGN * Math.ceil((length + PLT_TARGET_BYTES) / FUNCTION_ALIGN);
  }
  const address = allocate(sizeBytes);
  const bytes = new Uint8Array(sizeBytes);
  new Uint32Array(bytes.buffer).fill(BREAK_FAULT);
  const outside: Outside = { addressOf: (subprog) => address + BigInt(places[subprog]!) };
  const exceptions: ExceptionEntry[] = [];
  const functions = shapes.map((shape, i): CodeFunction => {
    const start = places[i]!;
    const code = write(shape, sizes[i], outside);
    bytes.set(code.bytes, start);
    for (const { at, register } of code.exceptions) exceptions.push({ at: start + at, register });
    const marks = shape.items.flatMap(({ slot }, item) => [start + code.starts[item]!, slot]);
    const { name } = shape.info;
    return { name, start, sizeBytes: code.length, marks: Uint32Array.from(marks) };
  });
  return { address, bytes, functions, exceptions };
}

function write(shape: FunctionShape, layout: Layout | undefined, outside: Outside): FunctionCode {
  const code = new FunctionCode(shape, layout);
  code.prologue();
  for (const item of shape.items) {
    code.starts.push(code.length);
    emitItem(code, item, outside);
  }
  code.starts.push(code.length);
  code.epilogue();
  code.plt();
  return code;
}

/** How far below r10 the lowest access by a fixed offset lies, down to a multiple of 8 bytes. */
function bottomOf(
  { insns }: VerifiedProgram,
  { start, end }: SubprogInfo,
  items: readonly Lowered[],
): number {
  const writesR10 = insns.slice(start, end).some((insn) => {
    const row = rowOf(insn);
    if (row === undefined) return false;
    if (row.kind === 'atomic') return row.fetch && insn.src === R10;
    return /^(alu|neg|movsx|endian|ld_imm64|load)$/.test(row.kind) && insn.dst === R10;
  });
  if (writesR10) return 0;
  let lowest = 0;
  for (const { row, insn } of items) {
    const base = row.kind === 'store' ? insn.dst : row.kind === 'load' ? insn.src : undefined;
    if (base === R10) lowest = Math.min(lowest, insn.off);
  }
  return 8 * Math.floor(-lowest / 8);
}
