/** Verifies one of the hard programs in this process, and prints what that took; see verifier.ts. */
import { existsSync, readFileSync } from 'node:fs';
import { verify } from '../../bpf/verifier/verify.ts';
import { ENDLESS_PROGRAMS, HARD_PROGRAMS, programOf } from '../verifier/pathological.ts';

/** Of this process: what Linux counts as maxRSS begins with that of the process that started it. */
function peakKiB(): number {
  const status = '/proc/self/status';
  const peak = existsSync(status) && /VmHWM:\s*(\d+)/.exec(readFileSync(status, 'utf8'))?.[1];
  return peak ? Number(peak) : process.resourceUsage().maxRSS;
}

const [, , name] = process.argv;
const program = [...ENDLESS_PROGRAMS, ...HARD_PROGRAMS].find((one) => one.name === name);
const { spec, env } = programOf(program!);
const start = performance.now();
const verdict = verify(spec, env);
const seconds = (performance.now() - start) / 1e3;
const isAccepted = verdict.kind === 'accepted';
if ((isAccepted ? undefined : verdict.reason) !== program!.refused) throw new Error(verdict.log);
const processed = isAccepted ? verdict.program.verifiedInsns : verdict.verifiedInsns;
const memoryMiB = peakKiB() / 1024;
console.log(JSON.stringify({ processed, seconds, memoryMiB }));
