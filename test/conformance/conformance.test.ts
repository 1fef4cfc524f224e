import { existsSync } from 'node:fs';
import { resolve } from 'node:path';
import { describe, expect, it } from 'vitest';
import { compareAll, readLines } from './run.ts';

/** Recorded answers of a real Linux 6.1; they are not part of the repository. */
const PATH =
  process.env['SKEP_CONFORMANCE'] ??
  resolve(import.meta.dirname, '../../../shared/conformance/verifier-6.1.jsonl.gz');

describe.skipIf(!existsSync(PATH))('agreement with a recorded Linux 6.1', () => {
  const agreement = existsSync(PATH) ? compareAll(readLines(PATH)) : undefined;

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
