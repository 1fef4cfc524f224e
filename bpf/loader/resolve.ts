/**
 * Externs of an object looked up in the kernel: configuration values, addresses and BTF ids.
 */
import { errno } from '../../kernel/types/errno.ts';
import type { Btf } from '../btf/btf.ts';
import type { ObjectExtern, ObjectSpec } from '../elf/object-spec.ts';
import { LoadError } from './failure.ts';
import type { KernelConfig } from './kconfig.ts';
import { writeKconfig } from './kconfig.ts';

/** What is known of the running kernel; a process reads it from /sys and /proc. */
export interface KernelKnowledge {
  /** /sys/kernel/btf/vmlinux */
  readonly btf?: Btf;
  readonly config?: KernelConfig;
  /** /proc/kallsyms */
  readonly symbol?: (name: string) => bigint | undefined;
}

/** How an instruction that refers to the extern is filled in. */
export type ResolvedExtern =
  | { readonly kind: 'kconfig'; readonly offset: number }
  /** The address of a symbol; 0 for a weak one that is not there. */
  | { readonly kind: 'address'; readonly address: bigint }
  | { readonly kind: 'btf'; readonly typeId: number };

export interface ResolvedExterns {
  readonly byName: ReadonlyMap<string, ResolvedExtern>;
  /** Contents of the `.kconfig` map; undefined where there is none. */
  readonly kconfig: Uint8Array | undefined;
}

export function resolveExterns(spec: ObjectSpec, kernel: KernelKnowledge): ResolvedExterns {
  const kconfigMap = spec.maps.find(({ name }) => name === '.kconfig');
  const kconfig = kconfigMap?.data?.slice();
  const byName = new Map<string, ResolvedExtern>();
  for (const extern of spec.externs) {
    byName.set(extern.name, resolve(extern, spec, kernel, kconfig));
  }
  return { byName, kconfig };
}

function resolve(
  extern: ObjectExtern,
  spec: ObjectSpec,
  kernel: KernelKnowledge,
  kconfig: Uint8Array | undefined,
): ResolvedExtern {
  const { name, kind, weak } = extern;
  const missing = (what: string): ResolvedExtern => {
    if (weak) return { kind: 'address', address: 0n };
    throw new LoadError(errno.ESRCH, [`libbpf: extern (${what}) '${name}': not found in kernel`]);
  };
  if (kind === 'kconfig') {
    const written = kernel.config && writeKconfig(extern, kernel.config, spec.btf!, kconfig!);
    if (written === false) {
      const value = kernel.config!.options.get(name);
      throw new LoadError(errno.EINVAL, [
        `libbpf: extern (kcfg) '${name}': value '${value}' does not fit its type`,
      ]);
    }
    if (written === undefined && !weak) {
      throw new LoadError(errno.ESRCH, [`libbpf: extern '${name}' (strong): not resolved`]);
    }
    return { kind: 'kconfig', offset: extern.offset };
  }
  if (kind === 'kfunc') {
    const typeId = kernel.btf?.find(name, 'func');
    return typeId === undefined ? missing('func ksym') : { kind: 'btf', typeId };
  }
  if (extern.typeId !== 0) {
    const typeId = kernel.btf?.find(name, 'var');
    return typeId === undefined ? missing('var ksym') : { kind: 'btf', typeId };
  }
  const address = kernel.symbol?.(name);
  return address === undefined ? missing('ksym') : { kind: 'address', address };
}
