/** `npx tsx test/bpftool/record.ts`: asks the host's bpftool in a real Linux 6.1 under QEMU anew. */
import { writeFileSync } from 'node:fs';
import { findJudge } from '../oracle/judge.ts';
import { runInLinux } from './linux.ts';
import { COMMANDS, FILES } from './session.ts';

const judge = findJudge();
if ('missing' in judge) throw new Error(judge.missing);
const lines = runInLinux(COMMANDS, FILES).map((ran) => `${JSON.stringify(ran)}\n`);
writeFileSync(new URL('linux-6.1.recorded.jsonl', import.meta.url), lines.join(''));
console.log(`${lines.length} commands`);
