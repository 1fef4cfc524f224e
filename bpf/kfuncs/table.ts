/**
 * All kernel functions of a Debian 6.1 without modules. Which programs may call which was asked of
 * the real kernel: test/differential/kfunc-cases.ts.
 *
 *   kfuncFlags(type, name)    KF_* of a function that programs of this type may call
 *   kfuncNamed(name)          its row
 *   DESTRUCTORS               what releases objects that a map's value owned, by struct
 */
import type { ProgType } from '../uapi.ts';
import { congestionKfuncs } from './congestion.ts';
import { prototypeOf, type Kfunc, type KfuncHook } from './kfunc.ts';
import { testRunKfuncs } from './test-run.ts';
import { tracingKfuncs } from './tracing.ts';

export const kfuncs: readonly Kfunc[] = [...testRunKfuncs, ...tracingKfuncs, ...congestionKfuncs];

const byName: ReadonlyMap<string, Kfunc> = new Map(
  kfuncs.map((row) => [prototypeOf(row.declaration).name, row]),
);

/** bpf_prog_type_to_kfunc_hook. XDP has a set too, which only modules (nf_conntrack) add to. */
const HOOKS: { readonly [T in ProgType]?: KfuncHook } = {
  sched_cls: 'tc',
  tracing: 'tracing',
  lsm: 'tracing',
  syscall: 'syscall',
  struct_ops: 'struct_ops',
};

export const kfuncNamed = (name: string): Kfunc | undefined => byName.get(name);

/** Undefined: programs of this type must not call it. */
export function kfuncFlags(type: ProgType, name: string): number | undefined {
  const row = byName.get(name);
  const hook = HOOKS[type];
  return row && hook && row.hooks.includes(hook) ? row.flags : undefined;
}

/** register_btf_id_dtor_kfuncs: without one, maps cannot own objects of a struct. */
export const DESTRUCTORS: Readonly<Record<string, string>> = {
  prog_test_ref_kfunc: 'bpf_kfunc_call_test_release',
  prog_test_member: 'bpf_kfunc_call_memb_release',
};
