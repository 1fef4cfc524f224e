/**
 * `npx tsx test/syscall-script/record.ts`: asks a real Linux 6.1 under QEMU for the answers to all
 * scripts, keeps them, and prints where skep's are different.
 */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { findJudge } from '../oracle/judge.ts';
import { bpfSyscalls } from '../support/bpf-syscalls.ts';
import { runInLinux } from './linux.ts';
import { allScripts } from './scripts.ts';
import { runInSkep } from './skep.ts';

const judge = findJudge();
if ('missing' in judge) throw new Error(judge.missing);
const answers = runInLinux(allScripts);
const lines = allScripts.map(({ name }, i) => JSON.stringify({ name, answers: answers[i] }));
writeFileSync(join(import.meta.dirname, 'linux-6.1.recorded.jsonl'), `${lines.join('\n')}\n`);

let differences = 0;
for (const [i, script] of allScripts.entries()) {
  const ours = runInSkep(await bpfSyscalls(), script);
  script.steps.forEach((step, at) => {
    const [linux, skep] = [JSON.stringify(answers[i]![at]), JSON.stringify(ours[at])];
    if (linux === skep) return;
    differences++;
    console.log(
      `${script.name} [${at}]: ${JSON.stringify(step)}\n  Linux ${linux}\n  skep  ${skep}`,
    );
  });
}
console.log(`${allScripts.length} scripts, ${differences} differences`);
