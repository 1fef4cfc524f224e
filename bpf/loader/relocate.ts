/** Fills maps' descriptors and externs into a program's instructions. */
import { errno } from '../../kernel/types/errno.ts';
import type { ObjectProgram } from '../elf/object-spec.ts';
import type { Insn } from '../isa/insn.ts';
import { rowOf } from '../isa/table.ts';
import { uapi } from '../uapi.ts';
import { LoadError } from './failure.ts';
import type { CreatedMap } from './maps.ts';
import type { ResolvedExtern } from './resolve.ts';

export function relocateProgram(
  program: ObjectProgram,
  insns: readonly Insn[],
  maps: ReadonlyMap<string, CreatedMap>,
  externs: ReadonlyMap<string, ResolvedExtern>,
): Insn[] {
  const result = [...insns];
  const setImm64 = (slot: number, src: number, low: number, high: number) => {
    result[slot] = { ...result[slot]!, src, imm: low | 0 };
    result[slot + 1] = { ...result[slot + 1]!, imm: high | 0 };
  };
  const fdOf = (name: string) => {
    const map = maps.get(name);
    if (map !== undefined) return map.fd;
    throw new LoadError(errno.EINVAL, [`libbpf: prog '${program.name}': no map '${name}'`]);
  };
  for (const relocation of program.relocations) {
    const slot = relocation.insn;
    switch (relocation.kind) {
      case 'map':
        setImm64(slot, uapi.BPF_PSEUDO_MAP_FD, fdOf(relocation.map), 0);
        break;
      case 'data':
        setImm64(slot, uapi.BPF_PSEUDO_MAP_VALUE, fdOf(relocation.map), relocation.offset);
        break;
      case 'extern': {
        const extern = externs.get(relocation.name)!;
        const isCall = rowOf(result[slot]!)?.kind === 'call';
        if (isCall) {
          result[slot] = kfuncCall(result[slot]!, extern);
        } else if (extern.kind === 'kconfig') {
          setImm64(slot, uapi.BPF_PSEUDO_MAP_VALUE, fdOf('.kconfig'), extern.offset);
        } else if (extern.kind === 'btf') {
          setImm64(slot, uapi.BPF_PSEUDO_BTF_ID, extern.typeId, 0);
        } else {
          const low = Number(BigInt.asIntN(32, extern.address));
          setImm64(slot, 0, low, Number(BigInt.asIntN(32, extern.address >> 32n)));
        }
      }
    }
  }
  return result;
}

/** A weak function that the kernel lacks keeps id 0: the verifier refuses it only if it is reached. */
function kfuncCall(insn: Insn, extern: ResolvedExtern): Insn {
  const imm = extern.kind === 'btf' ? extern.typeId : 0;
  return { ...insn, src: uapi.BPF_PSEUDO_KFUNC_CALL, off: 0, imm };
}
