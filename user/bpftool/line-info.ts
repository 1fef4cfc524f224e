/** Source lines in dumps: `; text`, with `linum` also file, line and column. */
import type { Btf } from '../../bpf/btf/btf.ts';
import type { JsonTree } from '../../bpf/btf/format.ts';
import type { BPF_LINE_INFO } from '../../bpf/info.ts';
import type { ValuesOf } from '../../bpf/record.ts';
import { number, string } from './json.ts';

export type LineInfo = ValuesOf<typeof BPF_LINE_INFO>;

export function linesBySlot(lines: readonly LineInfo[]): Map<number, LineInfo> {
  return new Map(lines.map((line) => [line.insn_off, line]));
}

const lineNumber = (line: LineInfo): number => line.line_col >>> 10;
const lineColumn = (line: LineInfo): number => line.line_col & 0x3ff;

export function lineText(btf: Btf, line: LineInfo, linum: boolean): string {
  const source = btf.strings.at(line.line_off)?.trimStart();
  if (source === undefined) return '';
  const file = btf.strings.at(line.file_name_off) ?? '';
  const place = ` [file:${file} line_num:${lineNumber(line)} line_col:${lineColumn(line)}]`;
  return `; ${source}${linum ? place : ''}\n`;
}

export function lineJson(
  btf: Btf,
  line: LineInfo,
  linum: boolean,
): (readonly [string, JsonTree] | false)[] {
  const source = btf.strings.at(line.line_off)?.trimStart();
  const file = btf.strings.at(line.file_name_off);
  return [
    source !== undefined && ['src', string(source)],
    linum && file !== undefined && ['file', string(file)],
    linum && lineNumber(line) > 0 && ['line_num', number(lineNumber(line))],
    linum && lineColumn(line) > 0 && ['line_col', number(lineColumn(line))],
  ];
}
