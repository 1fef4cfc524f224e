/**
 * Writes a relocatable BPF object: sections, symbols and relocations in, bytes out. The tables that
 * hold it together (names, symbols, relocations by section) are made here.
 *
 *   writeElf({ sections, symbols, relocations })
 *
 * Numbers of sections and symbols in the input are positions in its arrays.
 */
import { Bug } from '../../kernel/types/units.ts';
import { SHF, SHN_ABS, SHN_LORESERVE, SHN_UNDEF, SHT } from './elf-file.ts';
import type { SymbolBinding, SymbolType } from './elf-file.ts';

export interface NewSection {
  readonly name: string;
  /** SHT_PROGBITS or SHT_NOBITS. */
  readonly type: number;
  readonly flags: number;
  readonly align: number;
  readonly data: Uint8Array;
  /** Of a NOBITS section; else that of the data. */
  readonly sizeBytes?: number;
  readonly entryBytes?: number;
}

export interface NewSymbol {
  readonly name: string;
  readonly type: Exclude<SymbolType, 'other'>;
  readonly binding: Exclude<SymbolBinding, 'other'>;
  readonly hidden: boolean;
  readonly section: number | 'undefined' | 'absolute';
  readonly value: number;
  readonly sizeBytes: number;
}

export interface NewRelocation {
  readonly offset: number;
  readonly type: number;
  readonly symbol: number;
}

export interface NewElf {
  readonly sections: readonly NewSection[];
  readonly symbols: readonly NewSymbol[];
  /** By the section that they apply to. */
  readonly relocations: ReadonlyMap<number, readonly NewRelocation[]>;
}

const EHDR_BYTES = 64;
const SHDR_BYTES = 64;
const SYM_BYTES = 24;
const REL_BYTES = 16;
/** \x7fELF, 64 bits, little-endian, version 1 (System V gABI). */
const IDENT = [0x7f, 0x45, 0x4c, 0x46, 2, 1, 1];
const ET_REL = 1;
const EM_BPF = 247;
const TYPES: readonly SymbolType[] = ['none', 'object', 'func', 'section', 'file'];
const BINDINGS: readonly SymbolBinding[] = ['local', 'global', 'weak'];
const STV_HIDDEN = 2;

/** Number of the first of the given sections in the file: after null, names and symbols. */
const FIRST = 3;

interface Header extends NewSection {
  readonly link?: number;
  readonly info?: number;
}

export function writeElf({ sections, symbols, relocations }: NewElf): Uint8Array {
  if (sections.length + relocations.size + FIRST >= SHN_LORESERVE) throw new Bug('many sections');
  const strings = new Strings();
  // Local symbols come first: sh_info says where the others start.
  const isLocal = ({ binding }: NewSymbol) => binding === 'local';
  const order = [...symbols.keys()].sort(
    (a, b) => Number(isLocal(symbols[b]!)) - Number(isLocal(symbols[a]!)),
  );
  const numbers = new Map(order.map((symbol, position) => [symbol, position + 1]));
  const symbolTable = encodeSymbols(
    order.map((symbol) => symbols[symbol]!),
    strings,
  );
  const relocationTables = [...relocations].map(([section, rows]): Header => {
    const { name } = sections[section]!;
    return {
      name: `.rel${name}`,
      type: SHT.REL,
      flags: SHF.INFO_LINK,
      align: 8,
      data: encodeRelocations(rows, (symbol) => numbers.get(symbol)!),
      entryBytes: REL_BYTES,
      link: FIRST - 1,
      info: section + FIRST,
    };
  });
  const symtab: Header = {
    name: '.symtab',
    type: SHT.SYMTAB,
    flags: 0,
    align: 8,
    data: symbolTable,
    entryBytes: SYM_BYTES,
    link: FIRST - 2,
    info: symbols.filter(isLocal).length + 1,
  };
  const rest = [symtab, ...sections, ...relocationTables];
  for (const { name } of rest) strings.offsetOf(name);
  strings.offsetOf('.strtab');
  const strtab = { name: '.strtab', type: SHT.STRTAB, flags: 0, align: 1, data: strings.bytes() };
  return layOut([strtab, ...rest], strings);
}

