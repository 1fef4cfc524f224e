/**
 * Types of several objects become one BTF: all types one after another, variables and functions of
 * one global name once, sections' lists of variables joined; then each type once (btf/dedup.ts).
 */
import { BtfBuilder } from '../btf/builder.ts';
import type { Btf } from '../btf/btf.ts';
import { deduplicate } from '../btf/dedup.ts';
import type { ExtRows, FuncRow, LineRow } from '../btf/ext-rows.ts';
import { encodeBtfExt } from '../btf/ext-rows.ts';
import type { CoreRelo } from '../btf/ext.ts';
import { namesOf, remapped } from '../btf/remap.ts';
import type { BtfDatasec, BtfType, BtfTypeOf } from '../btf/types.ts';
import type { Input } from './input.ts';
import type { OutputSection, OutputSections } from './sections.ts';
import type { GlobalSymbol, SymbolTable } from './symbols.ts';
import { isGlobalType } from './symbols.ts';

type Row = { -readonly [K in keyof BtfDatasec['vars'][number]]: number };

export class LinkedTypes {
  readonly #types: BtfType[] = [{ kind: 'void', name: '' }];
  readonly #rows = new Map<OutputSection, Row[]>();
  readonly #ext = {
    func: new Map<string, FuncRow[]>(),
    line: new Map<string, LineRow[]>(),
    core: new Map<string, CoreRelo[]>(),
  };
  readonly #sections: OutputSections;
  readonly #symbols: SymbolTable;

  constructor(sections: OutputSections, symbols: SymbolTable) {
    this.#sections = sections;
    this.#symbols = symbols;
  }

  add(input: Input): void {
    if (input.btf === undefined) return;
    const idOf = this.#addTypes(input.btf);
    this.#addSections(input, input.btf, idOf);
    if (input.ext !== undefined) this.#addExt(input, input.ext, idOf);
  }

  #addTypes(btf: Btf): readonly number[] {
    const idOf = new Array<number>(btf.types.length).fill(0);
    const first = this.#types.length;
    const retyped: [GlobalSymbol, number][] = [];
    for (const [id, type] of btf.types.entries()) {
      if (id === 0 || type.kind === 'datasec') continue;
      if (isGlobalType(type)) {
        const global = this.#symbols.globals.get(type.name);
        // Variables of sections that the result has once, like the license.
        if (global === undefined) continue;
        if (global.typeId !== 0) {
          idOf[id] = global.typeId;
          if (global.retype) {
            this.#nameParameters(global.typeId, btf, type.type);
            retyped.push([global, type.type]);
          }
          continue;
        }
        global.typeId = this.#types.length;
      }
      idOf[id] = this.#types.length;
      this.#types.push(type);
    }
    for (let id = first; id < this.#types.length; id++) {
      this.#types[id] = remapped(this.#types[id]!, (to) => idOf[to]!);
    }
    for (const [global, underlying] of retyped) {
      const type = this.#types[global.typeId] as BtfTypeOf<'var' | 'func'>;
      this.#types[global.typeId] = { ...type, type: idOf[underlying]!, linkage: 'global' };
    }
    for (const global of this.#symbols.globals.values()) global.retype = false;
    return idOf;
  }

  /** Extern prototypes lack the parameters' names; with them they are equal to the definition's. */
  #nameParameters(globalId: number, btf: Btf, prototypeId: number): void {
    const global = this.#types[globalId]!;
    const named = btf.types[prototypeId]!;
    if (global.kind !== 'func' || named.kind !== 'func_proto') return;
    const prototype = this.#types[global.type] as BtfTypeOf<'func_proto'>;
    this.#types[global.type] = {
      ...prototype,
      params: prototype.params.map((param, index) => ({
        ...param,
        name: named.params[index]?.name || param.name,
      })),
    };
  }

  #addSections(input: Input, btf: Btf, idOf: readonly number[]): void {
    const datasecs = btf.types.filter((type): type is BtfDatasec => type.kind === 'datasec');
    const inFileOrder = [...datasecs].sort(
      (a, b) => sectionNumber(input, a.name) - sectionNumber(input, b.name),
    );
    for (const { name, vars } of inFileOrder) {
      const elfSection = input.elf.sectionNamed(name);
      const place = elfSection && input.placements.get(elfSection.index);
      const section = place?.section ?? (elfSection ? undefined : this.#sections.named(name));
      if (section === undefined) continue;
      const rows = this.#rows.get(section) ?? [];
      this.#rows.set(section, rows);
      for (const variable of vars) {
        const type = idOf[variable.type]!;
        const declared = this.#types[type]!;
        const global = isGlobalType(declared)
          ? this.#symbols.globals.get(declared.name)
          : undefined;
        if (global !== undefined && global.home !== section) {
          input.fail(`global '${declared.name}': section mismatch`, name);
        }
        if (global?.row !== undefined) continue;
        if (global !== undefined) global.row = rows.length;
        rows.push({ type, size: variable.size, offset: variable.offset + (place?.offset ?? 0) });
      }
    }
  }

  #addExt(input: Input, ext: ExtRows, idOf: readonly number[]): void {
    const offsetIn = (name: string) => {
      const section = input.elf.sectionNamed(name);
      const place = section && input.placements.get(section.index);
      return place?.offset ?? input.fail(`there is no section '${name}'`, '.BTF.ext');
    };
    const addTo = <T extends { insn: number }>(
      all: Map<string, T[]>,
      added: ReadonlyMap<string, readonly T[]>,
      map: (row: T) => T,
    ) => {
      for (const [name, rows] of added) {
        const offset = offsetIn(name);
        const moved = rows.map((row) => ({ ...map(row), insn: row.insn + offset }));
        all.set(name, [...(all.get(name) ?? []), ...moved]);
      }
    };
    const type = <T extends { typeId: number }>(row: T): T => ({
      ...row,
      typeId: idOf[row.typeId]!,
    });
    addTo(this.#ext.func, ext.func, type);
    addTo(this.#ext.line, ext.line, (row) => row);
    addTo(this.#ext.core, ext.core, type);
  }

  /** `.BTF` and `.BTF.ext`; undefined where no input had types. */
  finish(): { btf: Uint8Array; ext: Uint8Array } | undefined {
    if (this.#types.length === 1) return undefined;
    const all = [...this.#types, ...this.#datasecs()];
    const { types, idOf } = deduplicate(all, { resolveForwards: false });
    const builder = new BtfBuilder();
    // Names of merged types go first, as they come: libbpf sorts strings before types.
    for (const type of all) for (const name of namesOf(type)) builder.string(name);
    for (const type of types.slice(1)) builder.add(type);
    const rows = {
      func: this.#ordered(this.#ext.func, (row) => ({ ...row, typeId: idOf(row.typeId) })),
      line: this.#ordered(this.#ext.line, (row) => row),
      core: this.#ordered(this.#ext.core, (row) => ({ ...row, typeId: idOf(row.typeId) })),
    };
    const ext = encodeBtfExt(rows, (text) => builder.string(text));
    return { btf: builder.build().bytes, ext };
  }

  #datasecs(): BtfDatasec[] {
    return this.#sections.all.flatMap((section): BtfDatasec[] => {
      const rows = this.#rows.get(section);
      if (rows === undefined) return [];
      const { name, sizeBytes: size } = section;
      return [{ kind: 'datasec', name, size, vars: rows.map((row) => this.#settled(row)) }];
    });
  }

  /** A global's place and size are those of its symbol, wherever it was declared first. */
  #settled(row: Row): Row {
    const declared = this.#types[row.type]!;
    const global = isGlobalType(declared) ? this.#symbols.globals.get(declared.name) : undefined;
    if (global === undefined || global.isExtern) return row;
    const { value, sizeBytes } = this.#symbols.symbols[global.symbol]!;
    return { ...row, offset: value, size: declared.kind === 'var' ? sizeBytes : row.size };
  }

  #ordered<T>(all: ReadonlyMap<string, readonly T[]>, map: (row: T) => T): Map<string, T[]> {
    const entries = this.#sections.all.flatMap(({ name }): [string, T[]][] => {
      const rows = all.get(name);
      return rows === undefined ? [] : [[name, rows.map(map)]];
    });
    return new Map(entries);
  }
}

/** Those that only BTF has come last. */
const sectionNumber = ({ elf }: Input, name: string) =>
  elf.sectionNamed(name)?.index ?? elf.sections.length;
