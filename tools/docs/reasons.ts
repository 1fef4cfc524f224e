/**
 * The pages of the verifier's reason codes, made from their table and their examples: what a code
 * means, a program that is refused for it with the explanation and Linux's message, and the program
 * with the mistake mended.
 */
import { textProgram } from '../../bpf/testing/text-program.ts';
import {
  NO_EXAMPLE,
  describeSetup,
  examples,
  type Example,
} from '../../bpf/verifier/examples/index.ts';
import { explain } from '../../bpf/verifier/explain.ts';
import { capital } from '../../bpf/verifier/explain/scene.ts';
import { renderExplanation } from '../../bpf/verifier/explain/render.ts';
import {
  REASON_CODES,
  reasonPage,
  reasons,
  type ReasonCode,
  type ReasonTopic,
} from '../../bpf/verifier/reasons.ts';
import { verify } from '../../bpf/verifier/verify.ts';
import { progTypeOps } from '../../hooks/prog-types.ts';
import { errnoName } from '../../kernel/types/errno.ts';

/** A program longer than this is shown in part. */
const MAX_LINES = 32;

export function reasonPages(): Readonly<Record<string, string>> {
  const pages: Record<string, string> = { 'docs/verifier/README.md': indexPage() };
  for (const code of REASON_CODES) pages[reasonPage(code)] = page(code);
  return pages;
}

function indexPage(): string {
  const topics = new Map<ReasonTopic, ReasonCode[]>();
  for (const code of REASON_CODES) {
    const { topic } = reasons[code];
    topics.set(topic, [...(topics.get(topic) ?? []), code]);
  }
  const sections = [...topics].map(([topic, codes]) => {
    const rows = codes.map((code) => `- [\`${code}\`](${code}.md): ${reasons[code].title}`);
    return `## ${capital(topic)}\n\n${rows.join('\n')}`;
  });
  return [
    '# Why a program is refused',
    'Made by `npm run docs` from `bpf/verifier/reasons.ts` and `bpf/verifier/examples/`.',
    'A refusal has one of these codes. They are stable: tools may rely on them. `npm run -s skep -- ' +
      'prog verify FILE.o --explain` prints the code, the cause in the program, the steps that led ' +
      'to it and what would make it pass.',
    ...sections,
    '',
  ].join('\n\n');
}

function page(code: ReasonCode): string {
  const { title, means, fix, topic } = reasons[code];
  const example = examples.find((one) => one.code === code);
  return [
    `# \`${code}\``,
    `**${capital(title)}** (${topic})`,
    means,
    `**To fix it:** ${fix}`,
    example ? examplePart(example) : (NO_EXAMPLE[code] ?? ''),
    '[All codes](README.md)',
    '',
  ].join('\n\n');
}

function examplePart(example: Example): string {
  const { about, setup, mendedSetup, refused, mended, note } = example;
  const told = toldOf(example);
  return [
    '## Refused',
    about,
    listOf([...describeSetup(setup), ...(note ? [note] : [])]),
    fenced(listing(refused)),
    fenced(told.text),
    told.message === ''
      ? ''
      : `The load fails with ${told.errno}, and the log ends with:\n\n${fenced(told.message)}`,
    '## Mended',
    mendedSetup ? listOf(describeSetup(mendedSetup)) : '',
    fenced(listing(mended)),
  ]
    .filter((part) => part !== '')
    .join('\n\n');
}

const listOf = (lines: readonly string[]): string => lines.map((line) => `- ${line}`).join('\n');
const fenced = (text: string): string => `\`\`\`\n${text}\n\`\`\``;

/** Without the indentation that it has in the source. */
function listing(text: string): string {
  const lines = text
    .split('\n')
    .map((line) => line.trim())
    .filter((line) => line !== '')
    .map((line) => (/^\w+: /.test(line) ? line.replace(/^(\w+): /, '$1:\n    ') : `    ${line}`))
    .flatMap((line) => line.split('\n'));
  if (lines.length <= MAX_LINES) return lines.join('\n');
  const half = MAX_LINES / 2;
  return [...lines.slice(0, half), '    …', ...lines.slice(-half)].join('\n');
}

interface Told {
  readonly text: string;
  readonly errno: string;
  readonly message: string;
}

function toldOf({ refused, setup, edit, code }: Example): Told {
  const program = textProgram(refused, { logLevel: 1, ...setup }, progTypeOps);
  const insns = program.spec.insns.map((insn, slot) =>
    edit?.insn === slot ? { ...insn, src: edit.src } : insn,
  );
  const spec = { ...program.spec, name: 'prog', insns };
  // A log of everything that is followed would be all the work there is.
  const env = code === 'too-complex' ? { ...program.env, logLevel: 0 } : program.env;
  const verdict = verify(spec, env);
  if (verdict.kind !== 'rejected') throw new Error(`the example of ${code} is accepted`);
  return {
    text: renderExplanation(explain(spec, env, verdict)),
    errno: errnoName(verdict.errno) ?? String(verdict.errno),
    message: code === 'log-full' ? '' : messageOf(verdict.log),
  };
}

/** What the log says behind the last instruction. */
function messageOf(log: string): string {
  const lines = log.trimEnd().split('\n');
  const end = lines.findIndex((line) => line.startsWith('processed '));
  const shown = end < 0 ? lines : lines.slice(0, end);
  let start = shown.length - 1;
  while (start > 0 && !/^\d+: \(|^(from|func#)|^\s*$/.test(shown[start - 1]!)) start--;
  return shown.slice(Math.max(0, start)).join('\n');
}
