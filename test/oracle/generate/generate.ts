/**
 * Seeded programs for the judge. A program's id says how to make it again: kind and seed.
 *
 *   generate(1000, 7, 'both')            half structured, half mutated
 *   generate(1000, 7, 'mutated', {base})   mutations of these requests
 *   generate(1000, 7, 'both', {from: 5000})  the part of a longer list that starts there
 */
import type { RequestJson } from '../request.ts';
import { mutated } from './mutated.ts';
import { Random } from './random.ts';
import { structured } from './structured.ts';

export const KINDS = ['structured', 'mutated'] as const;
export type Kind = (typeof KINDS)[number];

/** Seeds of neighbouring rounds must not overlap. */
const SEEDS_A_ROUND = 1_000_000;

export interface Part {
  readonly from?: number;
  readonly base?: readonly RequestJson[];
}

export function generate(
  count: number,
  seed: number,
  kind: Kind | 'both',
  { from = 0, base }: Part = {},
): RequestJson[] {
  return Array.from({ length: count }, (_, i) => {
    const own = seed * SEEDS_A_ROUND + from + i;
    if (base) return mutated(own, new Random(own).pick(base));
    const isMutated = kind === 'mutated' || (kind === 'both' && (from + i) % 2 === 1);
    return isMutated ? mutated(own) : structured(own);
  });
}
