/**
 * Which BPF instruction a place in a generated module belongs to.
 *
 *   mapFunction(range, code)     of the code that was written there
 *   slotAt(functions, offset)    by byte offset in the module, as a stack trace names it
 */
import type { CodeWriter } from './code-writer.ts';
import type { CodeRange } from './module-writer.ts';

export interface MappedFunction extends CodeRange {
  /** Pairs of offset in the function's body and slot, ascending. */
  readonly marks: Uint32Array;
}

export function mapFunction(range: CodeRange, { marks }: CodeWriter): MappedFunction {
  const moved = Uint32Array.from(marks);
  for (let i = 0; i < moved.length; i += 2) moved[i]! += range.codeAt;
  return { ...range, marks: moved };
}

export function slotAt(functions: readonly MappedFunction[], offset: number): number | undefined {
  const func = functions.find(
    ({ start, sizeBytes }) => start <= offset && offset < start + sizeBytes,
  );
  if (func === undefined) return undefined;
  const { start, marks } = func;
  let slot: number | undefined;
  for (let i = 0; i < marks.length && start + marks[i]! <= offset; i += 2) slot = marks[i + 1];
  return slot;
}
