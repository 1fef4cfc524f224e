/**
 * An object file as clang 14 to 22 writes it, read into an ObjectSpec. Pure: no machine is asked.
 *
 *   readObject(bytes, 'xdp_count.o')     throws ObjectError and nothing else
 *
 * Order: ELF, BTF, maps, externs, functions; then each program is linked with what it calls.
 */
import type { Btf } from '../btf/btf.ts';
import { parseBtf } from '../btf/btf.ts';
import type { BtfExt } from '../btf/ext.ts';
import { parseBtfExt } from '../btf/ext.ts';
import { BtfError } from '../btf/types.ts';
import { uapi } from '../uapi.ts';
import { readBtfMaps } from './btf-maps.ts';
import { MAX_DATA_BYTES, dataLayouts, dataMap, globalDataMap, isDataSection } from './data-maps.ts';
import type { ElfFile, ElfSection } from './elf-file.ts';
import { SHF, readElf } from './elf-file.ts';
import { ObjectError } from './error.ts';
import { kconfigBytes, readExterns } from './externs.ts';
import type { Budget, ElfFunction } from './functions.ts';
import { functionSymbols, isCodeSection, readFunctions } from './functions.ts';
import { readLegacyMaps } from './legacy-maps.ts';
import type { LinkContext } from './link.ts';
import { linkProgram } from './link.ts';
import type { ObjectMap, ObjectProgram, ObjectSpec } from './object-spec.ts';
import { sectionDef } from './section-defs.ts';
import { readStructOps } from './struct-ops.ts';

/** Instructions that reading may handle in all: four programs of the kernel's limit of a million. */
const BUDGET_SLOTS = 4_000_000;

export function readObject(bytes: Uint8Array, fileName: string): ObjectSpec {
  const elf = readElf(bytes, fileName);
  const { btf, ext } = readTypes(elf);
  const maps = readMaps(elf, btf);
  const externs = readExterns(elf, btf);
  const kconfig = kconfigBytes(externs);
  if (kconfig > MAX_DATA_BYTES) {
    throw new ObjectError(fileName, '.kconfig', `${kconfig} bytes are too many for a map value`);
  }
  if (kconfig > 0) {
    maps.data.push(globalDataMap('.kconfig', new Uint8Array(kconfig), true, btf));
  }
  const budget = { slots: BUDGET_SLOTS };
  const functions = readAllFunctions(elf, ext, budget);
  const context: LinkContext = {
    elf,
    functionAt: (section, slot) => functions.at.get(section)?.get(slot),
    dataMaps: maps.dataBySection,
    definedMapAt: (section, offset) => maps.definedAt.get(section)?.get(offset),
    externs: new Map(externs.map((extern) => [extern.name, extern])),
    budget,
  };
  const programs = functions.programs.map((program) => describe(program, context));
  const structOps = btf === undefined ? [] : readStructOps(elf, btf);
  return {
    file: fileName,
    name: objectName(fileName),
    license: textOf(elf.sectionNamed('license')),
    version: wordOf(elf.sectionNamed('version')),
    btf,
    maps: [...fillElfMapSlots(maps.defined, programs), ...maps.data, ...structOps],
    programs,
    externs,
    dataLayouts: btf === undefined ? [] : dataLayouts(elf, btf),
    hiddenFunctions: elf.symbols
      .filter(({ type, hidden, binding }) => type === 'func' && hidden && binding !== 'local')
      .map(({ name }) => name),
    notes: [...maps.notes, ...unusedNotes(elf)],
  };
}

/** libbpf's: the base name up to its first dot, 15 bytes at most in map names. */
export function objectName(fileName: string): string {
  return fileName.slice(fileName.lastIndexOf('/') + 1).replace(/\..*$/, '');
}

function readTypes(elf: ElfFile): { btf?: Btf; ext?: BtfExt } {
  const section = elf.sectionNamed('.BTF');
  if (section === undefined || section.data.length === 0) return {};
  let name = section.name;
  try {
    const btf = parseBtf(section.data);
    const extSection = elf.sectionNamed('.BTF.ext');
    if (extSection === undefined) return { btf };
    name = extSection.name;
    return { btf, ext: parseBtfExt(extSection.data, btf) };
  } catch (error) {
    if (!(error instanceof BtfError)) throw error;
    throw new ObjectError(elf.fileName, name, error.message);
  }
}

interface MapsRead {
  readonly defined: readonly ObjectMap[];
  readonly data: ObjectMap[];
  readonly dataBySection: ReadonlyMap<number, ObjectMap>;
  readonly definedAt: ReadonlyMap<number, ReadonlyMap<number, ObjectMap>>;
  readonly notes: readonly string[];
}

