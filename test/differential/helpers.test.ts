/**
 * Helpers on packets as a real Linux 6.1.192 ran them: random programs of sk_buff and XDP helpers,
 * whose return value folds all results, and the packet afterwards.
 */
import { readFileSync } from 'node:fs';
import { beforeAll, describe, expect, it } from 'vitest';
import { BatchMachine } from '../../ui/cli/batch/answer.ts';
import { parseRequest } from '../../ui/cli/batch/request.ts';
import { coreModule } from '../support/assets.ts';

interface Recorded {
  readonly request: { readonly id: number; readonly prog_type: string };
  readonly linux: { readonly run: readonly unknown[] };
}

const recorded = readFileSync(new URL('helpers-6.1.recorded.jsonl', import.meta.url), 'utf8')
  .trim()
  .split('\n')
  .map((line) => JSON.parse(line) as Recorded);

describe('helpers recorded from Linux', () => {
  let machine: BatchMachine;
  beforeAll(async () => {
    machine = new BatchMachine({ core: await coreModule() });
  });

  it.each(recorded.map((record) => [record.request.id, record.request.prog_type, record] as const))(
    'program %i, %s',
    (_, type, { request, linux }) => {
      const answer = machine.answer(parseRequest(request));
      expect(answer.log).toBe('');
      expect(answer.run, type).toEqual(linux.run);
    },
  );
});
