/**
 * The verifier.
 *
 *   verify(spec, env): Verdict    accepted with the rewritten program and facts, or rejected
 *
 * In order: shape of the program, BTF rows, what it attaches to, immediates, control flow; then all
 * paths of the global functions and of the main program; then stack depth and rewriting. The
 * verdict's errno, log and count of processed instructions are Linux 6.1's; where they differ on
 * purpose, `// differs:` says so at the place.
 *
 * A program is first explored as 6.1 does, its known errors included. Where one of these played a
 * part in accepting it, it is explored again without them: that decides.
 */
import { errno } from '../../kernel/types/errno.ts';
import type { ProgramSpec, Verdict, VerifiedProgram } from '../program.ts';
import { uapi } from '../uapi.ts';
import { checkAttach } from './attach.ts';
import { checkBtfInfo } from './btf-info.ts';
import { CallerWrites } from './caller-writes.ts';
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
  const { first: c, deciding, outcome } = decide(spec, env);
  const accepted = !(outcome instanceof Rejected);
  writeStats(c, accepted ? outcome.subprogs : c.subprogs);
  const full = c.log.on && c.log.full;
  if (accepted && !full) return { kind: 'accepted', program: outcome, log: c.log.text };
  return {
    kind: 'rejected',
    errno: full || accepted ? errno.ENOSPC : outcome.errno,
    reason: accepted ? 'log-full' : outcome.reason,
    insn: accepted ? c.insn : (outcome.about.insn ?? deciding.insn),
    log: c.log.text,
    verifiedInsns: c.processed,
  };
}

export interface Decision {
  /** As 6.1: whose log and counts are shown. */
  readonly first: Checker;
  /** The exploration that decided. */
  readonly deciding: Checker;
  readonly outcome: VerifiedProgram | Rejected;
}

/** @param follow sees each exploration before it starts, to follow it with a recorder */
export function decide(
  spec: ProgramSpec,
  env: VerifierEnv,
  follow?: (c: Checker) => void,
): Decision {
  const first = new Checker(spec, env);
  first.asLinux = true;
  follow?.(first);
  const outcome = runChecker(first);
  if (outcome instanceof Rejected || !first.erred) return { first, deciding: first, outcome };
  // differs: where 6.1 errs, it may take a branch for decided that is not, and remove the other way;
  // its code then computes something else than the program says. Here the program runs as written.
  const { deciding, outcome: final } = runSound(() => {
    const c = new Checker(spec, { ...env, logLevel: 0 });
    follow?.(c);
    return c;
  });
  if (!(final instanceof Rejected)) {
    return { first, deciding, outcome: { ...final, verifiedInsns: first.processed } };
  }
  if (final.line !== undefined) first.log.write(`${final.line}\n`);
  return { first, deciding, outcome: final };
}

/** Explorations that may each find more places that callbacks write; one round is the usual. */
const MAX_ROUNDS = 4;

/**
 * Explores without 6.1's errors: first with what callbacks do not write kept, which needs to be
 * known; where that does not end well, with nothing kept. Each is a proof.
 */
export function runSound(fresh: () => Checker): Omit<Decision, 'first'> {
  const callerWrites = new CallerWrites();
  for (let round = 0; round < MAX_ROUNDS; round++) {
    const deciding = fresh();
    deciding.callerWrites = callerWrites;
    callerWrites.grown = false;
    const outcome = runChecker(deciding);
    if (callerWrites.grown) continue;
    if (!(outcome instanceof Rejected) || !callerWrites.relied) return { deciding, outcome };
    break;
  }
  const deciding = fresh();
  return { deciding, outcome: runChecker(deciding) };
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
