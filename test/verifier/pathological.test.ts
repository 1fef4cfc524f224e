/**
 * Programs made to cost time or memory get their verdict, and what is alive of memory in the end
 * stays small. Lengths are a quarter of what a program may have; time is not looked at, but where
 * one is walked over again and again the time limit is soon reached.
 */
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { describe, expect, it } from 'vitest';
import { Checker, Rejected } from '../../bpf/verifier/checker.ts';
import { runChecker } from '../../bpf/verifier/verify.ts';
import { ENDLESS_PROGRAMS, HARD_PROGRAMS, MOST_INSNS, programOf } from './pathological.ts';

setFlagsFromString('--expose-gc');
const collectGarbage = runInNewContext('gc') as () => void;

/** MiB that objects and buffers take. */
function aliveMiB(): number {
  collectGarbage();
  const { heapUsed, arrayBuffers } = process.memoryUsage();
  return (heapUsed + arrayBuffers) / 2 ** 20;
}

const LENGTH = MOST_INSNS / 4;
/** A program four times as long takes four times as much at most: below 500 MiB. */
const MOST_MIB = 120;

describe('programs that are hard to verify', () => {
  it.each([...ENDLESS_PROGRAMS, ...HARD_PROGRAMS])('$name', { timeout: 60_000 }, (program) => {
    const { spec, env } = programOf(program, LENGTH);
    const before = aliveMiB();
    const c = new Checker(spec, env);
    const outcome = runChecker(c);
    const mib = aliveMiB() - before;
    expect(outcome instanceof Rejected ? outcome.reason : undefined).toBe(program.refused);
    expect(c.processed).toBeLessThanOrEqual(MOST_INSNS + 1);
    if (process.env.SKEP_SHOW) console.log(program.name, c.processed, mib.toFixed(1));
    expect(mib).toBeLessThan(MOST_MIB);
  });
});
