/**
 * Verifies programs written as assembler text, on maps that are only described.
 *
 *   verifyText('r0 = 0\n exit', { type: 'xdp' })   -> Verdict
 */
import type { ProgramSpec, Verdict } from '../../bpf/program.ts';
import { textProgram, type TextOptions } from '../../bpf/testing/text-program.ts';
import { verify, type VerifierEnv } from '../../bpf/verifier/verify.ts';
import { progTypeOps } from '../../hooks/prog-types.ts';

export { describedMap, type TextOptions } from '../../bpf/testing/text-program.ts';

export function verifyText(text: string, options: TextOptions = {}): Verdict {
  const { spec, env } = programOfText(text, options);
  return verify(spec, env);
}

/** The program and what it is verified under. */
export const programOfText = (
  text: string,
  options: TextOptions = {},
): { readonly spec: ProgramSpec; readonly env: VerifierEnv } =>
  textProgram(text, options, progTypeOps);

/** The log's last line before the counts. */
export function lastLine(verdict: Verdict): string {
  const lines = verdict.log.trimEnd().split('\n');
  if (lines[lines.length - 1]?.startsWith('processed ')) lines.pop();
  return lines[lines.length - 1] ?? '';
}
