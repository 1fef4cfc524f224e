/** What map commands share: kinds of maps, sizes of values, entries as text and as JSON. */
import type { UserFlow } from '../../kernel/syscall/abi.ts';
import type { Btf } from '../../bpf/btf/btf.ts';
import { formatValue, type JsonTree, printJson } from '../../bpf/btf/format.ts';
import { MAP_TYPES, type MapType } from '../../bpf/uapi.ts';
import type { MapInfo } from '../bpf/objects.ts';
import { kernelBtf } from '../bpf/object-file.ts';
import { hexText } from './hex.ts';
import { array, hexData, number, object } from './json.ts';
import { btfOf } from './program-name.ts';
import type { Bpftool } from './tool.ts';

const PER_CPU: readonly (MapType | undefined)[] = [
  'percpu_hash',
  'percpu_array',
  'lru_percpu_hash',
  'percpu_cgroup_storage',
];

export const isPerCpu = (info: MapInfo): boolean => PER_CPU.includes(MAP_TYPES[info.type]);
export const isMapOfMaps = (info: MapInfo): boolean =>
  MAP_TYPES[info.type] === 'array_of_maps' || MAP_TYPES[info.type] === 'hash_of_maps';
export const isMapOfProgs = (info: MapInfo): boolean => MAP_TYPES[info.type] === 'prog_array';

const roundUp8 = (bytes: number): number => Math.ceil(bytes / 8) * 8;

/** Bytes of a value as bpf(2) copies it. */
export function valueBytes(info: MapInfo, cpus: number): number {
  return isPerCpu(info) ? roundUp8(info.value_size) * cpus : info.value_size;
}

/** The value of each CPU. */
function cpuValues(info: MapInfo, value: Uint8Array, cpus: number): Uint8Array[] {
  const step = roundUp8(info.value_size);
  return Array.from({ length: cpus }, (_, cpu) =>
    value.subarray(cpu * step, cpu * step + info.value_size),
  );
}

/** The BTF of a map's key and value; undefined where it has none. */
export function* mapBtf(t: Bpftool, info: MapInfo): UserFlow<Btf | undefined> {
  if (info.btf_vmlinux_value_type_id !== 0) return yield* kernelBtf(t.p);
  if (info.btf_value_type_id === 0) return undefined;
  return yield* btfOf(t.user, info.btf_id);
}

export interface Entry {
  readonly info: MapInfo;
  readonly key: Uint8Array;
  readonly value: Uint8Array;
  readonly cpus: number;
}

/** Key and value by their types. `plain` is for text. */
export function typedEntry({ info, key, value, cpus }: Entry, btf: Btf, plain: boolean): JsonTree {
  const valueType = info.btf_vmlinux_value_type_id || info.btf_value_type_id;
  const typed = (bytes: Uint8Array): JsonTree => formatValue(btf, valueType, bytes, { plain });
  return object(
    info.btf_key_type_id !== 0 && ['key', formatValue(btf, info.btf_key_type_id, key, { plain })],
    isPerCpu(info)
      ? [
          'values',
          array(
            cpuValues(info, value, cpus).map((bytes, cpu) =>
              object(['cpu', number(cpu)], ['value', typed(bytes)]),
            ),
          ),
        ]
      : ['value', typed(value)],
  );
}

export function entryJson(entry: Entry, btf: Btf | undefined): JsonTree {
  const { info, key, value, cpus } = entry;
  return object(
    ['key', hexData(key)],
    isPerCpu(info)
      ? [
          'values',
          array(
            cpuValues(info, value, cpus).map((bytes, cpu) =>
              object(['cpu', number(cpu)], ['value', hexData(bytes)]),
            ),
          ),
        ]
      : ['value', hexData(value)],
    btf && ['formatted', typedEntry(entry, btf, false)],
  );
}

export function entryText({ info, key, value, cpus }: Entry): string {
  let out = '';
  if (isPerCpu(info)) {
    if (info.key_size > 0) out += `key:\n${hexText(key)}\n`;
    for (const [cpu, bytes] of cpuValues(info, value, cpus).entries()) {
      const gap = info.value_size > 16 ? '\n' : ' ';
      out += `value (CPU ${String(cpu).padStart(2, '0')}):${gap}${hexText(bytes)}\n`;
    }
    return out;
  }
  const breaks = info.key_size > 16 || info.value_size > 16;
  const single = info.key_size + info.value_size <= 24 && !breaks;
  const gap = breaks ? '\n' : ' ';
  if (info.key_size > 0) out += `key:${gap}${hexText(key)}${single ? '  ' : '\n'}`;
  if (info.value_size > 0) out += `value:${gap}${hexText(value)}`;
  return `${out}\n`;
}

/** In place of a value that cannot be read. */
export function entryErrorText(info: MapInfo, key: Uint8Array, message: string): string {
  const breaks = info.key_size > 16 || message.length > 16;
  const single = info.key_size + message.length <= 24 && !breaks;
  const gap = breaks ? '\n' : ' ';
  return `key:${gap}${hexText(key)}${single ? '  ' : '\n'}value:${gap}${message}\n`;
}

/** One entry, alone. */
export function* printEntry(t: Bpftool, entry: Entry): UserFlow<void> {
  const btf = yield* mapBtf(t, entry.info);
  if (t.json) yield* t.emit(entryJson(entry, btf));
  else if (btf) yield* t.println(printJson(typedEntry(entry, btf, true), { pretty: true }));
  else yield* t.print(entryText(entry));
}
