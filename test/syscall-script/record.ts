/**
 * `npx tsx test/syscall-script/record.ts [WORD]`: asks a real Linux 6.1 under QEMU for the answers
 * to all scripts, keeps them, and prints where skep's are different. With a word: only scripts that
 * have it in their name, and nothing is kept, unless `--keep` says so. `--recorded`: no QEMU, compare
 * with what was kept.
 */
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { findJudge } from '../oracle/judge.ts';
import { bpfSyscalls } from '../support/bpf-syscalls.ts';
import { runInLinux } from './linux.ts';
import { runOnMachine } from './machine.ts';
import type { Answer } from './script.ts';
import { allScripts } from './scripts.ts';
import { runInSkep } from './skep.ts';

const RECORDED = join(import.meta.dirname, 'linux-6.1.recorded.jsonl');
const args = process.argv.slice(2);
const words = args.filter((arg) => !arg.startsWith('--'));
const scripts = allScripts.filter(({ name }) => words.every((word) => name.includes(word)));

function linuxAnswers(): readonly Answer[][] {
  if (args.includes('--recorded')) {
    const lines = readFileSync(RECORDED, 'utf8').trim().split('\n');
    const kept = new Map(
      lines.map((line) => {
        const { name, answers } = JSON.parse(line) as { name: string; answers: Answer[] };
        return [name, answers];
      }),
    );
    return scripts.map(({ name }) => kept.get(name)!);
  }
  const judge = findJudge();
  if ('missing' in judge) throw new Error(judge.missing);
  const answers = runInLinux(scripts);
  const lines = new Map(
    scripts.map(({ name }, i) => [name, JSON.stringify({ name, answers: answers[i] })]),
  );
  if (words.length === 0) writeFileSync(RECORDED, `${[...lines.values()].join('\n')}\n`);
  else if (args.includes('--keep')) keep(lines);
  return answers;
}

/** In place of what was kept of these scripts, or behind it. */
function keep(lines: Map<string, string>): void {
  const kept = readFileSync(RECORDED, 'utf8').trim().split('\n');
  const merged = kept.map((line) => {
    const { name } = JSON.parse(line) as { name: string };
    const now = lines.get(name);
    lines.delete(name);
    return now ?? line;
  });
  writeFileSync(RECORDED, `${[...merged, ...lines.values()].join('\n')}\n`);
}

const linux = linuxAnswers();
const onMachine = scripts.filter(({ needsMachine }) => needsMachine);
const machineAnswers = onMachine.length > 0 ? await runOnMachine(onMachine) : [];
let differences = 0;
for (const [i, script] of scripts.entries()) {
  const ours = script.needsMachine
    ? machineAnswers[onMachine.indexOf(script)]!
    : runInSkep(await bpfSyscalls(), script);
  script.steps.forEach((step, at) => {
    const [theirs, skep] = [JSON.stringify(linux[i]![at]), JSON.stringify(ours[at])];
    if (theirs === skep) return;
    differences++;
    console.log(
      `${script.name} [${at}]: ${JSON.stringify(step)}\n  Linux ${theirs}\n  skep  ${skep}`,
    );
  });
}
console.log(`${scripts.length} scripts, ${differences} differences`);
