/**
 * Section `.struct_ops`: each variable is a table of functions for the kernel (a TCP congestion
 * control, for one). It becomes a map of type struct_ops whose value is the struct; its function
 * pointers are programs.
 */
import type { Btf } from '../btf/btf.ts';
import type { ElfFile } from './elf-file.ts';
import { ObjectError } from './error.ts';
import type { ObjectMap } from './object-spec.ts';

export function readStructOps(elf: ElfFile, btf: Btf): ObjectMap[] {
  return elf.sections
    .filter(({ name, data }) => /^\.struct_ops(\.link)?$/.test(name) && data.length > 0)
    .flatMap((section) => {
      const fail = (reason: string): never => {
        throw new ObjectError(elf.fileName, section.name, reason);
      };
      const datasec = btf.typeAs(btf.find(section.name, 'datasec') ?? 0, 'datasec');
      if (datasec === undefined) return fail('there is no BTF for it; compile with -g');
      return datasec.vars.map(({ type }): ObjectMap => {
        const variable = btf.typeAs(type, 'var') ?? fail(`BTF type ${type} is no variable`);
        const symbol =
          elf.symbolIn(section.index, variable.name) ?? fail(`no symbol '${variable.name}'`);
        const typeId = btf.resolve(variable.type);
        const sizeBytes = btf.sizeOf(typeId) ?? fail(`'${variable.name}' has no size`);
        const end = symbol.value + sizeBytes;
        if (end > section.data.length) fail(`'${variable.name}' goes beyond the section`);
        const functions = (elf.relocations.get(section.index) ?? [])
          .filter(({ offset }) => offset >= symbol.value && offset < end)
          .map((relocation) => ({
            offset: relocation.offset - symbol.value,
            program: relocation.symbol.name,
          }));
        return {
          name: variable.name,
          def: {
            type: 'struct_ops',
            keyBytes: 4,
            valueBytes: sizeBytes,
            maxEntries: 1,
            flags: 0,
            numaNode: 0,
            mapExtra: 0n,
            btfKeyTypeId: 0,
            btfValueTypeId: 0,
          },
          pinning: 'none',
          data: section.data.slice(symbol.value, end),
          slots: [],
          structOps: { typeId, functions },
        };
      });
    });
}
