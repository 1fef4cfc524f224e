/**
 * `npm run -s oracle -- COMMAND`: skep held against a real Linux 6.1 under QEMU.
 *
 *   ask FILE       the real kernel's answers, one JSON object a line
 *   diff FILE      each difference between skep and it
 *   random N       both on N generated programs; what differs is made small and kept
 *
 * Exit status 0: no difference; 1: there are some; 2: bad usage, unreadable input, or no judge.
 */
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { Command, CommanderError } from 'commander';
import { EXIT, UsageError } from '../../ui/cli/usage.ts';
import {
  found,
  openCourt,
  statistics,
  type Court,
  type CourtOptions,
  type Found,
} from './court.ts';
import { divergence } from './divergence.ts';
import { generate, KINDS, type Kind } from './generate/generate.ts';
import { line, report, summary } from './report.ts';
import { readRequests, type RequestJson } from './request.ts';
import { shrink } from './shrink.ts';

const HOME = join(import.meta.dirname, '../../.build/oracle');
/** Programs of one bug that are made small and shown. */
const SHOWN_OF_A_BUG = 2;
const SHOWN = 16;
/** So that reports have every step of both. */
const LOG_LEVEL_SHOWN = 2;

interface DiffOptions {
  readonly json?: true;
  readonly shrink?: true;
  readonly jobs: string;
  readonly jit: boolean;
}

interface RandomOptions extends DiffOptions {
  readonly seed: string;
  readonly kind: string;
  readonly from?: string;
  readonly out?: string;
}

export async function main(argv: readonly string[]): Promise<number> {
  let status: number = EXIT.ok;
  const program = new Command('oracle')
    .description('skep held against a real Linux 6.1 (Debian’s kernel under QEMU).')
    .exitOverride()
    .showHelpAfterError();
  program
    .command('ask')
    .description('the real kernel’s answers, one JSON object a line')
    .argument('<file>', 'requests, one JSON object a line; - for stdin')
    .action(async (file: string) => {
      const court = await open({ withoutJit: true });
      const answers = await court.ask(read(file));
      for (const answer of answers) process.stdout.write(`${JSON.stringify(answer)}\n`);
    });
  const asDiff = (command: Command): Command =>
    command
      .option('--json', 'one JSON object a difference, then one with the numbers')
      .option('--jobs <n>', 'kernels at once', '1')
      .option('--no-jit', 'run programs in the interpreter only');
  asDiff(program.command('diff'))
    .description('each difference between skep and the real kernel')
    .argument('<file>', 'requests, one JSON object a line; - for stdin')
    .option('--shrink', 'make differing programs small first')
    .action(async (file: string, options: DiffOptions) => {
      const requests = read(file);
      const court = await open(courtOptions(options));
      const comparisons = await court.compare(requests);
      const differing = found(comparisons);
      await show(court, differing, options, options.shrink ? 'shrunk' : 'whole');
      finish(statistics(comparisons), options);
      status = differing.length > 0 ? EXIT.failed : EXIT.ok;
    });
  asDiff(program.command('random'))
    .description('both on generated programs; what differs is made small and printed')
    .argument('<n>', 'how many programs')
    .option('--seed <n>', 'seed of the first one', '1')
    .option('--kind <kind>', `what kind: ${KINDS.join(', ')} or both`, 'both')
    .option('--from <file>', 'mutate these requests and not generated ones')
    .option('--out <file>', 'where the differing requests go')
    .action(async (count: string, options: RandomOptions) => {
      status = await random(whole(count, 'N'), options);
    });
  try {
    await program.parseAsync(argv, { from: 'user' });
  } catch (error) {
    if (error instanceof CommanderError) return error.exitCode === 0 ? EXIT.ok : EXIT.usage;
    if (!(error instanceof UsageError)) throw error;
    console.error(`oracle: ${error.message}`);
    return EXIT.usage;
  }
  return status;
}

