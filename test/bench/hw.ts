/**
 * `skep bench hw`: packets a second of host time through the models of hardware, functional and
 * timed, with xdp1.
 */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { Datapath } from '../../hw/datapath.ts';
import { loadSubject } from '../../scenarios/compare/subject.ts';
import { TARGETS } from '../../scenarios/compare/targets.ts';
import { workloadNamed } from '../../scenarios/workloads/workloads.ts';
import type { Bench, BenchRow } from '../../ui/cli/bench.ts';
import { coreModule } from '../support/assets.ts';
import { measureNs } from './measure.ts';

const PACKETS = 10_000;
const MIX = { flows: 64, bytes: 60 };
/** Slow enough that no device loses packets, which would be cheap. */
const GAP_NS = 200;

export const hwBench: Bench = {
  names: ['hw'],
  async run() {
    const assets = { core: await coreModule() };
    const workload = workloadNamed('xdp1')!;
    const path = join(import.meta.dirname, '../../scenarios/workloads/xdp1.bpf.o');
    const object = readFileSync(path);
    const packets = workload.packets(MIX);
    return TARGETS.flatMap(({ id, create, least }): BenchRow[] => {
      const { program, runtime } = loadSubject(assets, object, 'xdp1.bpf.o');
      const target = create();
      const compiled = target.compile(program);
      if (compiled.kind === 'refused') return [];
      const timing = target.timing(compiled.image, runtime, {});
      const datapath = new Datapath(runtime, program, timing);
      let now = 0;
      const ns = measureNs(() => {
        for (let i = 0; i < PACKETS; i++) {
          datapath.packet(packets[i % packets.length]!.data, now);
          now += GAP_NS;
        }
        return now;
      });
      const value = (PACKETS / ns) * 1e3;
      return [{ name: `hw ${id} xdp1`, value, unit: 'M packets/s', target: `>= ${least}` }];
    });
  },
};
