/** A loaded program's functions as kallsyms has them: bpf_prog_<tag>_<name> (bpf_get_prog_name). */
import { engineState } from '../engine-state.ts';
import { progTag } from '../prog.ts';
import type { BpfRuntime } from '../runtime.ts';
import type { ProgObject } from './objects.ts';
import { dumpableInsns } from './xlated.ts';

export interface ProgSymbol {
  readonly name: string;
  readonly address: bigint;
  /** 16 hex digits; each function of a program has its own, the whole program another one. */
  readonly tag: string;
}

/** One a subprogram, in their order; the program's own tag where it has only one function. */
export function progSymbols(runtime: BpfRuntime, { prog }: ProgObject): readonly ProgSymbol[] {
  const { verified } = prog;
  const state = engineState(runtime);
  const insns = dumpableInsns(verified);
  const single = verified.subprogs.length === 1;
  return verified.subprogs.map(({ name, start, end }, index) => {
    const tag = single ? prog.tag : progTag(insns.slice(start, end));
    const own = name || verified.spec.name;
    return {
      name: `bpf_prog_${tag}${own && `_${own}`}`,
      address: BigInt.asUintN(64, state.funcAddress(verified, index)),
      tag,
    };
  });
}
