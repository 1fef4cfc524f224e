/**
 * `npx tsx test/differential/record-kfuncs.ts VMLINUX_BTF [WORD]`: asks a real Linux 6.1 under QEMU,
 * whose /sys/kernel/btf/vmlinux the file is, for the answers to all kfunc cases, keeps them, and
 * prints where skep's are different. With a word: only cases that have it in their name, and nothing
 * is kept.
 */
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { parseBtf } from '../../bpf/btf/btf.ts';
import { kernelBtf } from '../../kernel/bpf/kernel-btf.ts';
import { BatchMachine } from '../../ui/cli/batch/answer.ts';
import { parseRequest } from '../../ui/cli/batch/request.ts';
import { findJudge } from '../oracle/judge.ts';
import { coreModule } from '../support/assets.ts';
import { kfuncCases, kfuncRequest, kfuncResult } from './kfunc-cases.ts';

const [file, ...words] = process.argv.slice(2);
const linuxBtf = parseBtf(readFileSync(file!));
const cases = kfuncCases.filter(({ id }) => words.every((word) => id.includes(word)));
const judge = findJudge();
if ('missing' in judge) throw new Error(judge.missing);
const linux = await judge.ask(cases.map((one) => parseRequest(kfuncRequest(one, linuxBtf))));
const machine = new BatchMachine({ core: await coreModule() });
const own = kernelBtf([]);
let different = 0;
const lines = cases.map((one, i) => {
  const theirs = linux[i]!;
  if ('error' in theirs) throw new Error(`${one.id}: ${theirs.error}`);
  const answer = kfuncResult(theirs);
  const ours = machine.answer(parseRequest(kfuncRequest(one, own)));
  const mine = kfuncResult(ours);
  if (JSON.stringify(mine) !== JSON.stringify(answer)) {
    different++;
    console.log(`${one.id}\n linux ${JSON.stringify(answer)}\n skep  ${JSON.stringify(mine)}`);
    if (words.length > 0) console.log(theirs.log, ours.log);
  }
  return JSON.stringify({ id: one.id, linux: answer });
});
console.log(`${cases.length} cases, ${different} different`);
if (words.length === 0) {
  writeFileSync(
    join(import.meta.dirname, 'kfunc-cases-6.1.recorded.jsonl'),
    `${lines.join('\n')}\n`,
  );
}
