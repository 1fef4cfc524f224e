/** `skep bench maps`: operations on maps from TypeScript, key and value in RAM. */
import type { BpfMap } from '../../bpf/maps/map.ts';
import { createMap } from '../../bpf/maps/table.ts';
import type { MapType } from '../../bpf/uapi.ts';
import type { RamOffset } from '../../kernel/types/units.ts';
import type { Bench, BenchRow } from '../../ui/cli/bench.ts';
import { bareMachine, type BareMachine } from '../support/assets.ts';
import { measureNs } from './measure.ts';

const ENTRIES = 1024;
/** A prime, so that keys do not come in order. */
const STRIDE = 397;
const BATCH = 100;

export const mapsBench: Bench = {
  names: ['maps'],
  async run() {
    const machine = await bareMachine({ ramMiB: 16 });
    const types: MapType[] = ['array', 'percpu_array', 'hash', 'lru_hash', 'percpu_hash'];
    return types.flatMap((type) => rowsOf(machine, type));
  },
};

function rowsOf({ runtime, ram }: BareMachine, type: MapType): BenchRow[] {
  // An LRU map keeps some elements free on each CPU: with room, nothing is evicted.
  const spec = { type, keyBytes: 4, valueBytes: 8, maxEntries: 2 * ENTRIES, flags: 0, name: type };
  const map = createMap(runtime, spec);
  if (typeof map === 'number') throw new Error(`making a ${type}: ${map}`);
  const key = ram.kzalloc(8);
  const value = ram.kzalloc(8);
  const keyAt = key >>> 2;
  let next = 0;
  const operation = (act: (map: BpfMap, key: RamOffset) => number) => () => {
    for (let i = 0; i < BATCH; i++) {
      next = (next + STRIDE) % ENTRIES;
      ram.u32[keyAt] = next;
      if (act(map, key) < 0) throw new Error(`${type}: key ${next}`);
    }
  };
  const millionsPerSecond = (body: () => void): number => 1e3 / (measureNs(body) / BATCH);
  const update = millionsPerSecond(operation((to, at) => to.update(at, value, 0)));
  const lookup = millionsPerSecond(operation((of, at) => (of.lookup(at) === 0 ? -1 : 0)));
  map.free();
  return [
    { name: `maps ${type} lookup`, value: lookup, unit: 'M/s', target: '>= 3' },
    { name: `maps ${type} update`, value: update, unit: 'M/s' },
  ];
}
