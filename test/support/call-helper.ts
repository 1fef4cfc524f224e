/** For tests of helpers: calls as an engine makes them, and maps to give them. */
import { helperByProto } from '../../bpf/helpers/table.ts';
import type { BpfMap, MapSpec } from '../../bpf/maps/map.ts';
import { createMap } from '../../bpf/maps/table.ts';
import type { BpfRuntime } from '../../bpf/runtime.ts';

export type HelperValue = number | bigint;

/** i32 arguments signed, i64 as they are. */
export function callHelper(
  runtime: BpfRuntime,
  proto: string,
  ...args: readonly HelperValue[]
): HelperValue {
  const { pass, bind } = helperByProto(proto).implementation!;
  const passed = pass.map((passing, i) =>
    passing === 'i32' ? Number(args[i]!) | 0 : BigInt.asIntN(64, BigInt(args[i]!)),
  );
  return (bind(runtime) as (...args: HelperValue[]) => HelperValue)(...passed);
}

/** An array of four 8-byte values, but for what `spec` says. */
export function mapFor(runtime: BpfRuntime, spec: Partial<MapSpec>): BpfMap {
  const map = createMap(runtime, {
    type: 'array',
    keyBytes: 4,
    valueBytes: 8,
    maxEntries: 4,
    flags: 0,
    name: 'm',
    ...spec,
  });
  if (typeof map === 'number') throw new Error(String(map));
  return map;
}
