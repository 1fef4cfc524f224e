/**
 * A function of a program with something attached to it, which runs in its place or around it.
 * Only who is attached to pays: engines compile a program again with its patches, and calls of the
 * patched functions then go through here.
 */

/** A function with all its arguments; `tailCalls` of the 33 allowed are used up. */
export type PatchedFunction = (
  r1: bigint,
  r2: bigint,
  r3: bigint,
  r4: bigint,
  r5: bigint,
  stackTop: number,
  tailCalls: number,
) => bigint;

/** @param original runs the function itself, on the same stack */
export type Patch = (original: PatchedFunction, ...call: Parameters<PatchedFunction>) => bigint;

/** By subprogram. The entry's is not among them: it is entered from outside (bpf/prog.ts). */
export type Patches = ReadonlyMap<number, Patch>;

export const NO_PATCHES: Patches = new Map();
