import { HELPER_TAIL_CALL } from '../../../bpf/calls.ts';
import { rowOf } from '../../../bpf/isa/table.ts';
import type { VerifiedProgram } from '../../../bpf/program.ts';

/** Subprograms that make tail calls or call one that does, at any depth. */
export function tailCallReach({ subprogs, insns }: VerifiedProgram): ReadonlySet<number> {
  const callees = subprogs.map(({ start, end }) => {
    const called = new Set<number>();
    for (let slot = start; slot < end; slot++) {
      const insn = insns[slot]!;
      const row = rowOf(insn);
      if (row?.name !== 'call_subprog') continue;
      called.add(subprogs.findIndex((each) => each.start === slot + 1 + insn.imm));
    }
    return called;
  });
  const reaching = new Set<number>();
  subprogs.forEach(({ start, end }, i) => {
    for (let slot = start; slot < end; slot++) {
      const { imm } = insns[slot]!;
      if (rowOf(insns[slot]!)?.name === 'call_helper' && imm === HELPER_TAIL_CALL) reaching.add(i);
    }
  });
  for (let size = -1; size !== reaching.size;) {
    size = reaching.size;
    callees.forEach((called, i) => {
      if ([...called].some((callee) => reaching.has(callee))) reaching.add(i);
    });
  }
  return reaching;
}
