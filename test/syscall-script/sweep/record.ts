/**
 * `npx tsx test/syscall-script/sweep/record.ts [WORD…]`: asks a real Linux 6.1 under QEMU for the
 * answers to the sweeps, keeps them, and prints where skep's are different. With words: only what
 * has them in its name, and nothing is kept. `--recorded`: no QEMU, compare with what was kept.
 */
import { findJudge } from '../../oracle/judge.ts';
import { runInLinux } from '../linux.ts';
import { wordsOf } from './answers.ts';
import { readRecorded, writeRecorded } from './recorded.ts';
import { answersOfSkep, sweeps } from './sweeps.ts';

const args = process.argv.slice(2);
const asked = args.filter((arg) => !arg.startsWith('--'));
const scripts = sweeps.filter(({ name }) => asked.every((word) => name.includes(word)));

function linuxWords(): readonly (readonly string[])[] {
  if (args.includes('--recorded')) {
    const recorded = readRecorded();
    return scripts.map(({ name }) => recorded.get(name) ?? []);
  }
  const judge = findJudge();
  if ('missing' in judge) throw new Error(judge.missing);
  const words = runInLinux(scripts).map(wordsOf);
  if (asked.length === 0) writeRecorded(scripts.map(({ name }, i) => [name, words[i]!]));
  return words;
}

const linux = linuxWords();
const skep = await answersOfSkep(scripts);
let answers = 0;
let differences = 0;
for (const [i, { name, steps }] of scripts.entries()) {
  const asking = steps.filter((_, at) => wordsOf([skep[i]![at]!]).length > 0);
  wordsOf(skep[i]!).forEach((word, at) => {
    answers++;
    if (word === linux[i]![at]) return;
    differences++;
    const step = JSON.stringify(asking[at]);
    console.log(`${name} [${at}]: Linux ${linux[i]![at]}, skep ${word}: ${step}`);
  });
}
console.log(`${scripts.length} sweeps, ${answers} answers, ${differences} differences`);
