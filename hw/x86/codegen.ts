/**
 * The code generator: a verified program becomes x86-64 machine code.
 *
 *   generate(context, allocate)   the image: bytes, and where in it is what
 *
 * Each subprogram is written in passes, as in Linux: jumps start long and become short where the
 * pass before shows that their target is near, until nothing moves any more. Calls have one size, so
 * addresses are needed only by the last pass.
 */
import { INT3 } from './assembler.ts';
import { Bug } from '../../kernel/types/units.ts';
import type { CodeFunction, ExceptionEntry, MachineImage } from '../cpu/jit/architecture.ts';
import { tailCallReach } from '../cpu/jit/tail-call-reach.ts';
import { emitItem, type Outside } from './emit.ts';
import { FunctionCode, type FunctionShape, type Layout, type PokeSite } from './function-code.ts';
import { USER_LIMIT } from './emit-memory.ts';
import { lowerSubprog, type LowerContext } from '../cpu/jit/lower.ts';

export interface CodeImage extends MachineImage {
  readonly pokes: readonly PokeSite[];
}

/** Functions start at cache lines (BPF_PROG_CHUNK_SIZE, kernel/bpf/core.c). */
const FUNCTION_ALIGN = 64;
/** No item is longer: where passes start. Only size is lost by a wrong guess. */
const ITEM_BYTES = 160;

/** @param allocate the address for that many bytes */
export function generate(
  c: LowerContext,
  programEntries: bigint,
  allocate: (sizeBytes: number) => bigint,
): CodeImage {
  const shapes = shapesOf(c);
  const nowhere: Outside = { distanceTo: () => 0, programEntries };
  const layouts = shapes.map((shape) => settle(shape, nowhere));
  const starts: number[] = [];
  let sizeBytes = 0;
  for (const { starts: items } of layouts) {
    starts.push(sizeBytes);
    sizeBytes += FUNCTION_ALIGN * Math.ceil(items.at(-1)! / FUNCTION_ALIGN);
  }
  const address = allocate(sizeBytes);
  const bytes = new Uint8Array(sizeBytes).fill(INT3);
  const exceptions: ExceptionEntry[] = [];
  const pokes: PokeSite[] = [];
  const functions = shapes.map((shape, i): CodeFunction => {
    const start = starts[i]!;
    const outside: Outside = {
      programEntries,
      distanceTo: (target, at) =>
        typeof target === 'bigint'
          ? Number(target - (address + BigInt(start + at)))
          : starts[target.subprog]! - (start + at),
    };
    const code = write(shape, layouts[i]!, outside);
    bytes.set(code.bytes, start);
    for (const { at, register } of code.exceptions) exceptions.push({ at: start + at, register });
    for (const { bypassAt, jumpAt, slotAt } of code.pokes) {
      pokes.push({ bypassAt: start + bypassAt, jumpAt: start + jumpAt, slotAt });
    }
    const marks = shape.items.flatMap(({ slot }, item) => [start + code.starts[item]!, slot]);
    const { name } = shape.info;
    return { name, start, sizeBytes: code.length, marks: Uint32Array.from(marks) };
  });
  return { address, bytes, functions, exceptions, pokes };
}

function write(shape: FunctionShape, layout: Layout, outside: Outside): FunctionCode {
  const code = new FunctionCode(shape, layout);
  code.prologue();
  for (const item of shape.items) {
    code.starts.push(code.length);
    emitItem(code, item, outside);
  }
  code.starts.push(code.length);
  return code;
}

/** Passes until nothing moves; each can only shrink the code, so that they end. */
function settle(shape: FunctionShape, outside: Outside): Layout {
  let layout: Layout = {
    starts: Array.from({ length: shape.items.length + 1 }, (_, item) => item * ITEM_BYTES),
  };
  for (;;) {
    const { starts, length } = write(shape, layout, outside);
    const moved = starts.some((start, item) => start !== layout.starts[item]);
    if (!moved) return layout;
    if (length > layout.starts.at(-1)! + ITEM_BYTES) throw new Bug('a pass made code longer');
    layout = { starts };
  }
}

function shapesOf(c: LowerContext): readonly FunctionShape[] {
  const reaching = tailCallReach(c.program);
  return c.program.subprogs.map((info, subprog) => ({
    info,
    items: lowerSubprog(c, subprog),
    isEntry: subprog === 0,
    reachesTailCall: reaching.has(subprog),
    lowestKernelAddress: c.host?.lowestKernelAddress ?? USER_LIMIT,
  }));
}
