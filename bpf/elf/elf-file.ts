/**
 * ELF as clang's BPF back end writes it: 64-bit, little-endian, relocatable. Every offset and count
 * is checked against the bytes that are there, so hostile files cost no more than their size.
 *
 *   readElf(bytes, 'prog.o')      throws ObjectError and nothing else
 *   elf.sectionNamed('.BTF')
 */
import { ObjectError } from './error.ts';

export const SHT = {
  NULL: 0,
  PROGBITS: 1,
  SYMTAB: 2,
  STRTAB: 3,
  RELA: 4,
  NOBITS: 8,
  REL: 9,
} as const;
export const SHF = { WRITE: 1, ALLOC: 2, EXECINSTR: 4, INFO_LINK: 0x40 } as const;
export const SHN_UNDEF = 0;
/** From here on section numbers mean something else: SHN_ABS, for one. */
export const SHN_LORESERVE = 0xff00;
export const SHN_ABS = 0xfff1;
/** Relocation types of the BPF psABI (llvm ELFRelocs/BPF.def). */
export const R_BPF = {
  NONE: 0,
  _64_64: 1,
  _64_ABS64: 2,
  _64_ABS32: 3,
  _64_NODYLD32: 4,
  _64_32: 10,
};

export interface ElfSection {
  readonly index: number;
  readonly name: string;
  readonly type: number;
  readonly flags: number;
  /** Empty for SHT_NOBITS. */
  readonly data: Uint8Array;
  readonly sizeBytes: number;
  readonly link: number;
  readonly info: number;
  /** Bytes; a power of two in sound files. */
  readonly align: number;
  /** Size of an entry, for tables. */
  readonly entryBytes: number;
}

export type SymbolType = 'none' | 'object' | 'func' | 'section' | 'file' | 'other';
export type SymbolBinding = 'local' | 'global' | 'weak' | 'other';

export interface ElfSymbol {
  readonly index: number;
  /** A section symbol has its section's name. */
  readonly name: string;
  readonly type: SymbolType;
  readonly binding: SymbolBinding;
  /** STV_HIDDEN or STV_INTERNAL. */
  readonly hidden: boolean;
  readonly section: number;
  readonly value: number;
  readonly sizeBytes: number;
}

export interface ElfRelocation {
  /** Byte offset in the section that it applies to. */
  readonly offset: number;
  readonly type: number;
  readonly symbol: ElfSymbol;
}

export interface ElfFile {
  readonly fileName: string;
  readonly sections: readonly ElfSection[];
  readonly symbols: readonly ElfSymbol[];
  /** Relocations by the index of the section that they apply to. */
  readonly relocations: ReadonlyMap<number, readonly ElfRelocation[]>;
  sectionNamed(name: string): ElfSection | undefined;
  /** The variable or function of that name in a section. */
  symbolIn(section: number, name: string): ElfSymbol | undefined;
}

const EHDR_BYTES = 64;
const SHDR_BYTES = 64;
const SYM_BYTES = 24;
const REL_BYTES = 16;
const ET_REL = 1;
const EM_BPF = 247;
const SHN_XINDEX = 0xffff;
const SYMBOL_TYPES: readonly SymbolType[] = ['none', 'object', 'func', 'section', 'file'];
const BINDINGS: readonly SymbolBinding[] = ['local', 'global', 'weak'];

export function readElf(bytes: Uint8Array, fileName: string): ElfFile {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  const fail = (reason: string, section?: string): never => {
    throw new ObjectError(fileName, section, reason);
  };
  checkHeader(bytes, view, fail);
  const sections = readSections(bytes, view, fail);
  const symbols = readSymbols(sections, fail);
  const byName = new Map<string, ElfSection>();
  for (const section of sections) {
    if (!byName.has(section.name)) byName.set(section.name, section);
  }
  const bySymbol = new Map<string, ElfSymbol>();
  for (const symbol of symbols) {
    if (symbol.type !== 'section' && symbol.type !== 'file') {
      bySymbol.set(`${symbol.section} ${symbol.name}`, symbol);
    }
  }
  return {
    fileName,
    sections,
    symbols,
    relocations: readRelocations(sections, symbols, fail),
    sectionNamed: (name) => byName.get(name),
    symbolIn: (section, name) => bySymbol.get(`${section} ${name}`),
  };
}

