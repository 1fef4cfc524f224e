/**
 * Externs of an object looked up in the kernel: configuration values, addresses and BTF ids.
 */
import { errno } from '../../kernel/types/errno.ts';
import type { Btf } from '../btf/btf.ts';
import { typesAreCompatible } from '../btf/core-match.ts';
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

/** Throws LoadError for the first extern that is needed and cannot be had. */
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
  switch (extern.kind) {
    case 'kconfig':
      resolveKconfig(extern, spec, kernel, kconfig!);
      return { kind: 'kconfig', offset: extern.offset };
    case 'kfunc':
      return resolveFunction(extern, spec.btf!, kernel);
    case 'ksym':
      return extern.typeId === 0
        ? resolveAddress(extern, kernel)
        : resolveVariable(extern, spec.btf!, kernel);
  }
}

const ABSENT = { kind: 'address', address: 0n } as const;

function refuse(code: number, message: string): never {
  throw new LoadError(code, [`libbpf: ${message}`]);
}

function resolveKconfig(
  extern: ObjectExtern,
  spec: ObjectSpec,
  kernel: KernelKnowledge,
  kconfig: Uint8Array,
): void {
  const { name, weak } = extern;
  const config = kernel.config ?? refuse(errno.EINVAL, 'failed to open system Kconfig');
  const known = writeKconfig(extern, config, spec.btf!, kconfig);
  if (!known && !weak) refuse(errno.ESRCH, `extern '${name}' (strong): not resolved`);
}

function resolveAddress({ name, weak }: ObjectExtern, kernel: KernelKnowledge): ResolvedExtern {
  const address = kernel.symbol?.(name);
  if (address !== undefined) return { kind: 'address', address };
  if (!weak) refuse(errno.ESRCH, `extern '${name}' (strong): not resolved`);
  return ABSENT;
}

/** A typed variable: the kernel's must be of a type that can be read alike. */
function resolveVariable(
  { name, weak, typeId: localId }: ObjectExtern,
  local: Btf,
  { btf }: KernelKnowledge,
): ResolvedExtern {
  const id = btf?.find(name, 'var');
  if (btf === undefined || id === undefined) {
    if (!weak) refuse(errno.EINVAL, `extern (var ksym) '${name}': not found in kernel BTF`);
    return ABSENT;
  }
  const targetId = btf.resolve(btf.typeAs(id, 'var')!.type);
  if (!typesAreCompatible(local, localId, btf, targetId)) {
    refuse(
      errno.EINVAL,
      `extern (var ksym) '${name}': incompatible types, expected ${described(local, localId)}, ` +
        `but kernel has ${described(btf, targetId)}`,
    );
  }
  return { kind: 'btf', typeId: id };
}

/** `[7] struct task_struct` */
function described(btf: Btf, typeId: number): string {
  const id = btf.resolve(typeId);
  const { kind, name } = btf.types[id]!;
  return `[${id}] ${kind} ${name === '' ? '<anon>' : name}`;
}

function resolveFunction(
  { name, weak, btfId }: ObjectExtern,
  local: Btf,
  { btf }: KernelKnowledge,
): ResolvedExtern {
  const id = btf?.find(name, 'func');
  if (btf === undefined || id === undefined) {
    if (!weak) {
      refuse(errno.EINVAL, `extern (func ksym) '${name}': not found in kernel or module BTFs`);
    }
    return ABSENT;
  }
  const localId = local.typeAs(btfId, 'func')!.type;
  const targetId = btf.typeAs(id, 'func')!.type;
  if (!typesAreCompatible(local, localId, btf, targetId)) {
    refuse(
      errno.EINVAL,
      `extern (func ksym) '${name}': func_proto [${localId}] incompatible with kernel [${targetId}]`,
    );
  }
  return { kind: 'btf', typeId: id };
}
