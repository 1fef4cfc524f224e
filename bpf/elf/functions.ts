/**
 * The functions of an object's code sections: their instructions, what the linker must resolve in
 * them, and their rows of `.BTF.ext`. Slots count within the function here.
 */
import type { BtfExt, CoreRelo, ExtSection } from '../btf/ext.ts';
import { INSN_BYTES, decodeInsns } from '../isa/codec.ts';
import type { Insn } from '../isa/insn.ts';
import type { ElfFile, ElfSection, ElfSymbol } from './elf-file.ts';
import { R_BPF, SHF, SHN_UNDEF, SHT } from './elf-file.ts';
import { ObjectError } from './error.ts';
import type { InfoRecords } from './object-spec.ts';

/** A reference to a place in code or data, still by section. */
export interface Reference {
  readonly slot: number;
  readonly symbol: ElfSymbol;
}

export interface ElfFunction {
  readonly symbol: ElfSymbol;
  readonly section: ElfSection;
  /** First slot within the section. */
  readonly start: number;
  readonly insns: readonly Insn[];
  readonly references: readonly Reference[];
  readonly funcInfo: InfoRecords | undefined;
  readonly lineInfo: InfoRecords | undefined;
  readonly coreRelos: readonly CoreRelo[];
}

export function isCodeSection({ type, flags, data }: ElfSection): boolean {
  return type === SHT.PROGBITS && (flags & SHF.EXECINSTR) !== 0 && data.length > 0;
}

/** Work that reading an object may cost; functions of a hostile file overlap without end. */
export interface Budget {
  slots: number;
}

export function readFunctions(
  elf: ElfFile,
  section: ElfSection,
  symbols: readonly ElfSymbol[],
  ext: BtfExt | undefined,
  budget: Budget,
): ElfFunction[] {
  const fail = (reason: string): never => {
    throw new ObjectError(elf.fileName, section.name, reason);
  };
  const spend = <T>(items: readonly T[]) => {
    budget.slots -= items.length;
    if (budget.slots < 0) fail('functions overlap too much');
    return items;
  };
  if (section.data.length % INSN_BYTES !== 0) fail('does not hold whole instructions');
  const insns = decodeInsns(section.data);
  const references = readReferences(elf, section, fail);
  const partsOf = <T extends { section: string }>(parts: readonly T[] | undefined) =>
    (parts ?? []).filter((part) => part.section === section.name);
  const funcRows = sortedRows(partsOf(ext?.funcInfo));
  const lineRows = sortedRows(partsOf(ext?.lineInfo));
  const relos = partsOf(ext?.coreRelos)
    .flatMap((part) => part.relos)
    .map((relo) => ({ relo, slot: relo.insn / INSN_BYTES }))
    .sort((a, b) => a.slot - b.slot);
  return symbols.map((symbol) => {
    const start = symbol.value / INSN_BYTES;
    const count = symbol.sizeBytes / INSN_BYTES;
    if (!Number.isInteger(start) || !Number.isInteger(count) || count === 0) {
      fail(`function '${symbol.name}' is no whole number of instructions`);
    }
    const end = start + count;
    if (end > insns.length) fail(`function '${symbol.name}' goes beyond the section`);
    return {
      symbol,
      section,
      start,
      insns: spend(insns.slice(start, end)),
      references: spend(within(references, start, end)).map((reference) => ({
        ...reference,
        slot: reference.slot - start,
      })),
      funcInfo: infoRecords(spend(within(funcRows, start, end)), start),
      lineInfo: infoRecords(spend(within(lineRows, start, end)), start),
      coreRelos: spend(within(relos, start, end)).map(({ relo, slot }) => ({
        ...relo,
        insn: slot - start,
      })),
    };
  });
}

function readReferences(
  elf: ElfFile,
  section: ElfSection,
  fail: (reason: string) => never,
): Reference[] {
  return (elf.relocations.get(section.index) ?? []).map(({ offset, type, symbol }) => {
    if (offset % INSN_BYTES !== 0) fail(`relocation at odd offset ${offset}`);
    if (type !== R_BPF._64_64 && type !== R_BPF._64_32) {
      fail(`relocation of type ${type} at offset ${offset}`);
    }
    return { slot: offset / INSN_BYTES, symbol };
  });
}

interface Row {
  readonly slot: number;
  readonly bytes: Uint8Array;
}

function sortedRows(parts: readonly ExtSection[]): Row[] {
  const rows = parts.flatMap(({ records, recordBytes, count }) => {
    const view = new DataView(records.buffer, records.byteOffset, records.length);
    return Array.from({ length: count }, (_, index) => {
      const at = index * recordBytes;
      const slot = view.getUint32(at, true) / INSN_BYTES;
      return { slot, bytes: records.subarray(at, at + recordBytes) };
    });
  });
  return rows.sort((a, b) => a.slot - b.slot);
}

/** Those of a sorted list that lie in [start, end). */
function within<T extends { readonly slot: number }>(
  sorted: readonly T[],
  start: number,
  end: number,
): readonly T[] {
  const lowerBound = (slot: number) => {
    let low = 0;
    for (let high = sorted.length; low < high;) {
      const middle = (low + high) >> 1;
      if (sorted[middle]!.slot < slot) low = middle + 1;
      else high = middle;
    }
    return low;
  };
  return sorted.slice(lowerBound(start), lowerBound(end));
}

/** Rows with insn_off turned from bytes of the section to slots of the function. */
function infoRecords(rows: readonly Row[], start: number): InfoRecords | undefined {
  const recordBytes = rows[0]?.bytes.length;
  if (recordBytes === undefined) return undefined;
  const records = new Uint8Array(rows.length * recordBytes);
  const view = new DataView(records.buffer);
  for (const [index, { slot, bytes }] of rows.entries()) {
    records.set(bytes, index * recordBytes);
    view.setUint32(index * recordBytes, slot - start, true);
  }
  return { recordBytes, records };
}

/** Symbols of functions by code section, in the order of their addresses. */
export function functionSymbols(elf: ElfFile): Map<number, ElfSymbol[]> {
  const bySection = new Map<number, ElfSymbol[]>();
  for (const symbol of elf.symbols) {
    if (symbol.type !== 'func' || symbol.section === SHN_UNDEF) continue;
    const known = bySection.get(symbol.section);
    if (known === undefined) bySection.set(symbol.section, [symbol]);
    else known.push(symbol);
  }
  for (const symbols of bySection.values()) symbols.sort((a, b) => a.value - b.value);
  return bySection;
}
