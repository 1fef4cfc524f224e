import type { VerifiedProgram } from '../program.ts';
import type { Checker } from './checker.ts';

/** Placeholder while the parts before it are brought up. */
export function rewrite(c: Checker): VerifiedProgram {
  return {
    spec: c.spec,
    insns: c.insns,
    facts: c.insns.map((_, original) => ({ original })),
    subprogs: [],
    usedMaps: c.usedMaps,
    gplCompatible: c.gplCompatible,
    verifiedInsns: c.processed,
    lines: [],
    funcs: [],
  };
}
