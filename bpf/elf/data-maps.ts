/**
 * Global data: each `.rodata*`, `.data*` and `.bss*` section becomes an array map with one element,
 * as does `.kconfig` for the values of kernel configuration externs.
 */
import type { Btf } from '../btf/btf.ts';
import { uapi } from '../uapi.ts';
import type { ElfFile, ElfSection } from './elf-file.ts';
import { SHF, SHT } from './elf-file.ts';
import { ObjectError } from './error.ts';
import type { DataLayout, ObjectMap } from './object-spec.ts';

/** A map value's limit: KMALLOC_MAX_SIZE on x86-64 (include/linux/slab.h). */
export const MAX_DATA_BYTES = 4 * 1024 * 1024;

export function isDataSection({ name, type, flags }: ElfSection): boolean {
  if ((flags & SHF.ALLOC) === 0) return false;
  if (type === SHT.NOBITS) return /^\.bss(\.|$)/.test(name);
  return type === SHT.PROGBITS && /^\.(rodata|data)(\.|$)/.test(name);
}

/** Undefined for an empty section. */
export function dataMap(
  elf: ElfFile,
  section: ElfSection,
  btf: Btf | undefined,
): ObjectMap | undefined {
  const { name, sizeBytes } = section;
  if (sizeBytes === 0) return undefined;
  if (sizeBytes > MAX_DATA_BYTES) {
    throw new ObjectError(elf.fileName, name, `${sizeBytes} bytes are too many for a map value`);
  }
  const data = new Uint8Array(sizeBytes);
  data.set(section.data);
  return globalDataMap(name, data, name.startsWith('.rodata'), btf);
}

export function globalDataMap(
  name: string,
  data: Uint8Array,
  readOnly: boolean,
  btf: Btf | undefined,
): ObjectMap {
  const typeId = btf?.find(name, 'datasec') ?? 0;
  // Static variables are no interface: only a section with a global one can be mapped.
  const mappable = btf
    ?.typeAs(typeId, 'datasec')
    ?.vars.some(({ type }) => btf.typeAs(type, 'var')?.linkage !== 'static');
  return {
    name,
    def: {
      type: 'array',
      keyBytes: 4,
      valueBytes: data.length,
      maxEntries: 1,
      flags: (readOnly ? uapi.BPF_F_RDONLY_PROG : 0) | (mappable ? uapi.BPF_F_MMAPABLE : 0),
      numaNode: 0,
      mapExtra: 0n,
      btfKeyTypeId: 0,
      btfValueTypeId: typeId,
    },
    pinning: 'none',
    data,
    slots: [],
    ...(readOnly && { readOnly: true as const }),
  };
}

/** Where variables are, for each DATASEC: compilers leave size and places to the linker. */
export function dataLayouts(elf: ElfFile, btf: Btf): DataLayout[] {
  return btf.types.flatMap((type) => {
    const section = type.kind === 'datasec' ? elf.sectionNamed(type.name) : undefined;
    if (type.kind !== 'datasec' || section === undefined) return [];
    const offsets = new Map<string, number>();
    for (const variable of type.vars) {
      // Static variables may share a name; their offsets the compiler fills in.
      const { name, linkage } = btf.typeAs(variable.type, 'var') ?? { name: '', linkage: 'static' };
      const symbol = linkage === 'static' ? undefined : elf.symbolIn(section.index, name);
      if (symbol !== undefined) offsets.set(name, symbol.value);
    }
    return [{ section: type.name, sizeBytes: section.sizeBytes, offsets }];
  });
}