/** Text once each, with their NULs. */
class Strings {
  readonly #offsets = new Map<string, number>([['', 0]]);
  readonly #parts: Uint8Array[] = [new Uint8Array(1)];
  #end = 1;

  offsetOf(text: string): number {
    const known = this.#offsets.get(text);
    if (known !== undefined) return known;
    const part = new TextEncoder().encode(`${text}\0`);
    const offset = this.#end;
    this.#offsets.set(text, offset);
    this.#parts.push(part);
    this.#end += part.length;
    return offset;
  }

  bytes(): Uint8Array {
    const all = new Uint8Array(this.#end);
    let at = 0;
    for (const part of this.#parts) {
      all.set(part, at);
      at += part.length;
    }
    return all;
  }
}

function encodeSymbols(symbols: readonly NewSymbol[], strings: Strings): Uint8Array {
  const table = new Uint8Array((symbols.length + 1) * SYM_BYTES);
  const view = new DataView(table.buffer);
  for (const [position, symbol] of symbols.entries()) {
    const at = (position + 1) * SYM_BYTES;
    const { name, type, binding, section } = symbol;
    const special = section === 'undefined' ? SHN_UNDEF : SHN_ABS;
    view.setUint32(at, strings.offsetOf(name), true);
    view.setUint8(at + 4, (BINDINGS.indexOf(binding) << 4) | TYPES.indexOf(type));
    view.setUint8(at + 5, symbol.hidden ? STV_HIDDEN : 0);
    view.setUint16(at + 6, typeof section === 'number' ? section + FIRST : special, true);
    setU64(view, at + 8, symbol.value);
    setU64(view, at + 16, symbol.sizeBytes);
  }
  return table;
}

function encodeRelocations(
  rows: readonly NewRelocation[],
  numberOf: (symbol: number) => number,
): Uint8Array {
  const table = new Uint8Array(rows.length * REL_BYTES);
  const view = new DataView(table.buffer);
  for (const [index, { offset, type, symbol }] of rows.entries()) {
    setU64(view, index * REL_BYTES, offset);
    view.setUint32(index * REL_BYTES + 8, type, true);
    view.setUint32(index * REL_BYTES + 12, numberOf(symbol), true);
  }
  return table;
}

/** ELF header, the sections' contents, and the table of sections behind them. */
function layOut(headers: readonly Header[], strings: Strings): Uint8Array {
  let end = EHDR_BYTES;
  const offsets = headers.map(({ type, align, data }) => {
    const offset = roundUp(end, align);
    if (type !== SHT.NOBITS) end = offset + data.length;
    return offset;
  });
  const table = roundUp(end, 8);
  const bytes = new Uint8Array(table + (headers.length + 1) * SHDR_BYTES);
  const view = new DataView(bytes.buffer);
  bytes.set(IDENT);
  view.setUint16(16, ET_REL, true);
  view.setUint16(18, EM_BPF, true);
  view.setUint32(20, 1, true);
  setU64(view, 40, table);
  view.setUint16(52, EHDR_BYTES, true);
  view.setUint16(58, SHDR_BYTES, true);
  view.setUint16(60, headers.length + 1, true);
  // The names are in the first section after the null one.
  view.setUint16(62, 1, true);
  for (const [index, header] of headers.entries()) {
    const at = table + (index + 1) * SHDR_BYTES;
    const offset = offsets[index]!;
    view.setUint32(at, strings.offsetOf(header.name), true);
    view.setUint32(at + 4, header.type, true);
    setU64(view, at + 8, header.flags);
    setU64(view, at + 24, offset);
    setU64(view, at + 32, header.sizeBytes ?? header.data.length);
    view.setUint32(at + 40, header.link ?? 0, true);
    view.setUint32(at + 44, header.info ?? 0, true);
    setU64(view, at + 48, header.align);
    setU64(view, at + 56, header.entryBytes ?? 0);
    if (header.type !== SHT.NOBITS) bytes.set(header.data, offset);
  }
  return bytes;
}

function setU64(view: DataView, at: number, value: number): void {
  view.setUint32(at, value >>> 0, true);
  view.setUint32(at + 4, Math.floor(value / 2 ** 32), true);
}

const roundUp = (value: number, unit: number) =>
  unit > 1 ? Math.ceil(value / unit) * unit : value;
