/**
 * `skep bench hw`: packets a second of host time through the models of hardware, functional and
 * timed, with xdp1, or with shared counters where those of each CPU do not fit.
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
    const packets = workloadNamed('xdp1')!.packets(MIX);
    const load = (name: string) => {
      const path = join(import.meta.dirname, `../../scenarios/workloads/${name}.bpf.o`);
      return loadSubject(assets, readFileSync(path), `${name}.bpf.o`);
    };
    return TARGETS.flatMap(({ id, create, least }): BenchRow[] => {
      const target = create();
      // Some have no memory of each CPU.
      const fitting = ['xdp1', 'xdp1_shared'].find(
        (each) => target.compile(load(each).program).kind === 'image',
      );
      if (fitting === undefined) return [];
      const { program, runtime } = load(fitting);
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
      return [{ name: `hw ${id} ${fitting}`, value, unit: 'M packets/s', target: `>= ${least}` }];
    });
  },
};
