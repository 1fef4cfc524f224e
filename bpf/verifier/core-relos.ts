/**
 * CO-RE relocations that come with a program, as loaders in the kernel send them: checked and
 * applied before anything else looks at the instructions (check_core_relo of 6.1).
 *
 * differs: what 6.1 logs of each relocation that it applies, or fails to, is not logged.
 */
import { errno } from '../../kernel/types/errno.ts';
import type { Btf } from '../btf/btf.ts';
import { CoreRelocator } from '../btf/core-relo.ts';
import { parseCoreSpec } from '../btf/core-spec.ts';
import { CORE_RELO_KINDS, type CoreRelo } from '../btf/ext.ts';
import { BtfError } from '../btf/types.ts';
import type { RawRows } from '../program.ts';
import { reject, type Checker } from './checker.ts';
import { checkRow, countOf, isRecordSize, u32At, type RowKind } from './info-rows.ts';

const CORE_RELO_BYTES = 16;
/** Records whose table is no larger than INT_MAX. */
const MOST_RELOS = 0x07ffffff;
const SLOT_BYTES = 8;
const CORE_ROWS: RowKind = { name: 'core_relo', reason: 'bad-core-relo' };

export function applyCoreRelos(c: Checker, btf: Btf, rows: RawRows | undefined): void {
  const count = countOf(rows);
  if (!rows || count === 0) return;
  if (count > MOST_RELOS || !isRecordSize(rows.recordBytes, CORE_RELO_BYTES)) {
    reject(c, errno.EINVAL, 'bad-core-relo');
  }
  let relocator: CoreRelocator | undefined;
  for (let row = 0; row < count; row++) {
    checkRow(c, rows, row, CORE_RELO_BYTES, CORE_ROWS);
    const [offset, typeId, accessOff, kind] = [0, 1, 2, 3].map((field) => u32At(rows, row, field));
    if (offset! % SLOT_BYTES !== 0 || offset! / SLOT_BYTES >= c.insns.length) {
      const where = `insn_off:${offset} prog->len:${c.insns.length}`;
      reject(c, errno.EINVAL, 'bad-core-relo', `Invalid core_relo[${row}].${where}`);
    }
    if (!btf.type(typeId!)) {
      reject(c, errno.EINVAL, 'bad-core-relo', `relo #${row}: bad type id ${typeId}`);
    }
    const access = btf.strings.at(accessOff!);
    const name = CORE_RELO_KINDS[kind!];
    if (access === undefined || name === undefined) {
      return reject(c, errno.EINVAL, 'bad-core-relo');
    }
    const relo = { insn: offset! / SLOT_BYTES, typeId: typeId!, access, kind: name };
    checkAccess(c, btf, relo, row);
    if (!c.env.kernelBtf) return reject(c, errno.EINVAL, 'bad-core-relo');
    relocator ??= new CoreRelocator(btf, c.env.kernelBtf);
    applyOne(c, relocator, relo, row);
  }
}

/** The path leads somewhere in the program's own type. */
function checkAccess(c: Checker, btf: Btf, relo: CoreRelo, row: number): void {
  const parsed = orError(() => parseCoreSpec(btf, relo));
  if (!(parsed instanceof BtfError)) return;
  const { kind, name } = btf.types[relo.typeId]!;
  const what = `[${relo.typeId}] ${kind.toUpperCase()} ${name || '<anon>'} + ${relo.access}`;
  const line = `prog '': relo #${row}: parsing ${what} failed: ${-parsed.errno}`;
  reject(c, parsed.errno, 'bad-core-relo', line);
}

function applyOne(c: Checker, relocator: CoreRelocator, relo: CoreRelo, row: number): void {
  const result = orError(() => relocator.relocate(c.insns, [relo]));
  if (result instanceof BtfError) {
    reject(c, result.errno, 'bad-core-relo', `prog '': relo #${row}: ${result.message}`);
  }
  // One relocation changes one instruction, or the two slots of a ld_imm64.
  for (const slot of [relo.insn, relo.insn + 1]) {
    if (result.insns[slot]) c.insns[slot] = result.insns[slot];
  }
}

function orError<T>(work: () => T): T | BtfError {
  try {
    return work();
  } catch (error) {
    if (error instanceof BtfError) return error;
    throw error;
  }
}
