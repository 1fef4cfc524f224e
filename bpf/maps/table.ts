/**
 * The map types that skep has, and the one way to make a map.
 *
 *   createMap(host, spec, caps)   the map, or -errno as Linux 6.1's BPF_MAP_CREATE
 *   checkForDevice(spec, caps)    the checks before a device is asked
 *   mapTypes                      the rows, by type
 */
import { errno } from '../../kernel/types/errno.ts';
import type { MapType } from '../uapi.ts';
import { arrayMap, percpuArrayMap } from './array.ts';
import { specialFieldsOf } from './base-map.ts';
import { bloomFilterMap } from './bloom-filter.ts';
import { arrayOfMapsMap, cgroupArrayMap, perfEventArrayMap, progArrayMap } from './fd-array.ts';
import { hashOfMapsMap } from './hash-of-maps.ts';
import { hashMap, lruHashMap, lruPercpuHashMap, percpuHashMap } from './hash.ts';
import { lpmTrieMap } from './lpm-trie.ts';
import { cpumapMap } from './cpumap.ts';
import { devmapHashMap, devmapMap } from './devmap.ts';
import type { BpfMap, MapSpec } from './map.ts';
import type { MapCaps, MapHost, MapTypeRow } from './map-type.ts';
import { mayBpf } from './map-type.ts';
import { queueMap, stackMap } from './queue-stack.ts';
import { ringbufMap, userRingbufMap } from './ringbuf.ts';
import { reuseportSockarrayMap, sockhashMap, sockmapMap, xskmapMap } from './socket-maps.ts';
import { checkBtf } from './special-fields.ts';
import { structOpsMap } from './struct-ops.ts';
import { tcamMap } from './tcam.ts';
import { stackTraceMap } from './stack-trace.ts';
import {
  cgroupStorageMap,
  inodeStorageMap,
  percpuCgroupStorageMap,
  skStorageMap,
  taskStorageMap,
} from './storage.ts';

/** In the order of their numbers, then ours. */
const rows: readonly MapTypeRow[] = [
  hashMap,
  arrayMap,
  progArrayMap,
  perfEventArrayMap,
  percpuHashMap,
  percpuArrayMap,
  stackTraceMap,
  cgroupArrayMap,
  lruHashMap,
  lruPercpuHashMap,
  lpmTrieMap,
  arrayOfMapsMap,
  hashOfMapsMap,
  devmapMap,
  sockmapMap,
  cpumapMap,
  xskmapMap,
  sockhashMap,
  cgroupStorageMap,
  reuseportSockarrayMap,
  percpuCgroupStorageMap,
  queueMap,
  stackMap,
  skStorageMap,
  devmapHashMap,
  structOpsMap,
  ringbufMap,
  inodeStorageMap,
  taskStorageMap,
  bloomFilterMap,
  userRingbufMap,
  tcamMap,
];

export const mapTypes: ReadonlyMap<MapType, MapTypeRow> = new Map(
  rows.map((row) => [row.type, row]),
);

const ALL_CAPS: MapCaps = { bpf: true, netAdmin: true, sysAdmin: true };

/** What Linux checks before it asks a device for the map: 0 or -errno. */
export function checkForDevice(spec: MapSpec, caps: MapCaps): number {
  const row = mapTypes.get(spec.type);
  if (!row) return -errno.EINVAL;
  return row.checksInAlloc ? 0 : row.check(spec, caps);
}

export function createMap(host: MapHost, spec: MapSpec, caps: MapCaps = ALL_CAPS): BpfMap | number {
  const row = mapTypes.get(spec.type);
  if (!row) return -errno.EINVAL;
  const refused = row.check(spec, caps);
  if (refused < 0) return refused;
  // Linux looks at a map's BTF when it has made the map (map_check_btf).
  const wrong = checkBtf(spec, specialFieldsOf(spec), mayBpf(caps));
  const map = row.create(host, wrong < 0 ? { ...spec, btf: undefined } : spec, caps);
  if (typeof map === 'number' || wrong === 0) return map;
  map.free();
  return wrong;
}
