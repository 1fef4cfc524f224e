/**
 * From what the host throws while a BPF program runs to the kernel oops that it stands for.
 *
 * A trap of generated code is an access outside RAM; a RangeError is the host's stack exhausted by
 * nested programs. Both are the guest's fault. Anything else is ours and stays what it is.
 */
import { NULL_GUARD_BYTES } from '../kernel/ram/ram.ts';
import type { RamOffset } from '../kernel/types/units.ts';
import { BpfOops, type CodePlace } from './program.ts';
import type { ProgramTable } from './jit/program-table.ts';

/** How a module of the JIT is named, by the program's index in the table. */
export const moduleName = (index: number): string => `bpf_prog_${index}`;

/**
 * The innermost frame of a program in a stack trace. V8 writes the module's name and a hash; other
 * hosts leave out the name, and the fault is then without a place.
 */
const FRAME = /\bbpf_prog_(\d+)-[0-9a-f]+:wasm-function\[\d+\]:0x([0-9a-f]+)/;

export function asOops(error: unknown, programs: ProgramTable): unknown {
  const nowhere = NULL_GUARD_BYTES as RamOffset;
  if (error instanceof RangeError) return new BpfOops('kernel stack overflow', nowhere);
  if (error instanceof WebAssembly.RuntimeError) {
    const message = `unable to handle access outside memory (${error.message})`;
    return new BpfOops(message, nowhere, placeOf(error, programs));
  }
  return error;
}

function placeOf({ stack }: Error, programs: ProgramTable): CodePlace | undefined {
  const [, index, offset] = FRAME.exec(stack ?? '') ?? [];
  if (index === undefined || offset === undefined) return undefined;
  return programs.locate(Number(index), parseInt(offset, 16));
}
