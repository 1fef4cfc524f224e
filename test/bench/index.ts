/** Everything that `skep bench` measures; a group runs only where the filter names it. */
import type { Bench } from '../../ui/cli/bench.ts';
import { engineBench } from './engine.ts';

export const benches: readonly Bench[] = [engineBench];
