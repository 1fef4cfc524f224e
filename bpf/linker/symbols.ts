/**
 * Symbols of several objects become one table. A global name is one thing: defined once (or weakly
 * more than once: the strong, else the first one stays), declared extern anywhere, always with types
 * that agree.
 */
import type { Btf } from '../btf/btf.ts';
import type { BtfFunc, BtfVar } from '../btf/types.ts';
import type { ElfSymbol } from '../elf/elf-file.ts';
import { SHN_ABS, SHN_LORESERVE, SHN_UNDEF } from '../elf/elf-file.ts';
import type { NewSymbol } from '../elf/write.ts';
import { globalMismatch, mapMismatch } from './compatible.ts';
import type { Input } from './input.ts';
import type { OutputSection, OutputSections, Placement } from './sections.ts';

export type MutableSymbol = { -readonly [K in keyof NewSymbol]: NewSymbol[K] } & {
  /** Its section is numbered only once all are known. */
  home: OutputSection | undefined;
};

export interface GlobalSymbol {
  readonly name: string;
  readonly symbol: number;
  /** Where it is, or will be: externs of `.kconfig` have a place in BTF only. */
  home: OutputSection | undefined;
  isExtern: boolean;
  isWeak: boolean;
  /** The declaration that others are compared with. */
  declaration: { readonly btf: Btf; readonly typeId: number };
  /** Its VAR or FUNC among the output's types; 0 until that is there. */
  typeId: number;
  /** The definition has just replaced a declaration: the type is to follow. */
  retype: boolean;
  /** Its row in its section's BTF. */
  row: number | undefined;
}

export class SymbolTable {
  readonly symbols: MutableSymbol[] = [];
  readonly globals = new Map<string, GlobalSymbol>();
  readonly #sections: OutputSections;
  readonly #sectionSymbols = new Map<OutputSection, number>();

  constructor(sections: OutputSections) {
    this.#sections = sections;
  }

  /** Adds an object's symbols; the new number of each, undefined for those that went. */
  add(input: Input): readonly (number | undefined)[] {
    return input.elf.symbols.map((symbol) =>
      symbol.index === 0 ? 0 : this.#addOne(input, symbol),
    );
  }

  #addOne(input: Input, symbol: ElfSymbol): number | undefined {
    const { name, section, binding, type } = symbol;
    input.check(symbol);
    const special = section === SHN_UNDEF || section >= SHN_LORESERVE;
    const place = special ? undefined : input.placements.get(section);
    if (!special && place === undefined) return undefined;
    if (type === 'section') {
      const home = place!.section;
      const known = this.#sectionSymbols.get(home);
      if (known !== undefined) return known;
      const number = this.#push(symbol, place);
      this.#sectionSymbols.set(home, number);
      return number;
    }
    if (binding === 'local') return this.#push(symbol, place);
    const { btf, sectionName, typeId } = input.declarationOf(name);
    const isExtern = section === SHN_UNDEF;
    // `.extern` is where clang lists what no section was named for.
    const declaredIn = isExtern && sectionName !== '.extern' ? sectionName : undefined;
    const home =
      place?.section ?? (declaredIn === undefined ? undefined : this.#sections.shell(declaredIn));
    const known = this.globals.get(name);
    if (known !== undefined) return this.#merge(input, symbol, known, place, typeId);
    const number = this.#push(symbol, place);
    this.globals.set(name, {
      name,
      symbol: number,
      home,
      isExtern,
      isWeak: binding === 'weak',
      declaration: { btf, typeId },
      typeId: 0,
      retype: false,
      row: undefined,
    });
    return number;
  }

  #push(from: ElfSymbol, place: Placement | undefined): number {
    const { name, type, binding, hidden, section, sizeBytes, value } = from;
    this.symbols.push({
      name: type === 'section' ? '' : name,
      type: type as NewSymbol['type'],
      binding: binding as NewSymbol['binding'],
      hidden,
      section: section === SHN_ABS ? 'absolute' : 'undefined',
      home: place?.section,
      value: type === 'section' ? 0 : value + (place?.offset ?? 0),
      sizeBytes,
    });
    return this.symbols.length - 1;
  }

  #merge(
    input: Input,
    symbol: ElfSymbol,
    known: GlobalSymbol,
    place: Placement | undefined,
    typeId: number,
  ): number {
    const { name, binding, hidden } = symbol;
    const isExtern = place === undefined;
    if (!isExtern && !known.isExtern && !known.isWeak && binding !== 'weak') {
      input.fail(`conflicting non-weak symbol '${name}' definition`);
    }
    this.#demandSameType(input, known, typeId);
    const merged = this.symbols[known.symbol]!;
    // One strong mention makes it strong, one hidden mention hides it.
    if (binding === 'global') {
      merged.binding = 'global';
      known.isWeak = false;
    }
    if (hidden) merged.hidden = true;
    if (isExtern || (!known.isExtern && binding === 'weak')) return known.symbol;
    merged.type = symbol.type as NewSymbol['type'];
    merged.home = place.section;
    merged.value = place.offset + symbol.value;
    merged.sizeBytes = symbol.sizeBytes;
    known.home = place.section;
    known.isExtern = false;
    known.declaration = { btf: input.btf!, typeId };
    known.retype = true;
    return known.symbol;
  }

  #demandSameType(input: Input, known: GlobalSymbol, typeId: number): void {
    const there = known.declaration;
    const btf = input.btf!;
    const why =
      known.home?.name === '.maps'
        ? mapMismatch(known.name, [there.btf, there.typeId], [btf, typeId], input.fail)
        : globalMismatch(known.name, [there.btf, there.typeId], [btf, typeId]);
    if (why !== undefined) input.fail(why);
  }
}

/** VARs and FUNCs that other objects may know. */
export const isGlobalType = (type: { kind: string }): type is BtfVar | BtfFunc =>
  (type.kind === 'var' || type.kind === 'func') && (type as BtfVar).linkage !== 'static';
