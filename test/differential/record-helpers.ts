/**
 * `npx tsx test/differential/record-helpers.ts [WORD]`: asks a real Linux 6.1 under QEMU for the
 * answers to all helper cases, keeps them, and prints where skep's are different. With a word: only
 * cases that have it in their name, and nothing is kept.
 */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';

import { parseRequest } from '../../ui/cli/batch/request.ts';
import { findJudge } from '../oracle/judge.ts';
import { caseMachine, helperCases, requestOf, resultOf } from './helper-cases.ts';

const words = process.argv.slice(2);
const cases = helperCases.filter(({ id }) => words.every((word) => id.includes(word)));
const requests = cases.map((one) => parseRequest(requestOf(one)));
const judge = findJudge();
if ('missing' in judge) throw new Error(judge.missing);
const linux = await judge.ask(requests);
const machine = await caseMachine();
const lines = cases.map(({ id }, i) => {
  const theirs = linux[i]!;
  if ('error' in theirs || !theirs.ok) {
    console.log(`${id}: ${'error' in theirs ? theirs.error : theirs.log}`);
    return undefined;
  }
  const answer = resultOf(theirs);
  const mine = machine.answer(requests[i]!);
  const own = resultOf(mine);
  if (JSON.stringify(own) !== JSON.stringify(answer)) {
    console.log(
      `${id}\n linux ${JSON.stringify(answer)}\n skep  ${JSON.stringify(own)} ${mine.log}`,
    );
  }
  return JSON.stringify({ id, linux: answer });
});
console.log(`${cases.length} cases`);
if (words.length === 0) {
  const kept = lines.filter((line) => line !== undefined);
  const path = join(import.meta.dirname, 'helper-cases-6.1.recorded.jsonl');
  writeFileSync(path, `${kept.join('\n')}\n`);
}
