/**
 * Programs that no verifier saw, for tests of engines: the caller vouches for them.
 *
 *   unverifiedProgram(insns)             subprograms found from the calls, 512 bytes of stack each
 *   unverifiedProgram(insns, {facts})    with what a verifier would have proved
 */
import { Bug } from '../../kernel/types/units.ts';
import { decodeInsns, imm64At } from '../../bpf/isa/codec.ts';
import type { Insn } from '../../bpf/isa/insn.ts';
import { rowOf } from '../../bpf/isa/table.ts';
import type { BpfMap } from '../../bpf/maps/map.ts';
import type { InsnFact, ProgramSpec, SubprogInfo, VerifiedProgram } from '../../bpf/program.ts';
import { uapi, type ProgType } from '../../bpf/uapi.ts';

export interface UnverifiedOptions {
  readonly type?: ProgType;
  readonly name?: string;
  /** By slot, besides `original`. */
  readonly facts?: Readonly<Record<number, Omit<InsnFact, 'original'>>>;
  readonly maps?: readonly BpfMap[];
  readonly stackBytes?: number;
}

export function unverifiedProgram(
  source: readonly Insn[] | Uint8Array,
  options: UnverifiedOptions = {},
): VerifiedProgram {
  const loaded = source instanceof Uint8Array ? decodeInsns(source) : source;
  const { starts, callbacks } = subprogStarts(loaded);
  const stackBytes = options.stackBytes ?? uapi.MAX_BPF_STACK;
  const subprogs = starts.map((start, i): SubprogInfo => {
    const end = starts[i + 1] ?? loaded.length;
    const body = loaded.slice(start, end);
    return {
      name: i === 0 ? 'main' : `sub_${i}`,
      start,
      end,
      stackBytes,
      isCallback: callbacks.has(start),
      hasTailCall: body.some((insn) => rowOf(insn)?.name === 'call_helper' && insn.imm === 12),
    };
  });
  const spec: ProgramSpec = {
    type: options.type ?? 'xdp',
    expectedAttachType: 'xdp',
    name: options.name ?? 'test',
    license: 'GPL',
    insns: loaded,
    mapByFd: () => undefined,
    mapByIndex: () => undefined,
    flags: 0,
  };
  return {
    spec,
    insns: resolveFuncs(loaded, starts),
    facts: loaded.map((_, slot) => ({ original: slot, ...options.facts?.[slot] })),
    subprogs,
    usedMaps: options.maps ?? [],
    gplCompatible: true,
    verifiedInsns: loaded.length,
    lines: [],
    funcs: [],
  };
}

function subprogStarts(insns: readonly Insn[]): { starts: number[]; callbacks: Set<number> } {
  const starts = new Set([0]);
  const callbacks = new Set<number>();
  insns.forEach((insn, slot) => {
    const name = rowOf(insn)?.name;
    if (name === 'call_subprog' || name === 'ld_func') starts.add(slot + 1 + insn.imm);
    if (name === 'ld_func') callbacks.add(slot + 1 + insn.imm);
  });
  return { starts: [...starts].sort((a, b) => a - b), callbacks };
}

/** A loaded ld_func has a slot distance, a verified one the subprogram's number. */
function resolveFuncs(insns: readonly Insn[], starts: readonly number[]): readonly Insn[] {
  const resolved = [...insns];
  insns.forEach((insn, slot) => {
    if (rowOf(insn)?.name !== 'ld_func') return;
    const subprog = starts.indexOf(slot + 1 + Number(BigInt.asIntN(32, imm64At(insns, slot))));
    if (subprog < 0) throw new Bug(`ld_func at ${slot} points at no subprogram`);
    resolved[slot] = { ...insn, imm: subprog };
  });
  return resolved;
}
