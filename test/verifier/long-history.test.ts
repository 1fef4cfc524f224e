/**
 * A random program on which a real Linux 6.1 verifies for minutes: of two ways out of a loop's body,
 * one makes all the checkpoints, and the path of the other grows longer with every round.
 */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { errno } from '../../kernel/types/errno.ts';
import { runRequest, type Line } from '../conformance/run.ts';

it('reaches the limit in seconds', { timeout: 60_000 }, () => {
  const file = join(import.meta.dirname, 'long-history.jsonl');
  const request = JSON.parse(readFileSync(file, 'utf8')) as Line['request'];
  const verdict = runRequest(request);
  expect(verdict).toMatchObject({ kind: 'rejected', errno: errno.E2BIG, reason: 'too-complex' });
});
