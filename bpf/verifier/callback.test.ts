/** What is known of the caller's stack across callbacks, which 6.1 takes to run once. */
import { describe, expect, it } from 'vitest';
import { progTypeOps } from '../../hooks/prog-types.ts';
import { assemble } from '../asm/assemble.ts';
import { textProgram } from '../testing/text-program.ts';
import { functions } from './examples/types.ts';
import { verify } from './verify.ts';

/** The callback is the last label's: `body` starts at slot `at`. */
function judge(main: string, body: string): string {
  const at = assemble(main.replace('func(body)', '1 ll')).length;
  const options = { type: 'xdp', flags: 8, logLevel: 4, ...functions(at, 'static') } as const;
  const { spec, env } = textProgram(`${main}\n body: ${body}`, options, progTypeOps);
  const verdict = verify(spec, env);
  if (verdict.kind === 'accepted') return 'accepted';
  return (
    verdict.log
      .split('\n')
      .findLast((line) => line !== '' && !/^(processed|stack|verification) /.test(line)) ?? ''
  );
}

const CALL = `
  r1 = 4
  r2 = func(body)
  r3 = r10
  r3 += -8
  r4 = 0
  call loop#181`;
const WRONG = 'R9 !read_ok';

describe('a number on the stack of a callback’s caller', () => {
  const countsDown = `
    *(u64 *)(r10 -8) = 3
    again: ${CALL}
    r6 = *(u64 *)(r10 -8)
    r6 += -1
    *(u64 *)(r10 -8) = r6
    if r6 != 0 goto again
    r0 = 0
    exit`;

  it('is known where the callback does not write it', () => {
    expect(judge(countsDown, 'r0 = 0\n exit')).toBe('accepted');
    expect(judge(countsDown, 'r3 = *(u64 *)(r2 +0)\n r0 = 0\n exit')).toBe('accepted');
  });

  const isOneAfter = (before: number): string => `
    *(u64 *)(r10 -8) = ${before}
    ${CALL}
    r6 = *(u64 *)(r10 -8)
    if r6 == 1 goto fine
    r0 = r9
    fine: r0 = 0
    exit`;

  it('is what a second run makes of it', () => {
    const body = `
      r3 = *(u64 *)(r2 +0)
      if r3 == 0 goto first
      *(u64 *)(r2 +0) = 1000
      goto out
      first: *(u64 *)(r2 +0) = 1
      out: r0 = 0
      exit`;
    expect(judge(isOneAfter(0), body)).toBe(WRONG);
  });

  it('is what it was where the callback does not run', () => {
    expect(judge(isOneAfter(7), '*(u64 *)(r2 +0) = 1\n r0 = 0\n exit')).toBe(WRONG);
    expect(judge(isOneAfter(1), 'r0 = 0\n exit')).toBe('accepted');
  });

  it('may be written by a helper', () => {
    const body = `
      r1 = r2
      r2 = 8
      r3 = 0
      call probe_read_kernel#113
      r0 = 0
      exit`;
    expect(judge(isOneAfter(1), body)).toBe(WRONG);
  });

  it('matters exactly where the callback decides by it', () => {
    const main = `
      call get_prandom_u32#7
      *(u64 *)(r10 -8) = 1000
      if r0 == 5 goto both
      *(u64 *)(r10 -8) = 8
      both: ${CALL}
      r0 = 0
      exit`;
    const body = `
      r3 = *(u64 *)(r2 +0)
      if r3 == 8 goto fine
      r0 = r9
      fine: r0 = 0
      exit`;
    expect(judge(main, body)).toBe(WRONG);
    expect(judge(main.replace('1000', '8'), body)).toBe('accepted');
  });
});

describe('a number on the stack that is read through another register than r10', () => {
  const chosen = (first: number, second: number): string => {
    const text = `
      call get_prandom_u32#7
      if r0 == 0 goto other
      r5 = ${first}
      *(u64 *)(r10 -8) = r5
      goto join
      other: r5 = ${second}
      *(u64 *)(r10 -8) = r5
      join: r0 = 0
      r5 = 0
      r1 = r10
      r1 += -8
      r2 = *(u64 *)(r1 +0)
      if r2 == 0 goto fine
      r0 = r9
      fine: r0 = 0
      exit`;
    const { spec, env } = textProgram(text, { type: 'xdp', flags: 8, logLevel: 4 }, progTypeOps);
    const verdict = verify(spec, env);
    return verdict.kind === 'accepted' ? 'accepted' : verdict.log;
  };

  it('decides again on the way that 6.1 takes for known', () => {
    expect(chosen(0, 0)).toBe('accepted');
    expect(chosen(0, 1000)).toContain(WRONG);
  });
});
