/**
 * func_info and line_info: rows that tie instructions to BTF functions and source lines. Their
 * records may be longer than Linux 6.1 knows as long as the rest is zero.
 */
import { errno } from '../../kernel/types/errno.ts';
import type { Btf } from '../btf/btf.ts';
import type { RawRows } from '../program.ts';
import { reject, type Checker } from './checker.ts';
import { applyCoreRelos } from './core-relos.ts';
import { checkRow, countOf, isRecordSize, u32At, type RowKind } from './info-rows.ts';

const FUNC_INFO_BYTES = 8;
const LINE_INFO_BYTES = 16;
/** Rows whose table is no larger than INT_MAX. */
const MOST_LINES = 0x07ffffff;

const FUNC_ROWS: RowKind = { name: 'func info', reason: 'bad-func-info' };
const LINE_ROWS: RowKind = { name: 'line_info', reason: 'bad-line-info' };

export function checkBtfInfo(c: Checker): void {
  const { funcInfo, lineInfo, coreRelos, btfErrno } = c.spec;
  if (btfErrno !== undefined) reject(c, btfErrno, 'missing-btf');
  if (countOf(funcInfo) === 0 && countOf(lineInfo) === 0) {
    refuseTailCallsWithoutBtf(c);
    return;
  }
  if (!c.btf) reject(c, errno.EBADF, 'missing-btf');
  checkFuncInfo(c, c.btf, funcInfo);
  checkLineInfo(c, c.btf, lineInfo);
  applyCoreRelos(c, c.btf, coreRelos);
}

function refuseTailCallsWithoutBtf(c: Checker): void {
  for (const subprog of c.subprogs.slice(1)) {
    if (subprog.hasLdPacket) {
      const line = 'LD_ABS is not allowed in subprogs without BTF';
      reject(c, errno.EINVAL, 'missing-btf', line);
    }
    if (subprog.hasTailCall) {
      const line = 'tail_call is not allowed in subprogs without BTF';
      reject(c, errno.EINVAL, 'missing-btf', line);
    }
  }
}

function checkFuncInfo(c: Checker, btf: Btf, rows: RawRows | undefined): void {
  const count = countOf(rows);
  if (!rows || count === 0) {
    refuseTailCallsWithoutBtf(c);
    return;
  }
  const refuse = (line: string, number: number = errno.EINVAL): never => {
    // 6.1 ends only some of these lines.
    c.log.write(line);
    return reject(c, number, 'bad-func-info');
  };
  if (count !== c.subprogs.length) {
    refuse("number of funcs in func_info doesn't match number of subprogs\n");
  }
  if (!isRecordSize(rows.recordBytes, FUNC_INFO_BYTES)) {
    refuse(`invalid func info rec size ${rows.recordBytes}\n`);
  }
  let previous = 0;
  for (let row = 0; row < count; row++) {
    checkRow(c, rows, row, FUNC_INFO_BYTES, FUNC_ROWS);
    const insn = u32At(rows, row, 0);
    const typeId = u32At(rows, row, 1);
    if (row === 0 && insn !== 0) {
      refuse(`nonzero insn_off ${insn} for the first func info record`);
    }
    if (row > 0 && insn <= previous) {
      refuse(`same or smaller insn offset (${insn}) than previous func info record (${previous})`);
    }
    const subprog = c.subprogs[row]!;
    if (subprog.start !== insn) {
      refuse("func_info BTF section doesn't match subprog layout in BPF program\n");
    }
    const func = btf.typeAs(typeId, 'func');
    if (!func) return refuse(`invalid type id ${typeId | 0} in func info`);
    subprog.btfFunc = typeId;
    subprog.isGlobal = func.linkage === 'global';
    if (row > 0 && !returnsInt(btf, btf.prototypeOf(func).returnType)) {
      if (subprog.hasLdPacket) refuse("LD_ABS is only allowed in functions that return 'int'.\n");
      if (subprog.hasTailCall) {
        refuse("tail_call is only allowed in functions that return 'int'.\n");
      }
    }
    previous = insn;
  }
}

function returnsInt(btf: Btf, id: number): boolean {
  const type = btf.resolved(id);
  return (type.kind === 'int' && type.size <= 8) || type.kind === 'enum' || type.kind === 'enum64';
}

function checkLineInfo(c: Checker, btf: Btf, rows: RawRows | undefined): void {
  const count = countOf(rows);
  if (!rows || count === 0) return;
  if (count > MOST_LINES || !isRecordSize(rows.recordBytes, LINE_INFO_BYTES))
    reject(c, errno.EINVAL, 'bad-line-info');
  const refuse = (line: string, number: number = errno.EINVAL): never => {
    c.log.write(line);
    return reject(c, number, 'bad-line-info');
  };
  let previous = 0;
  let subprog = 0;
  for (let row = 0; row < count; row++) {
    checkRow(c, rows, row, LINE_INFO_BYTES, LINE_ROWS);
    const insn = u32At(rows, row, 0);
    if ((row > 0 && insn <= previous) || insn >= c.insns.length) {
      const where = `(prev_offset:${previous} prog->len:${c.insns.length})`;
      refuse(`Invalid line_info[${row}].insn_off:${insn} ${where}\n`);
    }
    if (c.insns[insn]!.code === 0) refuse(`Invalid insn code at line_info[${row}].insn_off\n`);
    const fileOff = u32At(rows, row, 1);
    const textOff = u32At(rows, row, 2);
    const file = btf.strings.at(fileOff);
    const text = btf.strings.at(textOff);
    if (file === undefined || text === undefined) {
      return refuse(`Invalid line_info[${row}].line_off or .file_name_off\n`);
    }
    if (subprog < c.subprogs.length) {
      const { start } = c.subprogs[subprog]!;
      if (insn === start) subprog++;
      else if (start < insn) refuse(`missing bpf_line_info for func#${subprog}\n`);
    }
    previous = insn;
    const lineColumn = u32At(rows, row, 3);
    const [line, column] = [lineColumn >>> 10, lineColumn & 0x3ff];
    c.lines.push({ insn, file, text, line, column, fileOff, textOff });
  }
  if (subprog !== c.subprogs.length) {
    const missing = c.subprogs.length - subprog;
    refuse(`missing bpf_line_info for ${missing} funcs starting from func#${subprog}\n`);
  }
}
