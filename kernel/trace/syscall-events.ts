/**
 * The events that each system call has, made from its row: syscalls:sys_enter_NAME and
 * sys_exit_NAME, with fields and texts as Linux's SYSCALL_METADATA gives them.
 */
import type { Field, TraceEvent } from '../../hooks/trace-event.ts';
import type { SyscallRow } from '../syscall/row.ts';
import type { RamOffset } from '../types/units.ts';

const NR_FIELD: Field = {
  type: 'int',
  name: '__syscall_nr',
  offset: 8,
  size: 4,
  signed: true,
};
const ARGS_AT = 16;

export function syscallEnterEvent(
  row: SyscallRow,
): TraceEvent<[nr: number, args: readonly number[]]> {
  const fields: Field[] = row.args.map(({ type, name }, i) => ({
    type: spaced(type),
    name,
    offset: ARGS_AT + i * 8,
    size: 8,
    signed: false,
  }));
  const narrow = row.args.map(({ width }) => width.endsWith('32'));
  const format = row.args.map(({ name }) => `${name}: 0x%08lx`).join(', ');
  const values = row.args.map(({ name }) => `, ((unsigned long)(REC->${name}))`).join('');
  return {
    system: 'syscalls',
    name: `sys_enter_${row.name}`,
    args: ['struct pt_regs *regs', 'long id'],
    fields: [NR_FIELD, ...fields],
    fixedBytes: ARGS_AT + row.args.length * 8,
    assign(ram, at, _strings, nr, args) {
      ram.view.setInt32(at + 8, nr, true);
      for (let i = 0; i < row.args.length; i++) {
        const value = args[i] ?? 0;
        ram.writeU64((at + ARGS_AT + i * 8) as RamOffset, BigInt(narrow[i] ? value >>> 0 : value));
      }
    },
    extraPreemptDepth: 1,
    prefix: `sys_${row.name}`,
    print: (record) =>
      `(${row.args.map(({ name }) => `${name}: ${record.big(name).toString(16)}`).join(', ')})`,
    printFmt: `"${format}"${values}`,
  };
}

export function syscallExitEvent(row: SyscallRow): TraceEvent<[nr: number, result: number]> {
  return {
    system: 'syscalls',
    name: `sys_exit_${row.name}`,
    args: ['struct pt_regs *regs', 'long ret'],
    fields: [NR_FIELD, { type: 'long', name: 'ret', offset: ARGS_AT, size: 8, signed: true }],
    fixedBytes: ARGS_AT + 8,
    assign(ram, at, _strings, nr, result) {
      ram.view.setInt32(at + 8, nr, true);
      ram.writeU64((at + ARGS_AT) as RamOffset, BigInt(result));
    },
    extraPreemptDepth: 1,
    prefix: `sys_${row.name} -> `,
    print: (record) => `0x${BigInt.asUintN(64, record.big('ret')).toString(16)}`,
    printFmt: '"0x%lx", REC->ret',
  };
}

/** 'const char*' and 'const char *' are both 'const char *' in a format file. */
function spaced(type: string): string {
  return type.replace(/\s*\*/g, ' *').replace(/\* \*/g, '**');
}
