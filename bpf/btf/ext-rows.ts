/**
 * Rows of `.BTF.ext` as values, both ways: for linkers and compilers, which move and make them.
 *
 *   readRows(ext, btf)                     by ELF section, strings resolved
 *   encodeBtfExt(tables, stringOffset)     the section's bytes
 */
import type { Btf } from './btf.ts';
import type { BtfExt, CoreRelo, ExtSection } from './ext.ts';
import { CORE_RELO_KINDS } from './ext.ts';
import { BTF_MAGIC } from './types.ts';

/** Offsets of instructions are in bytes within the ELF section. */
export interface FuncRow {
  readonly insn: number;
  readonly typeId: number;
}

export interface LineRow {
  readonly insn: number;
  readonly file: string;
  readonly text: string;
  /** Line << 10 | column. */
  readonly lineColumn: number;
}

export interface ExtRows {
  readonly func: ReadonlyMap<string, readonly FuncRow[]>;
  readonly line: ReadonlyMap<string, readonly LineRow[]>;
  readonly core: ReadonlyMap<string, readonly CoreRelo[]>;
}

export function readRows(ext: BtfExt, btf: Btf): ExtRows {
  return {
    func: bySection(ext.funcInfo, (word) => ({ insn: word(0), typeId: word(1) })),
    line: bySection(ext.lineInfo, (word) => ({
      insn: word(0),
      file: btf.strings.at(word(1)) ?? '',
      text: btf.strings.at(word(2)) ?? '',
      lineColumn: word(3),
    })),
    core: new Map(ext.coreRelos.map(({ section, relos }) => [section, relos])),
  };
}

function bySection<T>(
  parts: readonly ExtSection[],
  read: (word: (index: number) => number) => T,
): Map<string, T[]> {
  const rows = new Map<string, T[]>();
  for (const { section, records, recordBytes, count } of parts) {
    const view = new DataView(records.buffer, records.byteOffset, records.length);
    const own = Array.from({ length: count }, (_, row) =>
      read((index) => view.getUint32(row * recordBytes + index * 4, true)),
    );
    rows.set(section, [...(rows.get(section) ?? []), ...own]);
  }
  return rows;
}

const FUNC_BYTES = 8;
const LINE_BYTES = 16;
const CORE_BYTES = 16;
const HEADER_BYTES = 32;

export function encodeBtfExt(rows: ExtRows, stringOffset: (text: string) => number): Uint8Array {
  const parts = [
    encodePart(rows.func, FUNC_BYTES, stringOffset, ({ insn, typeId }) => [insn, typeId]),
    encodePart(rows.line, LINE_BYTES, stringOffset, ({ insn, file, text, lineColumn }) => [
      insn,
      stringOffset(file),
      stringOffset(text),
      lineColumn,
    ]),
    encodePart(rows.core, CORE_BYTES, stringOffset, ({ insn, typeId, access, kind }) => [
      insn,
      typeId,
      stringOffset(access),
      CORE_RELO_KINDS.indexOf(kind),
    ]),
  ];
  const words = parts.flat();
  const bytes = new Uint8Array(HEADER_BYTES + words.length * 4);
  const view = new DataView(bytes.buffer);
  view.setUint16(0, BTF_MAGIC, true);
  view.setUint8(2, 1);
  view.setUint32(4, HEADER_BYTES, true);
  let offset = 0;
  for (const [index, part] of parts.entries()) {
    view.setUint32(8 + index * 8, offset, true);
    view.setUint32(12 + index * 8, part.length * 4, true);
    offset += part.length * 4;
  }
  for (const [index, word] of words.entries()) view.setUint32(HEADER_BYTES + index * 4, word, true);
  return bytes;
}

/** Record size, then for each section its name, its count and its rows; nothing without rows. */
function encodePart<T>(
  rows: ReadonlyMap<string, readonly T[]>,
  recordBytes: number,
  stringOffset: (text: string) => number,
  encode: (row: T) => readonly number[],
): number[] {
  const words: number[] = [];
  for (const [section, own] of rows) {
    if (own.length === 0) continue;
    if (words.length === 0) words.push(recordBytes);
    words.push(stringOffset(section), own.length);
    for (const row of own) words.push(...encode(row));
  }
  return words;
}
