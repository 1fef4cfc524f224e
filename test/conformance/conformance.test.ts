import { describe, expect, it } from 'vitest';
import { compareAll, readLines } from './run.ts';

/** Recorded answers of a real Linux 6.1, where a file of them is named; not part of the repository. */
const PATH = process.env['SKEP_CONFORMANCE'];

describe.skipIf(!PATH)('agreement with a recorded Linux 6.1', () => {
  const agreement = PATH ? compareAll(readLines(PATH)) : undefined;

  it('accepts nothing that Linux refuses', () => {
    expect(agreement!.unsound).toEqual([]);
  });

  it('agrees on verdicts, errnos, last messages and counts', () => {
    const { total, verdict, errno, refusedByLinux, message, acceptedByLinux, count } = agreement!;
    expect(verdict / total).toBeGreaterThanOrEqual(0.99);
    expect(errno / total).toBeGreaterThanOrEqual(0.98);
    expect(message / refusedByLinux).toBeGreaterThanOrEqual(0.95);
    expect(count / acceptedByLinux).toBeGreaterThanOrEqual(0.95);
  });
});