/** What stands at the start of `bytes` is a 64-bit little-endian BPF object. */
export function isElfImage(bytes: Uint8Array): boolean {
  if (bytes.length < EHDR_BYTES || bytes[4] !== 2 || bytes[5] !== 1) return false;
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  return view.getUint32(0, false) === 0x7f454c46 && view.getUint16(18, true) === EM_BPF;
}

/** Size of the image that starts at `bytes`: up to the end of the last of its parts. */
export function elfImageBytes(bytes: Uint8Array): number | undefined {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  const tableOffset = u64(view, 40);
  const count = view.getUint16(60, true);
  let end = tableOffset + count * SHDR_BYTES;
  if (end > bytes.length) return undefined;
  for (let index = 0; index < count; index++) {
    const at = tableOffset + index * SHDR_BYTES;
    const type = view.getUint32(at + 4, true);
    if (type === SHT.NOBITS || type === SHT.NULL) continue;
    end = Math.max(end, u64(view, at + 24) + u64(view, at + 32));
  }
  return end <= bytes.length ? end : undefined;
}

type Fail = (reason: string, section?: string) => never;

function checkHeader(bytes: Uint8Array, view: DataView, fail: Fail): void {
  if (bytes.length < 4 || view.getUint32(0, false) !== 0x7f454c46) fail('not an ELF file');
  if (bytes.length < EHDR_BYTES) fail('truncated ELF header');
  if (bytes[4] !== 2) fail('not a 64-bit ELF file');
  if (bytes[5] !== 1) fail('big-endian BPF object; this machine is little-endian');
  const machine = view.getUint16(18, true);
  if (view.getUint16(16, true) !== ET_REL) fail('not a relocatable object');
  // LLVM wrote EM_NONE before the number was assigned.
  if (machine !== EM_BPF && machine !== 0) fail(`not a BPF object (ELF machine ${machine})`);
}

/** A 64-bit file offset or size; beyond 2^53 no file reaches, and the caller's check fails. */
const u64 = (view: DataView, at: number) =>
  view.getUint32(at + 4, true) * 2 ** 32 + view.getUint32(at, true);

function readSections(bytes: Uint8Array, view: DataView, fail: Fail): ElfSection[] {
  const tableOffset = u64(view, 40);
  if (tableOffset === 0) fail('no section table');
  if (view.getUint16(58, true) !== SHDR_BYTES) fail('odd size of section headers');
  if (tableOffset + SHDR_BYTES > bytes.length) fail('section table is outside the file');
  // Counts that do not fit 16 bits are in the first header.
  const count = view.getUint16(60, true) || u64(view, tableOffset + 32);
  if (tableOffset + count * SHDR_BYTES > bytes.length) fail('section table is outside the file');
  let nameIndex = view.getUint16(62, true);
  if (nameIndex === SHN_XINDEX) nameIndex = view.getUint32(tableOffset + 40, true);

  const raw = Array.from({ length: count }, (_, index) => {
    const at = tableOffset + index * SHDR_BYTES;
    return {
      index,
      nameOffset: view.getUint32(at, true),
      type: view.getUint32(at + 4, true),
      flags: view.getUint32(at + 8, true),
      offset: u64(view, at + 24),
      sizeBytes: u64(view, at + 32),
      link: view.getUint32(at + 40, true),
      info: view.getUint32(at + 44, true),
      align: u64(view, at + 48),
      entryBytes: u64(view, at + 56),
    };
  });
  const dataOf = ({ index, type, offset, sizeBytes }: (typeof raw)[number]) => {
    if (type === SHT.NOBITS || type === SHT.NULL) return new Uint8Array(0);
    if (offset + sizeBytes > bytes.length) fail(`section ${index} is outside the file`);
    return bytes.subarray(offset, offset + sizeBytes);
  };
  const nameHeader = raw[nameIndex] ?? fail('no section names');
  const names = stringTable(dataOf(nameHeader));
  return raw.map((header) => {
    const { index, type, flags, sizeBytes, link, info, align, entryBytes } = header;
    const name = names(header.nameOffset) ?? fail(`section ${index} has no name`);
    if (type === SHT.NOBITS && sizeBytes > 0xffff_ffff) fail('is larger than 4 GiB', name);
    const data = dataOf(header);
    return { index, name, type, flags, data, sizeBytes, link, info, align, entryBytes };
  });
}

