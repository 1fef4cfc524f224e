/**
 * `skep bench verilator`: packets a second of host time that verilator simulates of the emitted pipeline of
 * xdp1. Nothing where there is no verilator (Debian: apt install verilator).
 */
import { createPipeline } from '../../hw/fpga/pipeline/target.ts';
import type { Bench } from '../../ui/cli/bench.ts';
import { hasTool } from '../pipeline/simulate.ts';
import { verilatorSpeed } from '../pipeline/verilator-speed.ts';
import { loadWorkload, workload } from '../support/workloads.ts';

const PACKETS = 1_000_000;

export const verilatorBench: Bench = {
  names: ['verilator'],
  run() {
    const each = workload('xdp1');
    const result = createPipeline().compile(loadWorkload(each).program);
    if (result.kind === 'refused' || !hasTool('verilator')) return Promise.resolve([]);
    const packets = each.packets({ flows: 64, bytes: 60 });
    const value = verilatorSpeed(result.image, packets, PACKETS) / 1e6;
    return Promise.resolve([{ name: 'verilator pipeline xdp1', value, unit: 'M packets/s' }]);
  },
};
