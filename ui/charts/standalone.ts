/** What the file of `skep compare --html` runs: draws the comparison that is in it. */
import type { Comparison } from '../../scenarios/compare/comparison.ts';
import { drawComparison } from './comparison.ts';

const data = JSON.parse(document.querySelector('#comparison')!.textContent) as Comparison;
drawComparison(document.querySelector<HTMLElement>('main')!, data);
