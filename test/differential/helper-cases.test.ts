/** Helpers whose results a real Linux 6.1.192 gave as well; see helper-cases.ts. */
import { readFileSync } from 'node:fs';
import { beforeAll, describe, expect, it } from 'vitest';
import type { BatchMachine } from '../../ui/cli/batch/answer.ts';
import { parseRequest } from '../../ui/cli/batch/request.ts';
import { caseMachine, helperCases, requestOf, resultOf } from './helper-cases.ts';

const file = new URL('helper-cases-6.1.recorded.jsonl', import.meta.url);
const recorded = new Map(
  readFileSync(file, 'utf8')
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line) as { readonly id: string; readonly linux: unknown })
    .map(({ id, linux }) => [id, linux]),
);

describe('helper calls recorded from Linux', () => {
  let machine: BatchMachine;
  beforeAll(async () => {
    machine = await caseMachine();
  });

  it('have an answer each', () => {
    expect(helperCases.map(({ id }) => id)).toEqual([...recorded.keys()]);
  });

  it.each(helperCases.map((one) => [one.id, one] as const))('%s', (id, one) => {
    const answer = machine.answer(parseRequest(requestOf(one)));
    expect(answer.errno, answer.log).toBeNull();
    const result = resultOf(answer);
    expect(result).toEqual(recorded.get(id));
  });
});
