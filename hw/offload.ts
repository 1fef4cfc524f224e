/**
 * A program as devices get it, from what bpf(2) verified for the host (`BpfHost.verified`).
 */
import type { ProgramSpec, VerifiedProgram } from '../bpf/program.ts';
import { verify, type VerifierEnv } from '../bpf/verifier/verify.ts';
import { Bug } from '../kernel/types/units.ts';
import type { OffloadProgram } from './target.ts';

/** @param host what `verify(spec, env)` made of the program */
export function offloadProgram(
  spec: ProgramSpec,
  env: VerifierEnv,
  host: VerifiedProgram,
): OffloadProgram {
  const verdict = verify(spec, { ...env, checkOnly: true, logLevel: 0 });
  if (verdict.kind !== 'accepted') throw new Bug('accepted for the host but not for a device');
  return { device: verdict.program, host };
}
