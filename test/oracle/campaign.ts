/**
 * Many generated programs, in rounds: numbers and differing requests are written down after each, so
 * that a campaign that was stopped goes on where it was.
 *
 *   runCampaign(court, plan, {folder, progress})    what it comes to, and what differs
 *
 * The folder holds state.json and differing.jsonl (`{request, linux, kind}` a line).
 */
import { appendFileSync, existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { found, type Comparison, type Court, type Found } from './court.ts';
import { generate, KINDS, type Kind } from './generate/generate.ts';
import type { RequestJson } from './request.ts';
import { coverageOf, sum, tally, type Coverage, type Tally } from './statistics.ts';

export interface Plan {
  readonly count: number;
  readonly seed: number;
  readonly kind: Kind | 'both';
  readonly base?: readonly RequestJson[];
}

export interface CampaignState {
  readonly seed: number;
  readonly kind: Kind | 'both';
  /** Programs so far. */
  readonly done: number;
  readonly tallies: Readonly<Partial<Record<Kind, Tally>>>;
  readonly coverage: Partial<Coverage>;
}

export interface CampaignOptions {
  readonly folder: string;
  readonly progress: (state: CampaignState, differing: readonly Found[]) => void;
}

/** What is lost at most where a campaign is stopped. */
const ROUND = 1000;

export async function runCampaign(
  court: Court,
  { count, seed, kind, base }: Plan,
  { folder, progress }: CampaignOptions,
): Promise<{ state: CampaignState; differing: Found[] }> {
  mkdirSync(folder, { recursive: true });
  const file = join(folder, 'state.json');
  let state: CampaignState = existsSync(file)
    ? (JSON.parse(readFileSync(file, 'utf8')) as CampaignState)
    : { seed, kind, done: 0, tallies: {}, coverage: {} };
  if (state.seed !== seed || state.kind !== kind) {
    throw new Error(`${folder} is of another campaign: seed ${state.seed}, ${state.kind}`);
  }
  const differing: Found[] = [];
  const rounds = Array.from({ length: Math.ceil((count - state.done) / ROUND) }, (_, i) => ({
    from: state.done + i * ROUND,
    size: Math.min(ROUND, count - state.done - i * ROUND),
  }));
  const ask = (index: number): Promise<Comparison[]> | undefined => {
    const round = rounds[index];
    if (!round) return undefined;
    const part = { from: round.from, ...(base && { base }) };
    return court.compare(generate(round.size, seed, kind, part));
  };
  let ahead = ask(0);
  for (const [index, { size }] of rounds.entries()) {
    const asked = ahead!;
    ahead = ask(index + 1);
    const comparisons = await asked;
    const tallies = { ...state.tallies };
    for (const each of KINDS) {
      const those = comparisons.filter(({ request }) => String(request.id).startsWith(each));
      if (those.length > 0) tallies[each] = sum(tallies[each] ?? ({} as Tally), tally(those));
    }
    const news = found(comparisons);
    differing.push(...news);
    const lines = news.map(({ request, linux, difference }) =>
      JSON.stringify({ request, linux, kind: difference.kind, key: difference.key }),
    );
    appendFileSync(join(folder, 'differing.jsonl'), lines.map((line) => `${line}\n`).join(''));
    state = {
      ...state,
      done: state.done + size,
      tallies,
      coverage: sum(state.coverage, coverageOf(comparisons)),
    };
    writeFileSync(file, JSON.stringify(state));
    progress(state, news);
  }
  return { state, differing };
}
