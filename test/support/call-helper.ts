/** Calls a helper as an engine does: i32 arguments signed, i64 as they are. */
import { helperByProto } from '../../bpf/helpers/table.ts';
import type { BpfRuntime } from '../../bpf/runtime.ts';

export type HelperValue = number | bigint;

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
