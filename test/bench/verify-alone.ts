/** Verifies one of the hard programs in this process, and prints what that took; see verifier.ts. */
import { verify } from '../../bpf/verifier/verify.ts';
import { ENDLESS_PROGRAMS, HARD_PROGRAMS, programOf } from '../verifier/pathological.ts';

const [, , name] = process.argv;
const program = [...ENDLESS_PROGRAMS, ...HARD_PROGRAMS].find((one) => one.name === name);
const { spec, env } = programOf(program!);
const start = performance.now();
const verdict = verify(spec, env);
const seconds = (performance.now() - start) / 1e3;
const isAccepted = verdict.kind === 'accepted';
if ((isAccepted ? undefined : verdict.reason) !== program!.refused) throw new Error(verdict.log);
const processed = isAccepted ? verdict.program.verifiedInsns : verdict.verifiedInsns;
const memoryMiB = process.resourceUsage().maxRSS / 1024;
console.log(JSON.stringify({ processed, seconds, memoryMiB }));
