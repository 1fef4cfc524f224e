/** The kernel's own BTF (/sys/kernel/btf/vmlinux), from the declarations of its structs. */
import { btfFromStructs } from '../../bpf/btf/structs.ts';
import type { Btf } from '../../bpf/btf/btf.ts';
import * as bpfMap from '../types/bpf-map.ts';
import * as ptRegs from '../types/pt-regs.ts';
import type { AnyStruct } from '../types/struct.ts';
import * as task from '../types/task.ts';
import * as xdp from '../types/xdp.ts';

const modules: readonly Readonly<Record<string, unknown>>[] = [task, ptRegs, bpfMap, xdp];

export function kernelBtf(): Btf {
  const structs = modules.flatMap((module) => Object.values(module).filter(isStruct));
  return btfFromStructs(structs);
}

function isStruct(value: unknown): value is AnyStruct {
  return typeof value === 'object' && value !== null && 'members' in value && 'offsets' in value;
}
