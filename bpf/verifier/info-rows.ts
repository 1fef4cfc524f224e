/** Rows of what comes along with a program: func_info, line_info, CO-RE relocations. */
import { errno } from '../../kernel/types/errno.ts';
import type { RawRows } from '../program.ts';
import { reject, type Checker } from './checker.ts';
import type { ReasonCode } from './reasons.ts';

const MAX_RECORD_BYTES = 252;

export const isRecordSize = (bytes: number, known: number): boolean =>
  bytes >= known && bytes <= MAX_RECORD_BYTES && bytes % 4 === 0;

export const u32At = (rows: RawRows, row: number, field: number): number => {
  const { records, recordBytes } = rows;
  const view = new DataView(records.buffer, records.byteOffset, records.length);
  return view.getUint32(row * recordBytes + field * 4, true);
};
export const countOf = (rows: RawRows | undefined): number =>
  rows ? (rows.count ?? Math.floor(rows.records.length / rows.recordBytes)) : 0;

/** The row is there, and what it has beyond what 6.1 knows is 0. */
export function checkRow(c: Checker, rows: RawRows, row: number, known: number, of: RowKind): void {
  const end = (row + 1) * rows.recordBytes;
  if (end > rows.records.length) reject(c, errno.EFAULT, of.reason);
  const tail = rows.records.subarray(row * rows.recordBytes + known, end);
  if (tail.every((byte) => byte === 0)) return;
  c.log.write(`nonzero tailing record in ${of.name}`);
  reject(c, errno.E2BIG, of.reason);
}

export interface RowKind {
  readonly name: string;
  readonly reason: ReasonCode;
}