async function random(count: number, options: RandomOptions): Promise<number> {
  const seed = whole(options.seed, '--seed');
  const kind = options.kind as Kind | 'both';
  if (kind !== 'both' && !KINDS.includes(kind)) {
    throw new UsageError(`--kind: there is no '${kind}'`);
  }
  const requests = generate(count, seed, kind, options.from ? read(options.from) : undefined);
  const court = await open(courtOptions(options));
  const comparisons = await court.compare(requests);
  const differing = found(comparisons);
  await show(court, differing, options, 'shrunk');
  for (const each of KINDS) {
    const those = comparisons.filter(({ request }) => String(request.id).startsWith(each));
    if (those.length > 0) finish({ kind: each, ...statistics(those) }, options);
  }
  if (differing.length === 0) return EXIT.ok;
  const out = options.out ?? join(HOME, `differing-${kind}-${seed}.jsonl`);
  mkdirSync(HOME, { recursive: true });
  const lines = differing.map(({ request, linux, difference }) =>
    JSON.stringify({ request, linux, kind: difference.kind }),
  );
  writeFileSync(out, `${lines.join('\n')}\n`);
  console.error(`differing requests: ${out}`);
  return EXIT.failed;
}

async function open(options: CourtOptions): Promise<Court> {
  const court = await openCourt(options);
  if ('missing' in court) throw new UsageError(court.missing);
  return court;
}

function courtOptions({ jobs, jit }: DiffOptions): CourtOptions {
  const progress = (done: number, total: number): void => {
    console.error(`${done} of ${total} answered`);
  };
  return { jobs: whole(jobs, '--jobs'), withoutJit: !jit, progress };
}

/** Differences of the same bug are shown a few times, the most frequent bug first. */
async function show(
  court: Court,
  differing: readonly Found[],
  { json }: DiffOptions,
  how: 'shrunk' | 'whole',
): Promise<void> {
  if (how === 'whole') {
    for (const one of differing) {
      const where = await divergence(court, one);
      if (json) print({ ...one, divergence: where });
      else console.log(where ? `${line(one)}\n  from ${where.slot}: ${where.text}` : line(one));
    }
    return;
  }
  const bugs = new Map<string, Found[]>();
  for (const one of differing) {
    const bug = `${one.difference.kind} ${one.difference.key}`;
    bugs.set(bug, [...(bugs.get(bug) ?? []), one]);
  }
  const ordered = [...bugs.values()].sort((a, b) => b.length - a.length);
  const chosen = ordered.flatMap((same) => bySize(same).slice(0, SHOWN_OF_A_BUG)).slice(0, SHOWN);
  const small = await shrink(court, chosen, (round, left) => {
    console.error(`shrinking: round ${round}, ${left} programs left`);
  });
  const shown = small.map(({ request }) => ({ ...request, log_level: LOG_LEVEL_SHOWN }));
  const again = found(await court.compare(shown));
  for (const one of again) {
    const where = await divergence(court, one);
    if (json) print({ ...one, divergence: where });
    else console.log(`${report(one, where)}\n`);
  }
  if (json) return;
  for (const same of ordered) console.log(`${same.length} × ${line(same[0]!)}`);
}

const bySize = (list: readonly Found[]): Found[] =>
  [...list].sort((a, b) => a.request.insns.length - b.request.insns.length);

function finish(
  numbers: ReturnType<typeof statistics> & { readonly kind?: Kind },
  { json }: DiffOptions,
): void {
  if (json) print(numbers);
  else console.log(`${numbers.kind ? `${numbers.kind}: ` : ''}${summary(numbers)}`);
}

const print = (value: unknown): void => void process.stdout.write(`${JSON.stringify(value)}\n`);

function read(file: string): RequestJson[] {
  try {
    return readRequests(file);
  } catch (error) {
    throw new UsageError(`${file}: ${(error as Error).message}`);
  }
}

function whole(text: string, name: string): number {
  const value = Number(text);
  if (!Number.isInteger(value) || value < 1) throw new UsageError(`${name}: '${text}' is no count`);
  return value;
}
