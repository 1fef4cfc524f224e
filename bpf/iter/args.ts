/**
 * What iterator programs get besides `struct bpf_iter_meta *meta`, by target: the verifier types
 * the context by it, and the kernel's BTF declares `int bpf_iter_TARGET(meta, …)` from it.
 */

export type IterArg =
  /** A kernel struct, or NULL at the end; `typed`: as its type says, never NULL. */
  | { readonly name: string; readonly struct: string; readonly typed?: true }
  /** Bytes of a map's element, whose size is known when the program attaches. */
  | { readonly name: string; readonly buffer: 'rdonly' | 'rdwr' }
  /** A number. */
  | { readonly name: string; readonly scalar: 'u32'; readonly typed?: never };

export const ITER_ARGS = {
  bpf_map: [{ name: 'map', struct: 'bpf_map' }],
  bpf_map_elem: [
    { name: 'map', struct: 'bpf_map', typed: true },
    { name: 'key', buffer: 'rdonly' },
    { name: 'value', buffer: 'rdwr' },
  ],
  bpf_prog: [{ name: 'prog', struct: 'bpf_prog' }],
  bpf_link: [{ name: 'link', struct: 'bpf_link' }],
  task: [{ name: 'task', struct: 'task_struct' }],
  task_file: [
    { name: 'task', struct: 'task_struct' },
    { name: 'fd', scalar: 'u32' },
    { name: 'file', struct: 'file' },
  ],
  task_vma: [
    { name: 'task', struct: 'task_struct' },
    { name: 'vma', struct: 'vm_area_struct' },
  ],
} as const satisfies Record<string, readonly IterArg[]>;

export type IterTargetName = keyof typeof ITER_ARGS;

const PREFIX = 'bpf_iter_';

/** Of the kernel function that the program attaches to; undefined where it is no iterator's. */
export function iterTargetOf(func: string): IterTargetName | undefined {
  if (!func.startsWith(PREFIX)) return undefined;
  const name = func.slice(PREFIX.length);
  return name in ITER_ARGS ? (name as IterTargetName) : undefined;
}

/** The argument at an offset of the context; `meta` is at 0. */
export function iterArgAt(func: string, off: number): IterArg | undefined {
  const target = iterTargetOf(func);
  return target && (ITER_ARGS[target] as readonly IterArg[])[off / 8 - 1];
}
