/**
 * Asks all sides and compares: the judge, skep's interpreter, skep's JIT.
 *
 *   const court = await openCourt({ jobs: 1 })     or { missing } where there is no judge
 *   court.compare(requests)                        one Comparison a request, in order
 *   found(comparisons)                             those that differ
 */
import { hostAssets } from '../../ui/cli/assets.ts';
import { parseRequest, RequestError } from '../../ui/cli/batch/request.ts';
import type { BatchRequest } from '../../ui/cli/batch/request.ts';
import { contender, type Answer, type Contender } from './contender.ts';
import { difference, engineDifference, RESULT_KINDS, type Difference } from './difference.ts';
import { findJudge, type Judge } from './judge.ts';
import type { RequestJson } from './request.ts';

export interface Comparison {
  readonly request: RequestJson;
  readonly linux: Answer;
  readonly skep: Answer;
  readonly difference: Difference | undefined;
  /** Results that differ, but on skep also when only addresses, clock and random numbers do. */
  readonly unstable: boolean;
  /** The judge was asked. */
  readonly judged: boolean;
  /** The JIT ran it too. */
  readonly compiled: boolean;
}

export type Found = Comparison & { readonly difference: Difference };

export interface CourtOptions {
  /** Kernels at once. */
  readonly jobs?: number;
  /** Leave the JIT out: compiling takes most of the time. */
  readonly withoutJit?: boolean;
  readonly progress?: (done: number, total: number) => void;
}

/** Requests put to one kernel at a time. */
const CHUNK = 2000;
/** A kernel under QEMU counts as hung when it verifies more instructions than about these. */
const MOST_PROCESSED = 300_000;
const TOO_LONG = 'too long for the judge';
/** Wall time that skep computes before it lets the kernel's output in, ms. */
const SLICE_MS = 50;

export async function openCourt(
  options: CourtOptions = {},
): Promise<Court | { readonly missing: string }> {
  const judge = findJudge();
  if ('missing' in judge) return judge;
  const assets = await hostAssets();
  return new Court(judge, options, (name) => contender(name, assets));
}

export class Court {
  readonly judge: Judge;
  readonly interpreter: Contender;
  readonly #jit: Contender | undefined;
  readonly #elsewhere: Contender;
  readonly #options: CourtOptions;
  /** What skep, and what the judge was last asked; both answer one question at a time. */
  #skepBusy: Promise<unknown> = Promise.resolve();
  #judgeBusy: Promise<unknown> = Promise.resolve();

  constructor(
    judge: Judge,
    options: CourtOptions,
    make: (name: 'interpreter' | 'jit' | 'elsewhere') => Contender,
  ) {
    this.judge = judge;
    this.#options = options;
    this.interpreter = make('interpreter');
    this.#jit = options.withoutJit ? undefined : make('jit');
    this.#elsewhere = make('elsewhere');
  }

  /** Several may be under way: while the judge is busy with one, skep answers the next. */
  async compare(requests: readonly RequestJson[]): Promise<Comparison[]> {
    const answering = this.#skepBusy.then(() => this.#answers(requests));
    this.#skepBusy = answering.catch(() => {});
    const skep = await answering;
    const judging = this.#judgeBusy.then(() => this.#judged(requests, skep));
    this.#judgeBusy = judging.catch(() => {});
    const linux = await judging;
    return requests.map((request, i) => this.#compared(request, linux[i]!, skep[i]!));
  }

  /** What skep says takes longer than a kernel under QEMU may is not put to one. */
  async #judged(
    requests: readonly RequestJson[],
    skep: readonly { readonly skep: Answer }[],
  ): Promise<Answer[]> {
    const jobs = this.#options.jobs ?? 1;
    const isShort = (_: unknown, i: number): boolean => {
      const answer = skep[i]!.skep;
      return !('ok' in answer) || answer.verified_insns < MOST_PROCESSED;
    };
    const asked = requests.filter(isShort);
    const answers: Answer[] = [];
    for (let at = 0; at < asked.length; at += CHUNK * jobs) {
      const chunks = Array.from({ length: jobs }, (_, i) =>
        asked.slice(at + i * CHUNK, at + (i + 1) * CHUNK),
      );
      answers.push(...(await Promise.all(chunks.map((chunk) => this.ask(chunk)))).flat());
      this.#options.progress?.(answers.length, asked.length);
    }
    let next = 0;
    return requests.map((request, i) =>
      isShort(request, i) ? answers[next++]! : { id: request.id, error: TOO_LONG },
    );
  }

  /** The judge's answers; a request that makes no sense is answered with its error. */
  async ask(requests: readonly RequestJson[]): Promise<Answer[]> {
    const parsed = requests.map((request): BatchRequest | string => {
      try {
        return parseRequest(request);
      } catch (error) {
        if (error instanceof RequestError) return error.message;
        throw error;
      }
    });
    const sound = parsed.filter((one) => typeof one !== 'string');
    const answers = sound.length > 0 ? await this.judge.ask(sound) : [];
    let next = 0;
    return parsed.map((one, i) =>
      typeof one === 'string' ? { id: requests[i]!.id, error: one } : answers[next++]!,
    );
  }

  async #answers(requests: readonly RequestJson[]): Promise<{ skep: Answer; jit?: Answer }[]> {
    const answers: { skep: Answer; jit?: Answer }[] = [];
    let since = Date.now();
    for (const request of requests) {
      const skep = this.interpreter.answer(request);
      const runs = 'ok' in skep && skep.ok && (skep.run?.length ?? 0) > 0;
      const jit = runs ? this.#jit?.answer(request) : undefined;
      answers.push(jit ? { skep, jit } : { skep });
      if (Date.now() - since > SLICE_MS) {
        await new Promise((resolve) => setImmediate(resolve));
        since = Date.now();
      }
    }
    return answers;
  }

  #compared(
    request: RequestJson,
    linux: Answer,
    { skep, jit }: { skep: Answer; jit?: Answer },
  ): Comparison {
    const isJudged = !('error' in linux && linux.error === TOO_LONG);
    const found =
      (jit && engineDifference(skep, jit)) ?? (isJudged ? difference(linux, skep) : undefined);
    const doubtful = found !== undefined && RESULT_KINDS.has(found.kind);
    const unstable = doubtful && difference(this.#elsewhere.answer(request), skep) !== undefined;
    return {
      request,
      linux,
      skep,
      difference: found,
      unstable,
      judged: isJudged,
      compiled: jit !== undefined,
    };
  }
}

/** Real differences: those that are not about addresses. */
export function found(comparisons: readonly Comparison[]): Found[] {
  return comparisons.filter((one): one is Found => one.difference !== undefined && !one.unstable);
}
