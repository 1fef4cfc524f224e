/**
 * Programs on which skep once differed from Linux 6.1, with what a real one answered (recorded.jsonl:
 * `{request, linux}` a line, the protocol of test/oracle). `linux.log` is the end of its log.
 */
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { errnoName } from '../../kernel/types/errno.ts';
import { lastMessage, readLines, runRequest } from '../conformance/run.ts';

const processedIn = (log: string): string | undefined => /^processed (\d+) insns/m.exec(log)?.[1];

describe('what a real Linux 6.1 said', () => {
  const lines = readLines(join(import.meta.dirname, 'recorded.jsonl'));
  it.each(lines.map((line) => [line.request.id, line] as const))('%s', (_, { request, linux }) => {
    const verdict = runRequest(request);
    const ours = {
      ok: verdict.kind === 'accepted',
      errno: verdict.kind === 'rejected' ? errnoName(verdict.errno) : null,
      message: verdict.kind === 'rejected' ? lastMessage(verdict.log) : '',
      processed: processedIn(verdict.log),
    };
    expect(ours).toEqual({
      ok: linux.ok,
      errno: linux.errno,
      message: linux.ok ? '' : lastMessage(linux.log),
      processed: processedIn(linux.log),
    });
  });
});
