/**
 * Programs with what a real Linux 6.1 answered, `{request, linux}` a line (the protocol of
 * test/oracle); `linux.log` is the end of its log. In recorded.jsonl are those on which skep once
 * differed; sampled.jsonl.gz has a few of each family of generated ones: contexts, pointers and what
 * is done with them, arithmetic, stack, packets, references, locks, callbacks, speculation.
 */
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { errnoName } from '../../kernel/types/errno.ts';
import { lastMessage, readLines, runRequest, type Line } from '../conformance/run.ts';

const processedIn = (log: string): string | undefined => /^processed (\d+) insns/m.exec(log)?.[1];
const withoutTimes = (log: string): string =>
  log.replace(/^(verification time|stack depth) .*\n/gm, '');

function answers({ request, linux }: Line): { readonly ours: unknown; readonly theirs: unknown } {
  const verdict = runRequest(request);
  const refused = verdict.kind === 'rejected';
  return {
    ours: {
      errno: refused ? errnoName(verdict.errno) : null,
      message: refused ? lastMessage(withoutTimes(verdict.log)) : '',
      processed: processedIn(verdict.log),
    },
    theirs: {
      errno: linux.ok ? null : linux.errno,
      message: linux.ok ? '' : lastMessage(withoutTimes(linux.log)),
      processed: processedIn(linux.log),
    },
  };
}

const linesOf = (file: string): Line[] => readLines(join(import.meta.dirname, file));

describe('what a real Linux 6.1 said', () => {
  it.each(linesOf('recorded.jsonl').map((line) => [line.request.id, line] as const))(
    '%s',
    (_, line) => {
      const { ours, theirs } = answers(line);
      expect(ours).toEqual(theirs);
    },
  );

  it('of a thousand programs of all families', () => {
    const differing = linesOf('sampled.jsonl.gz').flatMap((line) => {
      const { ours, theirs } = answers(line);
      const same = JSON.stringify(ours) === JSON.stringify(theirs);
      return same ? [] : [{ id: line.request.id, ours, theirs }];
    });
    expect(differing).toEqual([]);
  });
});
