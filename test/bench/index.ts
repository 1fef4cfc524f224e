/** Everything that `skep bench` measures; a group runs only where the filter names it. */
import type { Bench } from '../../ui/cli/bench.ts';
import { bootBench } from './boot.ts';
import { engineBench } from './engine.ts';
import { hwBench } from './hw.ts';
import { mapsBench } from './maps.ts';
import { netBench } from './net.ts';
import { pageBench } from './page.ts';
import { programsBench } from './programs.ts';
import { verifierBench } from './verifier.ts';
import { verilatorBench } from './verilog.ts';

export const benches: readonly Bench[] = [
  bootBench,
  netBench,
  programsBench,
  verifierBench,
  engineBench,
  mapsBench,
  hwBench,
  verilatorBench,
  pageBench,
];
