/**
 * Static linking: several objects become one, as `bpftool gen object` does it. A function or map
 * that one object declares extern is found in another; what is still missing stays extern, for the
 * kernel or for another round of linking.
 *
 *   linkObjects([{ file: 'a.o', bytes }, { file: 'b.o', bytes }])
 *
 * The result is an ELF object with merged sections, symbols, relocations, `.BTF` and `.BTF.ext`.
 * Throws ObjectError, which names the object at fault and why.
 */
import type { ElfSymbol } from '../elf/elf-file.ts';
import { SHF, SHT } from '../elf/elf-file.ts';
import type { NewRelocation, NewSection } from '../elf/write.ts';
import { writeElf } from '../elf/write.ts';
import { INSN_BYTES } from '../isa/codec.ts';
import type { Input, LinkInput } from './input.ts';
import { readInput } from './input.ts';
import type { Placement } from './sections.ts';
import { OutputSections } from './sections.ts';
import { SymbolTable } from './symbols.ts';
import { LinkedTypes } from './types.ts';

export type { LinkInput } from './input.ts';

export function linkObjects(inputs: readonly LinkInput[]): Uint8Array {
  const sections = new OutputSections();
  const symbols = new SymbolTable(sections);
  const types = new LinkedTypes(sections, symbols);
  const relocations = new Map<string, NewRelocation[]>();
  for (const from of inputs) {
    const input = readInput(from, sections);
    const numbers = symbols.add(input);
    addRelocations(input, numbers, relocations);
    types.add(input);
  }
  const inFile = sections.inFile();
  for (const [number, section] of inFile.entries()) section.number = number;
  const typeSections = types.finish();
  return writeElf({
    sections: [...inFile.map((section) => section.toFile()), ...extraSections(typeSections)],
    symbols: symbols.symbols.map(({ home, ...symbol }) => ({
      ...symbol,
      section: home?.number ?? symbol.section,
    })),
    relocations: new Map(
      inFile.flatMap(({ name, number }): [number, NewRelocation[]][] => {
        const rows = relocations.get(name);
        return rows === undefined ? [] : [[number, rows]];
      }),
    ),
  });
}

function extraSections(types: { btf: Uint8Array; ext: Uint8Array } | undefined): NewSection[] {
  if (types === undefined) return [];
  const section = (name: string, data: Uint8Array): NewSection => {
    return { name, type: SHT.PROGBITS, flags: 0, align: 8, data };
  };
  return [section('.BTF', types.btf), section('.BTF.ext', types.ext)];
}

function addRelocations(
  input: Input,
  numbers: readonly (number | undefined)[],
  all: Map<string, NewRelocation[]>,
): void {
  for (const [index, rows] of input.elf.relocations) {
    const place = input.placements.get(index);
    if (place === undefined) continue;
    const { name } = place.section;
    const own = all.get(name) ?? [];
    all.set(name, own);
    for (const { offset, type, symbol } of rows) {
      const number = numbers[symbol.index];
      if (number === undefined) {
        input.fail(`a relocation refers to '${symbol.name}', which is left out`, name);
      }
      if (symbol.type === 'section') moveAddend(input, place, offset, symbol);
      own.push({ offset: offset + place.offset, type, symbol: number! });
    }
  }
}

/** An instruction that refers to a section carries the distance into it; the section has moved. */
function moveAddend(input: Input, place: Placement, offset: number, symbol: ElfSymbol): void {
  const { section } = place;
  const moved = input.placements.get(symbol.section)!.offset;
  if ((section.head!.flags & SHF.EXECINSTR) === 0) {
    input.fail('a relocation of data against a section is not supported', section.name);
  }
  const data = section.data();
  const at = place.offset + offset;
  if (offset % INSN_BYTES !== 0) input.fail(`relocation at odd offset ${offset}`, section.name);
  const view = new DataView(data.buffer, data.byteOffset, data.length);
  const CALL = 0x85;
  const shift = data[at] === CALL ? moved / INSN_BYTES : moved;
  view.setInt32(at + 4, (view.getInt32(at + 4, true) + shift) | 0, true);
}