function readMaps(elf: ElfFile, btf: Btf | undefined): MapsRead {
  const defined: ObjectMap[] = [];
  const data: ObjectMap[] = [];
  const dataBySection = new Map<number, ObjectMap>();
  const definedAt = new Map<number, Map<number, ObjectMap>>();
  const notes: string[] = [];
  const define = (section: ElfSection, maps: readonly ObjectMap[]) => {
    const byName = new Map(maps.map((map) => [map.name, map]));
    const places = new Map<number, ObjectMap>();
    for (const symbol of elf.symbols) {
      const map = symbol.section === section.index ? byName.get(symbol.name) : undefined;
      if (map !== undefined) places.set(symbol.value, map);
    }
    definedAt.set(section.index, places);
    defined.push(...maps);
  };
  for (const section of elf.sections) {
    if (section.name === '.maps') {
      if (btf === undefined) {
        throw new ObjectError(elf.fileName, '.maps', 'there is no BTF for it; compile with -g');
      }
      define(section, readBtfMaps(elf, section, btf));
    } else if (section.name === 'maps') {
      define(section, readLegacyMaps(elf, section, btf));
    } else if (isDataSection(section)) {
      const map = dataMap(elf, section, btf);
      if (map === undefined) continue;
      data.push(map);
      dataBySection.set(section.index, map);
      const pointers = elf.relocations.get(section.index)?.length ?? 0;
      if (pointers > 0) {
        notes.push(`section ${section.name}: ${pointers} pointers in data stay unrelocated`);
      }
    }
  }
  refuseTwins(elf, [...defined, ...data]);
  return { defined, data, dataBySection, definedAt, notes };
}

function refuseTwins(elf: ElfFile, maps: readonly ObjectMap[]): void {
  const names = new Set<string>();
  for (const { name } of maps) {
    if (names.has(name)) throw new ObjectError(elf.fileName, undefined, `two maps named '${name}'`);
    names.add(name);
  }
}

function readAllFunctions(elf: ElfFile, ext: BtfExt | undefined, budget: Budget) {
  const symbols = functionSymbols(elf);
  const at = new Map<number, Map<number, ElfFunction>>();
  const programs: ElfFunction[] = [];
  for (const section of elf.sections.filter(isCodeSection)) {
    const own = symbols.get(section.index) ?? [];
    const functions = readFunctions(elf, section, own, ext, budget);
    at.set(section.index, new Map(functions.map((part) => [part.start, part])));
    for (const part of functions) {
      // Subprograms stand in .text, wherever they are called from.
      if (section.name === '.text') continue;
      const { name, binding } = part.symbol;
      if (binding === 'local') {
        const why = `program '${name}' is static and not supported`;
        throw new ObjectError(elf.fileName, section.name, why);
      }
      programs.push(part);
    }
  }
  return { at, programs };
}

function describe(program: ElfFunction, context: LinkContext): ObjectProgram {
  const autoload = !program.section.name.startsWith('?');
  const section = autoload ? program.section.name : program.section.name.slice(1);
  const match = sectionDef(section);
  const def = match?.def;
  return {
    name: program.symbol.name,
    section,
    autoload,
    def,
    type: def?.type ?? 'unspec',
    attachType: def?.attachType,
    target: match?.target ?? '',
    flags:
      (def?.sleepable ? uapi.BPF_F_SLEEPABLE : 0) | (def?.frags ? uapi.BPF_F_XDP_HAS_FRAGS : 0),
    ...linkProgram(program, context),
  };
}

/** iproute2: the program of section `ID/INDEX` goes into slot INDEX of the map with that id. */
function fillElfMapSlots(
  maps: readonly ObjectMap[],
  programs: readonly ObjectProgram[],
): ObjectMap[] {
  return maps.map((map) => {
    if (map.elfMapId === undefined) return map;
    const slots = programs.flatMap(({ name, section }) => {
      const place = /^(\d+)\/(\d+)$/.exec(section);
      return Number(place?.[1]) === map.elfMapId
        ? [{ index: Number(place![2]), program: name }]
        : [];
    });
    return { ...map, slots: [...map.slots, ...slots] };
  });
}

const textOf = (section: ElfSection | undefined) => {
  const data = section?.data ?? new Uint8Array(0);
  const end = data.indexOf(0);
  return new TextDecoder().decode(end < 0 ? data : data.subarray(0, end));
};

function wordOf(section: ElfSection | undefined): number {
  if (section === undefined || section.data.length < 4) return 0;
  return new DataView(section.data.buffer, section.data.byteOffset).getUint32(0, true);
}

/** Sections that hold something which nothing here reads. */
function unusedNotes(elf: ElfFile): string[] {
  const known =
    /^(license|version|maps|\.maps|\.kconfig|\.ksyms|\.BTF.*|\.struct_ops(\.link)?|\.addrsig)$/;
  return elf.sections
    .filter((section) => (section.flags & SHF.ALLOC) !== 0 && section.sizeBytes > 0)
    .filter((section) => (section.flags & SHF.EXECINSTR) === 0 && !isDataSection(section))
    .filter(({ name }) => !known.test(name) && !name.startsWith('.eh_frame'))
    .map(({ name }) => `section ${name}: unrecognized, skipped`);
}
