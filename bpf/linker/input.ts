/** One of the objects to be linked, read and checked as far as a linker must rely on it. */
import type { Btf } from '../btf/btf.ts';
import { parseBtf } from '../btf/btf.ts';
import { parseBtfExt } from '../btf/ext.ts';
import type { ExtRows } from '../btf/ext-rows.ts';
import { readRows } from '../btf/ext-rows.ts';
import type { BtfDatasec } from '../btf/types.ts';
import { BtfError } from '../btf/types.ts';
import type { ElfFile, ElfSymbol } from '../elf/elf-file.ts';
import { SHF, SHN_LORESERVE, SHN_UNDEF, readElf } from '../elf/elf-file.ts';
import { ObjectError } from '../elf/error.ts';
import { INSN_BYTES } from '../isa/codec.ts';
import type { OutputSections, Placement } from './sections.ts';
import { isLinked } from './sections.ts';
import { isGlobalType } from './symbols.ts';

export interface LinkInput {
  /** For messages. */
  readonly file: string;
  readonly bytes: Uint8Array;
}

export interface Declaration {
  readonly btf: Btf;
  /** A VAR or FUNC. */
  readonly typeId: number;
  /** Of the DATASEC that lists it. */
  readonly sectionName: string | undefined;
}

export interface Input {
  readonly elf: ElfFile;
  readonly btf: Btf | undefined;
  readonly ext: ExtRows | undefined;
  /** By number of the section in the input. */
  readonly placements: ReadonlyMap<number, Placement>;
  readonly declarationOf: (name: string) => Declaration;
  readonly check: (symbol: ElfSymbol) => void;
  readonly fail: (reason: string, section?: string) => never;
}

export function readInput({ file, bytes }: LinkInput, sections: OutputSections): Input {
  const fail = (reason: string, section?: string): never => {
    throw new ObjectError(file, section, reason);
  };
  const elf = readElf(bytes, file);
  const placements = new Map<number, Placement>();
  for (const section of elf.sections.filter(isLinked)) {
    const { name, align, sizeBytes, flags } = section;
    if (align > 4096 || (align & (align - 1)) !== 0) fail(`alignment of ${align} bytes`, name);
    if ((flags & SHF.EXECINSTR) !== 0 && sizeBytes % INSN_BYTES !== 0) {
      fail('does not hold whole instructions', name);
    }
    const place = sections.place(elf, section);
    if (place !== undefined) placements.set(section.index, place);
  }
  const { btf, ext } = readTypes(elf, fail);
  for (const type of btf?.types ?? []) {
    // Sections that only BTF knows: `.kconfig`, `.ksyms`, `.maps` of extern maps.
    if (type.kind !== 'datasec' || type.name === '.extern') continue;
    if (elf.sectionNamed(type.name) === undefined) sections.shell(type.name);
  }
  const declarations = btf === undefined ? undefined : globalDeclarations(btf, fail);
  return {
    elf,
    btf,
    ext,
    placements,
    declarationOf: (name) =>
      declarations?.get(name) ?? fail(`failed to find BTF info for global/extern symbol '${name}'`),
    check: (symbol) => checkSymbol(symbol, elf, fail),
    fail,
  };
}

type Fail = Input['fail'];

function readTypes(elf: ElfFile, fail: Fail): { btf?: Btf; ext?: ExtRows } {
  const section = elf.sectionNamed('.BTF');
  if (section === undefined) return {};
  let name = section.name;
  try {
    const btf = parseBtf(section.data);
    const extSection = elf.sectionNamed('.BTF.ext');
    if (extSection === undefined) return { btf };
    name = extSection.name;
    return { btf, ext: readRows(parseBtfExt(extSection.data, btf), btf) };
  } catch (error) {
    if (!(error instanceof BtfError)) throw error;
    return fail(error.message, name);
  }
}

function globalDeclarations(btf: Btf, fail: Fail): Map<string, Declaration> {
  const found = new Map<string, Declaration>();
  for (const [typeId, type] of btf.types.entries()) {
    if (isGlobalType(type)) found.set(type.name, { btf, typeId, sectionName: undefined });
  }
  const sections = btf.types.filter((type): type is BtfDatasec => type.kind === 'datasec');
  for (const { name: sectionName, vars } of sections) {
    for (const { type: typeId } of vars) {
      const type = btf.types[typeId]!;
      if (!isGlobalType(type)) continue;
      if (found.get(type.name)!.typeId !== typeId) {
        fail(`global/extern '${type.name}' BTF is ambiguous`, '.BTF');
      }
      found.set(type.name, { btf, typeId, sectionName });
    }
  }
  return found;
}

function checkSymbol(symbol: ElfSymbol, elf: ElfFile, fail: Fail): void {
  const { index, name, type, binding, section, value, sizeBytes } = symbol;
  const bad = (what: string) => fail(`ELF symbol #${index} (${name}) ${what}`, '.symtab');
  if (type === 'other') bad('has an unsupported type');
  if (binding === 'other') bad('has an unsupported binding');
  if (type === 'section' && value !== 0) bad('is a section with a value');
  if (section === SHN_UNDEF) {
    if (type !== 'none' || binding === 'local' || value !== 0 || sizeBytes !== 0) {
      bad('is undefined, but says more than that');
    }
  } else if (section < SHN_LORESERVE && elf.sections[section] === undefined) {
    bad(`is in section ${section}, which is not there`);
  }
}
