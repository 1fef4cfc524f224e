/**
 * Members of __sk_buff and bpf_sock as programs on a real Linux 6.1.192 read them in test runs:
 * what each holds goes into a map or into the return value.
 */
import { readFileSync } from 'node:fs';
import { beforeAll, describe, expect, it } from 'vitest';
import { BatchMachine } from '../../ui/cli/batch/answer.ts';
import { parseRequest } from '../../ui/cli/batch/request.ts';
import { coreModule } from '../support/assets.ts';

interface Recorded {
  readonly request: { readonly id: string };
  readonly linux: { readonly run: readonly unknown[]; readonly maps?: readonly unknown[] };
}

const recorded = readFileSync(new URL('contexts-6.1.recorded.jsonl', import.meta.url), 'utf8')
  .trim()
  .split('\n')
  .map((line) => JSON.parse(line) as Recorded);

describe('context and socket members recorded from Linux', () => {
  let machine: BatchMachine;
  beforeAll(async () => {
    machine = new BatchMachine({ core: await coreModule() });
  });

  it.each(recorded.map((record) => [record.request.id, record] as const))(
    '%s',
    (_, { request, linux }) => {
      const { run, maps } = machine.answer(parseRequest(request));
      expect({ run, ...(maps && { maps }) }).toEqual(linux);
    },
  );
});
