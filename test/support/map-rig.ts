/**
 * A machine a test, for tests of maps: descriptions that Linux accepts, keys and values by number.
 *
 *   const rig = mapRig();                 in a test file or `describe`
 *   rig.make(rig.goodSpec('hash'))        throws where the map cannot be made
 */
import { beforeEach } from 'vitest';
import { BtfBuilder } from '../../bpf/btf/builder.ts';
import type { BpfMap, MapSpec } from '../../bpf/maps/map.ts';
import { createMap } from '../../bpf/maps/table.ts';
import type { MapType } from '../../bpf/uapi.ts';
import { uapi } from '../../bpf/uapi.ts';
import type { RamOffset } from '../../kernel/types/units.ts';
import { bareMachine, type BareMachine } from './assets.ts';

const NULL = 0 as RamOffset;

export interface MapRig {
  /** Made anew before each test, as is the room for a key (64 bytes) and a value (512). */
  machine: BareMachine;
  key: RamOffset;
  value: RamOffset;
  specOf(type: MapType, changes?: Partial<MapSpec>): MapSpec;
  goodSpec(type: MapType): MapSpec;
  intBtf(): Partial<MapSpec>;
  make(spec: MapSpec): BpfMap;
  setKey(map: BpfMap, n: number): RamOffset;
  setValue(map: BpfMap, n: number): RamOffset;
  add(map: BpfMap, n: number, flags?: number): number;
  keysOf(map: BpfMap, each?: (n: number) => void): number[];
}

export function mapRig(): MapRig {
  let machine: BareMachine;
  let key: RamOffset;
  let value: RamOffset;

  const specOf = (type: MapType, changes: Partial<MapSpec> = {}): MapSpec => ({
    type,
    keyBytes: 4,
    valueBytes: 12,
    maxEntries: 8,
    flags: 0,
    name: 'm',
    ...changes,
  });

  /** A spec that Linux accepts, for each type. */
  function goodSpec(type: MapType): MapSpec {
    switch (type) {
      case 'lpm_trie':
        return specOf(type, { keyBytes: 8, flags: uapi.BPF_F_NO_PREALLOC });
      case 'tcam':
        return specOf(type, { keyBytes: 12 });
      case 'queue':
      case 'stack':
      case 'bloom_filter':
        return specOf(type, { keyBytes: 0 });
      case 'ringbuf':
      case 'user_ringbuf':
        return specOf(type, { keyBytes: 0, valueBytes: 0, maxEntries: 8192 });
      case 'prog_array':
      case 'perf_event_array':
      case 'cgroup_array':
        return specOf(type, { valueBytes: 4 });
      case 'devmap':
      case 'devmap_hash':
        // Linux adds the flag itself.
        return specOf(type, { valueBytes: 8, flags: 0 });
      case 'cpumap':
      case 'sockmap':
      case 'sockhash':
      case 'reuseport_sockarray':
        return specOf(type, { valueBytes: 8 });
      case 'xskmap':
        return specOf(type, { valueBytes: 4 });
      case 'stack_trace':
        return specOf(type, { valueBytes: 80 });
      case 'cgroup_storage':
      case 'percpu_cgroup_storage':
        return specOf(type, { keyBytes: 16, maxEntries: 0 });
      case 'sk_storage':
      case 'inode_storage':
      case 'task_storage':
        return specOf(type, { valueBytes: 4, maxEntries: 0, flags: 1, ...intBtf() });
      case 'array_of_maps':
      case 'hash_of_maps':
        return specOf(type, { valueBytes: 4, innerMap: make(specOf('array')) });
      default:
        return specOf(type);
    }
  }

  /** BTF of a map from int to int. */
  function intBtf(): Partial<MapSpec> {
    const builder = new BtfBuilder();
    const int = { size: 4, bits: 32, bitOffset: 0, signed: true, char: false, bool: false };
    const id = builder.add({ kind: 'int', name: 'int', ...int });
    return { btf: builder.build(), btfKeyTypeId: id, btfValueTypeId: id };
  }

  function make(spec: MapSpec): BpfMap {
    const map = createMap(machine.runtime, spec);
    if (typeof map === 'number') throw new Error(`${spec.type}: ${map}`);
    return map;
  }

  /** The key numbered `n`; for an LPM trie 10.0.0.n/32. */
  function setKey(map: BpfMap, n: number): RamOffset {
    const { view } = machine.ram;
    if (map.spec.type === 'lpm_trie') {
      view.setUint32(key, 32, true);
      view.setUint32(key + 4, 0x0a000000 + n, false);
    } else {
      view.setUint32(key, n, true);
    }
    return key;
  }

  function setValue(map: BpfMap, n: number): RamOffset {
    for (let i = 0; i < map.userValueBytes; i++) machine.ram.u8[value + i] = n;
    return value;
  }

  const add = (map: BpfMap, n: number, flags: number = uapi.BPF_ANY) =>
    map.updateFromUser(setKey(map, n), setValue(map, n + 1), flags);

  /** The numbers of the keys in iteration order. */
  function keysOf(map: BpfMap, each: (n: number) => void = () => {}): number[] {
    const { ram } = machine;
    const numbers: number[] = [];
    const current = ram.kzalloc(64);
    const next = ram.kzalloc(64);
    let at = NULL;
    while (map.nextKey(at, next) === 0) {
      ram.u8.copyWithin(current, next, next + 64);
      at = current;
      const isTrie = map.spec.type === 'lpm_trie';
      const n = isTrie ? ram.u8[current + 7]! : ram.view.getUint32(current, true);
      numbers.push(n);
      if (numbers.length > 1000) throw new Error('the iteration does not end');
      each(n);
    }
    ram.kfree(current);
    ram.kfree(next);
    return numbers;
  }

  const rig = { specOf, goodSpec, intBtf, make, setKey, setValue, add, keysOf } as MapRig;
  beforeEach(async () => {
    machine = await bareMachine({ ramMiB: 16, cpuCount: 2 });
    key = machine.ram.kzalloc(64);
    value = machine.ram.kzalloc(512);
    Object.assign(rig, { machine, key, value });
  });
  return rig;
}
