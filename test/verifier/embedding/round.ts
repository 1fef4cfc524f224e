/**
 * A round of the state embedding check: a hundred programs of one source and seed, and the numbers
 * of it, which can be summed up.
 *
 *   const result = checkRound(check, { source: 'structured', seed: 7 })
 */
import { coverageOfAll, sum, type Coverage } from '../../oracle/statistics.ts';
import type { RequestJson } from '../../oracle/request.ts';
import type { Pruning } from './claims.ts';
import type { EmbeddingCheck } from './embedding.ts';
import { programsOf, type Source } from './programs.ts';

export const PROGRAMS_A_ROUND = 100;

export interface Round {
  readonly source: Source;
  readonly seed: number;
}

export interface Numbers {
  readonly accepted: number;
  readonly refused: number;
  /** Accepted, executed, and each executed instruction's state compared with the claims. */
  readonly checked: number;
  /** Accepted and executed, but with more states than are kept of a program. */
  readonly tooLarge: number;
  /** Of those checked: runs, and instructions executed. */
  readonly runs: number;
  readonly steps: number;
  /** States compared with claims of each kind, and programs that had such claims. */
  readonly compared: Readonly<Record<Pruning, number>>;
  readonly programs: Readonly<Record<Pruning, number>>;
}

export interface Violating {
  readonly request: RequestJson;
  readonly violations: readonly string[];
}

export interface RoundResult {
  readonly numbers: Numbers;
  /** Of programs that were checked. */
  readonly coverage: Coverage;
  readonly violating: readonly Violating[];
}

const isSome = (count: number): number => (count > 0 ? 1 : 0);

export function checkRound(check: EmbeddingCheck, { source, seed }: Round): RoundResult {
  let numbers = {} as Numbers;
  const checked: RequestJson[] = [];
  const violating: Violating[] = [];
  for (const request of programsOf(source, PROGRAMS_A_ROUND, seed)) {
    const { accepted, steps, compared, violations } = check.run(request);
    const isChecked = compared.exact > 0;
    const programs = {
      'all-paths': isSome(compared['all-paths']),
      exact: isSome(compared.exact),
      pruned: isSome(compared.pruned),
    };
    numbers = sum(numbers, {
      accepted: accepted ? 1 : 0,
      refused: accepted ? 0 : 1,
      checked: isChecked ? 1 : 0,
      tooLarge: steps > 0 && !isChecked ? 1 : 0,
      runs: isChecked ? inputsOf(request) : 0,
      steps: isChecked ? steps : 0,
      compared,
      programs,
    });
    if (isChecked) checked.push(request);
    if (violations.length > 0) violating.push({ request, violations });
  }
  return { numbers, coverage: coverageOfAll(checked), violating };
}

const inputsOf = ({ run = [], contexts = [] }: RequestJson & { contexts?: readonly string[] }) =>
  run.length + contexts.length;
