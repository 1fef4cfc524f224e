/**
 * Maps from before BTF: section `maps` is an array of structs. libbpf's struct bpf_map_def and
 * iproute2's struct bpf_elf_map start with the same five numbers.
 */
import type { Btf } from '../btf/btf.ts';
import { mapTypeOf } from '../uapi.ts';
import type { ElfFile, ElfSection, ElfSymbol } from './elf-file.ts';
import { ObjectError } from './error.ts';
import type { ObjectMap } from './object-spec.ts';

/** type, key_size, value_size, max_entries, map_flags. */
const COMMON_BYTES = 20;
/** bpf_elf_map goes on with id, pinning, inner_id, inner_idx (iproute2 include/bpf_elf.h). */
const ELF_MAP_BYTES = 36;
/** PIN_NONE, PIN_OBJECT_NS, PIN_GLOBAL_NS. */
const ELF_PINNING = ['none', 'object_ns', 'global_ns'] as const;

export function readLegacyMaps(
  elf: ElfFile,
  section: ElfSection,
  btf: Btf | undefined,
): ObjectMap[] {
  const fail = (reason: string): never => {
    throw new ObjectError(elf.fileName, section.name, reason);
  };
  const symbols = elf.symbols
    .filter((symbol) => symbol.section === section.index && isVariable(symbol))
    .sort((a, b) => a.value - b.value);
  if (symbols.length === 0) return [];
  const entryBytes = section.data.length / symbols.length;
  if (!Number.isInteger(entryBytes) || entryBytes % 4 !== 0 || entryBytes < 16) {
    fail(`${section.data.length} bytes do not hold ${symbols.length} map definitions`);
  }
  const view = new DataView(section.data.buffer, section.data.byteOffset, section.data.length);
  const ids = new Map<number, number>();
  const entries = symbols.map((symbol, position) => {
    if (symbol.value + entryBytes > section.data.length) fail(`map '${symbol.name}' is cut off`);
    const word = (index: number) =>
      index * 4 < entryBytes ? view.getUint32(symbol.value + index * 4, true) : 0;
    const elfMap = isElfMap(symbol, entryBytes, btf);
    if (elfMap && word(5) !== 0) ids.set(word(5), position);
    for (let rest = COMMON_BYTES / 4; !elfMap && rest * 4 < entryBytes; rest++) {
      if (word(rest) !== 0) fail(`map '${symbol.name}' has unrecognized, non-zero options`);
    }
    return { symbol, word, elfMap };
  });
  const maps: ObjectMap[] = entries.map(({ symbol, word, elfMap }) => ({
    name: symbol.name,
    def: {
      type: mapTypeOf(word(0)) ?? fail(`map '${symbol.name}': unknown map type ${word(0)}`),
      keyBytes: word(1),
      valueBytes: word(2),
      maxEntries: word(3),
      flags: word(4),
      numaNode: 0,
      mapExtra: 0n,
      btfKeyTypeId: 0,
      btfValueTypeId: 0,
    },
    pinning: elfMap ? (ELF_PINNING[word(6)] ?? 'none') : 'none',
    slots: [],
    ...(elfMap && word(5) !== 0 && { elfMapId: word(5) }),
  }));
  // inner_id names the map that is the template, by the other's id.
  return maps.map((map, position) => {
    const innerId = entries[position]!.elfMap ? entries[position]!.word(7) : 0;
    if (innerId === 0) return map;
    const template =
      maps[ids.get(innerId) ?? -1] ?? fail(`'${map.name}': no map has id ${innerId}`);
    return { ...map, def: { ...map.def, inner: template.def } };
  });
}

/** Compilers leave the type of old definitions open. */
const isVariable = ({ type }: ElfSymbol) => type === 'object' || type === 'none';

function isElfMap(symbol: ElfSymbol, entryBytes: number, btf: Btf | undefined): boolean {
  const variable = btf?.typeAs(btf.find(symbol.name, 'var') ?? 0, 'var');
  const struct = variable && btf!.resolved(variable.type).name;
  if (struct === 'bpf_elf_map') return true;
  return struct !== 'bpf_map_def' && entryBytes === ELF_MAP_BYTES;
}
