/**
 * What a call instruction calls, for all engines alike.
 *
 *   helperOfCall(program, slot)       the helper's row
 *   tailCallTarget(runtime, map, i)   the program in a slot of a prog_array
 *   kfuncOfCall(program, slot)        what engines need of a kernel function
 *   callbackOfImm64(program, slot)    the subprogram whose address a ld_imm64 loads
 */
import { Bug, type RamOffset } from '../kernel/types/units.ts';
import type { Executable } from './engine.ts';
import { helperFor } from './helpers/allow.ts';
import type { Helper } from './helpers/helper.ts';
import { rowOf } from './isa/table.ts';
import { callingOf } from './kfuncs/kfunc.ts';
import { kfuncNamed } from './kfuncs/table.ts';
import { kindInEffect, type VerifiedProgram } from './program.ts';
import type { BpfRuntime } from './runtime.ts';

/** bpf_tail_call: engines implement it themselves, since it does not return. */
export const HELPER_TAIL_CALL = 12;

const ALL_CAPS = { bpf: true, perfmon: true, sysAdmin: true };

/** Undefined for an id that this kind of program does not have: no verified program calls it. */
export function helperOfCall(program: VerifiedProgram, slot: number): Helper | undefined {
  const helper = program.facts[slot]?.helper;
  return helper ?? helperFor(kindInEffect(program.spec), program.insns[slot]!.imm, ALL_CAPS);
}

/** Undefined for a function that has no implementation: loading refuses its callers. */
export function kfuncOfCall(
  { facts }: VerifiedProgram,
  slot: number,
): ReturnType<typeof callingOf> {
  const name = facts[slot]?.kfunc;
  const row = name === undefined ? undefined : kfuncNamed(name);
  return row && callingOf(row);
}

/** The program calls a kernel function that is only known by name. */
export function missingKfunc(program: VerifiedProgram): boolean {
  return program.facts.some(({ kfunc }, slot) => {
    return kfunc !== undefined && kfuncOfCall(program, slot) === undefined;
  });
}

/** Undefined where the ld_imm64 loads something else. */
export function callbackOfImm64(program: VerifiedProgram, slot: number): number | undefined {
  const isFunc =
    program.facts[slot]?.imm64?.kind === 'func' || rowOf(program.insns[slot]!)?.name === 'ld_func';
  return isFunc ? program.insns[slot]!.imm : undefined;
}

/** Undefined for an index out of range, null for an empty slot: the tail call falls through. */
export function tailCallTarget(
  runtime: BpfRuntime,
  mapOffset: RamOffset,
  index: number,
): Executable | null | undefined {
  const map = runtime.mapAt(mapOffset);
  if (map === undefined) throw new Bug(`tail call through no map: ${mapOffset.toString(16)}`);
  if (index >>> 0 >= map.spec.maxEntries) return undefined;
  const progId = map.progIdAt?.(index >>> 0) ?? 0;
  return progId === 0 ? null : (runtime.executableOf(progId) ?? null);
}
