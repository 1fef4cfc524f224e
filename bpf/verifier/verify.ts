/**
 * The verifier.
 *
 *   verify(spec, env): Verdict    accepted with the rewritten program and facts, or rejected
 *
 * In order: shape of the program, BTF rows, what it attaches to, immediates, control flow; then all
 * paths of the global functions and of the main program; then stack depth and rewriting. The
 * verdict's errno, log and count of processed instructions are Linux 6.1's; where they differ on
 * purpose, `// differs:` says so at the place.
 */
import { errno } from '../../kernel/types/errno.ts';
import type { ProgramSpec, Verdict, VerifiedProgram } from '../program.ts';
import { uapi } from '../uapi.ts';
import { checkAttach } from './attach.ts';
import { checkBtfInfo } from './btf-info.ts';
import { checkCfg, checkSubprogs, findSubprogs } from './cfg.ts';
import { Checker, Rejected } from './checker.ts';
import { checkStackDepth } from './depth.ts';
import type { VerifierEnv } from './env.ts';
import { explore } from './explore.ts';
import { LOG_STATS } from './log.ts';
import { resolveImmediates } from './resolve.ts';
import { rewrite } from './rewrite.ts';

export type { VerifierEnv } from './env.ts';

export function verify(spec: ProgramSpec, env: VerifierEnv): Verdict {
  const c = new Checker(spec, env);
  const outcome = runChecker(c);
  const accepted = !(outcome instanceof Rejected);
  writeStats(c, accepted ? outcome.subprogs : c.subprogs);
  const full = c.log.on && c.log.full;
  if (accepted && !full) return { kind: 'accepted', program: outcome, log: c.log.text };
  return {
    kind: 'rejected',
    errno: full || accepted ? errno.ENOSPC : outcome.errno,
    reason: accepted ? 'log-full' : outcome.reason,
    insn: accepted ? c.insn : (outcome.about.insn ?? c.insn),
    log: c.log.text,
    verifiedInsns: c.processed,
  };
}

/** Runs a verification to its end, for those who follow it with a recorder. */
export function runChecker(c: Checker): VerifiedProgram | Rejected {
  try {
    check(c);
    return rewrite(c);
  } catch (error) {
    if (error instanceof Rejected) return error;
    throw error;
  }
}

function check(c: Checker): void {
  findSubprogs(c);
  checkSubprogs(c);
  checkBtfInfo(c);
  checkAttach(c);
  resolveImmediates(c);
  checkCfg(c);
  for (let subprog = 1; subprog < c.subprogs.length; subprog++) {
    if (!c.subprogs[subprog]!.isGlobal) continue;
    explore(c, subprog);
    if (c.log.states) {
      c.log.write(`Func#${subprog} is safe for any args that match its prototype\n`);
    }
  }
  explore(c, 0);
  checkStackDepth(c);
}

/** The log's last line, which tools read. */
function writeStats(c: Checker, subprogs: readonly { readonly stackBytes: number }[]): void {
  if ((c.env.logLevel & LOG_STATS) !== 0) {
    // differs: no host clock is read; a machine's verifier takes no virtual time.
    c.log.write('verification time 0 usec\n');
    c.log.write(`stack depth ${subprogs.map(({ stackBytes }) => stackBytes).join('+')}\n`);
  }
  c.log.write(
    `processed ${c.processed} insns (limit ${uapi.BPF_COMPLEXITY_LIMIT_INSNS}) ` +
      `max_states_per_insn ${c.maxStatesPerInsn} total_states ${c.totalStates} ` +
      `peak_states ${c.peakStates} mark_read ${c.longestMarkWalk}\n`,
  );
}