function stringTable(data: Uint8Array): (offset: number) => string | undefined {
  const decoder = new TextDecoder();
  const known = new Map<number, string>();
  // Every name's tail may be a name too; a file that makes much of that is hostile.
  let budget = 4 * data.length + 65536;
  return (offset) => {
    const cached = known.get(offset);
    if (cached !== undefined) return cached;
    const end = data.indexOf(0, offset);
    if (offset >= data.length || end < 0) return undefined;
    budget -= end - offset;
    if (budget < 0) return undefined;
    const text = decoder.decode(data.subarray(offset, end));
    known.set(offset, text);
    return text;
  };
}

function readSymbols(sections: readonly ElfSection[], fail: Fail): ElfSymbol[] {
  const tables = sections.filter(({ type }) => type === SHT.SYMTAB);
  if (tables.length > 1) fail('more than one symbol table');
  const table = tables[0];
  if (table === undefined) return [];
  const strings = sections[table.link];
  if (strings?.type !== SHT.STRTAB) fail('its string table is missing', table.name);
  if (table.data.length % SYM_BYTES !== 0) fail('odd size', table.name);
  const names = stringTable(strings!.data);
  const view = new DataView(table.data.buffer, table.data.byteOffset, table.data.length);
  return Array.from({ length: table.data.length / SYM_BYTES }, (_, index) => {
    const at = index * SYM_BYTES;
    const info = view.getUint8(at + 4);
    const section = view.getUint16(at + 6, true);
    const type = SYMBOL_TYPES[info & 15] ?? 'other';
    const visibility = view.getUint8(at + 5) & 3;
    const own = names(view.getUint32(at, true)) ?? fail(`symbol ${index} has no name`, table.name);
    return {
      index,
      name: type === 'section' && own === '' ? (sections[section]?.name ?? '') : own,
      type,
      binding: BINDINGS[info >> 4] ?? 'other',
      hidden: visibility === 1 || visibility === 2,
      section,
      value: u64(view, at + 8),
      sizeBytes: u64(view, at + 16),
    };
  });
}

function readRelocations(
  sections: readonly ElfSection[],
  symbols: readonly ElfSymbol[],
  fail: Fail,
): Map<number, ElfRelocation[]> {
  const bySection = new Map<number, ElfRelocation[]>();
  for (const { name, type, data, info } of sections) {
    // Only what applies to code, maps and data matters; debug info is not read.
    if (type !== SHT.REL || name.startsWith('.rel.debug') || name.startsWith('.rel.BTF')) continue;
    const target = sections[info];
    if (target === undefined) fail(`applies to section ${info}, which is not there`, name);
    if (data.length % REL_BYTES !== 0) fail('odd size', name);
    const view = new DataView(data.buffer, data.byteOffset, data.length);
    const relocations = bySection.get(info) ?? [];
    for (let at = 0; at < data.length; at += REL_BYTES) {
      const offset = u64(view, at);
      const symbolIndex = view.getUint32(at + 12, true);
      const symbol = symbols[symbolIndex] ?? fail(`no symbol ${symbolIndex}`, name);
      if (offset >= target!.sizeBytes) fail(`offset ${offset} is outside ${target!.name}`, name);
      relocations.push({ offset, type: view.getUint32(at + 8, true), symbol });
    }
    relocations.sort((a, b) => a.offset - b.offset);
    bySection.set(info, relocations);
  }
  return bySection;
}
