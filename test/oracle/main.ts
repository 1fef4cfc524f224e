/**
 * `npm run -s oracle -- COMMAND`: skep held against a real Linux 6.1 under QEMU.
 *
 *   ask FILE       the real kernel's answers, one JSON object a line
 *   diff FILE      each difference between skep and it
 *   random N       both on N generated programs; what differs is made small and kept
 *   survey         the BPF objects of Debian's packages (test/survey)
 *
 * Exit status 0: no difference; 1: there are some; 2: bad usage, unreadable input, or no judge.
 */
import { rmSync } from 'node:fs';
import { join } from 'node:path';
import { Command, CommanderError } from 'commander';
import { EXIT, UsageError } from '../../ui/cli/usage.ts';
import { runCampaign, type CampaignState } from './campaign.ts';
import { found, openCourt, type Court, type CourtOptions, type Found } from './court.ts';
import { divergence } from './divergence.ts';
import { KINDS, type Kind } from './generate/generate.ts';
import { covered, line, report, summary } from './report.ts';
import { readRequests, type RequestJson } from './request.ts';
import { shrink } from './shrink.ts';
import { tally } from './statistics.ts';
import { surveyCommand, type SurveyCommandOptions } from '../survey/command.ts';

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

interface RandomOptions extends Omit<DiffOptions, 'shrink'> {
  readonly seed: string;
  readonly kind: string;
  readonly from?: string;
  readonly folder?: string;
  readonly shrink: boolean;
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
      if (options.json) print(tally(comparisons));
      else console.log(summary(tally(comparisons)));
      status = differing.length > 0 ? EXIT.failed : EXIT.ok;
    });
  asDiff(program.command('random'))
    .description('both on generated programs; what differs is made small and printed')
    .argument('<n>', 'how many programs')
    .option('--seed <n>', 'seed of the first one', '1')
    .option('--kind <kind>', `what kind: ${KINDS.join(', ')} or both`, 'both')
    .option('--from <file>', 'mutate these requests and not generated ones')
    .option(
      '--folder <dir>',
      'where numbers and differing requests go; what is there is gone on with',
    )
    .option('--no-shrink', 'name the differing programs only')
    .action(async (count: string, options: RandomOptions) => {
      status = await random(whole(count, 'N'), options);
    });
  program
    .command('survey')
    .description('the BPF objects of Debian’s packages: read, disassembled, relocated, loaded')
    .option('--linux', 'load them into the real kernel, too')
    .option('--libbpf', 'compare the loader’s calls with libbpf’s (needs gcc and libbpf-dev)')
    .option('--json', 'all that was found, as one JSON object')
    .option('--write', 'make docs/objects.md of it')
    .action(async (options: SurveyCommandOptions) => {
      status = await surveyCommand(options);
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
  const folder = options.folder ?? join(HOME, `random-${kind}-${seed}`);
  if (!options.folder) rmSync(folder, { recursive: true, force: true });
  const base = options.from ? { base: read(options.from) } : {};
  const court = await open({ jobs: whole(options.jobs, '--jobs'), withoutJit: !options.jit });
  const plan = { count, seed, kind, ...base };
  const since = Date.now();
  const { state, differing } = await runCampaign(court, plan, {
    folder,
    progress: ({ done }, news) => {
      const seconds = ((Date.now() - since) / 1000).toFixed(0);
      console.error(`${done} of ${count} (${seconds} s), ${news.length} of the last differ`);
      for (const one of news) console.error(`  ${line(one)}`);
    },
  });
  if (options.shrink) await show(court, differing, options, 'shrunk');
  finish(state, options);
  const clean = Object.values(state.tallies).every(
    ({ differences }) => Object.keys(differences).length === 0,
  );
  if (clean) return EXIT.ok;
  console.error(`differing requests: ${join(folder, 'differing.jsonl')}`);
  return EXIT.failed;
}

async function open(options: CourtOptions): Promise<Court> {
  const court = await openCourt(options);
  if ('missing' in court) throw new UsageError(court.missing);
  return court;
}

function courtOptions({ jobs, jit }: Pick<DiffOptions, 'jobs' | 'jit'>): CourtOptions {
  const progress = (done: number, total: number): void => {
    console.error(`${done} of ${total} answered`);
  };
  return { jobs: whole(jobs, '--jobs'), withoutJit: !jit, progress };
}

/** Differences of the same bug are shown a few times, the most frequent bug first. */
async function show(
  court: Court,
  differing: readonly Found[],
  { json }: Pick<DiffOptions, 'json'>,
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

function finish(state: CampaignState, { json }: Pick<DiffOptions, 'json'>): void {
  if (json) return print(state);
  for (const [kind, numbers] of Object.entries(state.tallies)) {
    console.log(`${kind}: ${summary(numbers)}`);
  }
  console.log(
    `programs that ran and were compared, by what they hold:\n${covered(state.coverage)}`,
  );
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
