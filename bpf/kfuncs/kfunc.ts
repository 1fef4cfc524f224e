/**
 * A kernel function that programs may call is one row: its C declaration, from which the kernel's
 * BTF and the way its arguments pass are made, its flags, who may call it, and its implementation.
 *
 *   prototypeOf(declaration)    name, parameters and result of a C declaration
 *   callingOf(kfunc)            what engines need of a row, as of a helper's
 */
import { Bug } from '../../kernel/types/units.ts';
import type { HelperFunction, HelperImplementation, Passing } from '../helpers/helper.ts';
import type { BpfRuntime } from '../runtime.ts';

/** KF_* of include/linux/btf.h, 6.1. */
export const KF = {
  ACQUIRE: 1,
  RELEASE: 2,
  RET_NULL: 4,
  /** The first argument is the place of a kptr in a map's value. */
  KPTR_GET: 8,
  TRUSTED_ARGS: 16,
  SLEEPABLE: 32,
  DESTRUCTIVE: 64,
} as const;

/** Sets that functions are registered in (enum btf_kfunc_hook); programs of a type use one. */
export type KfuncHook = 'tc' | 'tracing' | 'syscall' | 'struct_ops';

export interface Kfunc {
  /** In C, with the types that kernel-btf.ts knows. */
  readonly declaration: string;
  /** KF_* */
  readonly flags: number;
  readonly hooks: readonly KfuncHook[];
  /** The part of the kernel that is missing for it: a call finds or does nothing. */
  readonly needs?: string;
  /** Absent: programs that call it are verified, and then refused with -ENOTSUPP. */
  bind?(runtime: BpfRuntime): HelperFunction;
}

export interface KfuncPrototype {
  readonly name: string;
  /** `struct sock *`, `u32`, `void` … */
  readonly returns: string;
  /** One declaration a parameter: `u32 a`. */
  readonly params: readonly string[];
}

export function prototypeOf(declaration: string): KfuncPrototype {
  const match = /^(.*?)(\w+)\((.*)\)$/.exec(declaration);
  if (!match) throw new Bug(`not a C function: ${declaration}`);
  const [, returns, name, list] = match;
  const params = list === 'void' ? [] : list!.split(',').map((one) => one.trim());
  return { name: name!, returns: returns!.trim(), params };
}

const isWide = (type: string): boolean => /\b(u64|long)\b/.test(type);

/**
 * Arguments of less than 64 bits are read from the low half of their register; of a result of less,
 * x86-64 leaves the upper half zero, signed or not, and 6.1's JIT adds nothing.
 */
export function callingOf(
  kfunc: Kfunc,
): { readonly how: HelperImplementation; readonly returnsInt: boolean } | undefined {
  if (!kfunc.bind) return undefined;
  const { returns, params } = prototypeOf(kfunc.declaration);
  const pass = params.map((param): Passing => {
    return !param.includes('*') && isWide(param) ? 'i64' : 'i32';
  });
  const bind = (runtime: BpfRuntime): HelperFunction => kfunc.bind!(runtime);
  const result = returns.includes('*')
    ? 'pointer'
    : returns === 'void'
      ? 'void'
      : isWide(returns)
        ? 'i64'
        : 'i32';
  return { how: { pass, returns: result, bind }, returnsInt: result === 'i32' };
}
