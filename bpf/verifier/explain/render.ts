/**
 * An explanation as text, in the way of a good compiler: the cause, the source lines with marks
 * under what matters (or the instructions, where there are no lines), the fix.
 *
 *   renderExplanation(explanation)                 plain text
 *   renderExplanation(explanation, { paint })      with colours, on a terminal
 */
import type { Explanation, Site, SourceLine, StateView } from '../explain.ts';

export type Tint = 'error' | 'mark' | 'note' | 'dim' | 'fix' | 'title';

export interface RenderOptions {
  /** Colours a piece of text; the text itself where absent. */
  readonly paint?: (tint: Tint, text: string) => string;
  /** Registers and stack before the refused instruction, too. */
  readonly showState?: boolean;
  /** Columns; longer notes are wrapped. */
  readonly width?: number;
}

const DEFAULT_WIDTH = 100;
const TAB = '    ';

/** One mark under a source line, or below an instruction. */
interface Mark {
  readonly site: Site;
  readonly isHere: boolean;
  readonly isEntry: boolean;
  readonly says: string;
}

/** Marks that follow each other on one source line. */
interface Group {
  readonly source: SourceLine | undefined;
  readonly function: string;
  readonly marks: Mark[];
}

export function renderExplanation(told: Explanation, options: RenderOptions = {}): string {
  const paint = options.paint ?? ((_: Tint, text: string) => text);
  const width = options.width ?? DEFAULT_WIDTH;
  const lines: string[] = [];
  const say = (line = '') => lines.push(line.trimEnd());
  say(`${paint('error', `error[${told.reason}]`)}${paint('title', `: ${told.headline}`)}`);
  const groups = groupsOf(told);
  const digits = Math.max(2, ...groups.map(({ source }) => `${source?.line ?? ''}`.length));
  const gutter = ' '.repeat(digits);
  const bar = paint('note', '|');
  if (told.at) say(`${gutter}${paint('note', '-->')} ${placeText(told.at)}`);
  if (groups.length > 0) say(`${gutter} ${bar}`);
  let last: Group | undefined;
  for (const group of groups) {
    if (last && isElsewhere(last, group)) {
      const where = group.source ? `${group.source.file}, ` : '';
      say(`${gutter}${paint('note', ':::')} ${where}${group.function}`);
    } else if (last?.source && group.source && group.source.line !== last.source.line + 1) {
      say(paint('note', '...'));
    }
    if (group.source) sourceLines(group, digits, paint, width).forEach(say);
    else instructionLines(group, gutter, paint, width).forEach(say);
    last = group;
  }
  if (groups.length > 0) say(`${gutter} ${bar}`);
  wrapped(`fix: ${told.fix}`, width - digits - 3).forEach((line, index) => {
    say(`${gutter} ${index === 0 ? `${paint('note', '=')} ` : '  '}${paint('fix', line)}`);
  });
  say(`${gutter} ${paint('note', '=')} ${paint('dim', `see ${told.page}`)}`);
  if (options.showState && told.state) stateLines(told.state, gutter, paint, width).forEach(say);
  return lines.join('\n');
}

const placeText = ({ source, function: name, insn }: Site): string =>
  source
    ? `${source.file}:${source.line}${source.column > 0 ? `:${source.column}` : ''} (${name}, instruction ${insn})`
    : `${name}, instruction ${insn}`;

function groupsOf(told: Explanation): Group[] {
  const groups: Group[] = [];
  const add = (mark: Mark) => {
    const { source } = mark.site;
    const last = groups[groups.length - 1];
    const same =
      last !== undefined &&
      last.function === mark.site.function &&
      last.source?.line === source?.line &&
      last.source?.file === source?.file;
    if (same) last.marks.push(mark);
    else groups.push({ source, function: mark.site.function, marks: [mark] });
  };
  for (const step of told.chain) {
    add({ site: step, isHere: false, isEntry: step.isEntry === true, says: step.says });
  }
  if (told.at) add({ site: told.at, isHere: true, isEntry: false, says: told.here });
  return groups;
}

const isElsewhere = (a: Group, b: Group): boolean =>
  a.function !== b.function || a.source?.file !== b.source?.file;

type Paint = (tint: Tint, text: string) => string;

/** The line, and under it each mark at its column. */
function sourceLines(
  { source, marks }: Group,
  digits: number,
  paint: Paint,
  width: number,
): string[] {
  const { line, text } = source!;
  const bar = paint('note', '|');
  const gutter = `${' '.repeat(digits)} ${bar}`;
  const lines = [`${paint('note', `${line}`.padStart(digits))} ${bar} ${expanded(text)}`];
  for (const mark of marks) {
    const at = columnOf(mark.site.source!);
    const indent = ' '.repeat(at);
    const tint: Tint = mark.isHere ? 'error' : 'mark';
    const pointer = mark.isEntry ? '-' : mark.isHere ? '^' : '-';
    const insn = mark.isEntry ? '' : `  [${mark.site.insn}: ${withoutOpcode(mark.site.text)}]`;
    const room = Math.max(30, width - digits - 5 - at);
    const rows = wrapped(mark.says, room);
    rows.forEach((row, index) => {
      const head = index === 0 ? paint(tint, pointer) : ' ';
      lines.push(`${gutter} ${indent}${head} ${paint(tint, row)}`);
    });
    const shown = rows.length === 0 ? `${paint(tint, pointer)} ` : '  ';
    if (insn === '') continue;
    const last = rows[rows.length - 1] ?? '';
    if (rows.length > 0 && last.length + insn.length <= room) {
      lines[lines.length - 1] += paint('dim', insn);
    } else {
      lines.push(`${gutter} ${indent}${shown}${paint('dim', insn.trim())}`);
    }
  }
  return lines;
}

/** Without line info: the instructions themselves. */
function instructionLines({ marks }: Group, gutter: string, paint: Paint, width: number): string[] {
  const bar = `${gutter} ${paint('note', '|')}`;
  const lines: string[] = [];
  let last = -1;
  for (const { site, isHere, isEntry, says } of marks) {
    const tint: Tint = isHere ? 'error' : 'mark';
    if (isEntry) {
      lines.push(`${bar}  entry: ${paint(tint, says)}`);
      continue;
    }
    const head = `${site.insn}: `;
    if (site.insn !== last) lines.push(`${bar}  ${head}${site.text}`);
    last = site.insn;
    const indent = ' '.repeat(head.length);
    const rows = wrapped(says, Math.max(30, width - gutter.length - 6 - head.length));
    rows.forEach((row, index) => {
      const pointer = index > 0 ? ' ' : paint(tint, isHere ? '^' : '-');
      lines.push(`${bar}  ${indent}${pointer} ${paint(tint, row)}`);
    });
  }
  return lines;
}

function stateLines(state: StateView, gutter: string, paint: Paint, width: number): string[] {
  const lines = [`${gutter} ${paint('note', '=')} state before it:`];
  state.frames.forEach(({ registers, stack }, index) => {
    const name = state.frames.length > 1 ? `frame ${index}: ` : '';
    const text = [...Object.entries(registers), ...Object.entries(stack)]
      .map(([place, value]) => `${place}=${value}`)
      .join(' ');
    for (const row of wrapped(`${name}${text}`, width - gutter.length - 5)) {
      lines.push(`${gutter}     ${paint('dim', row)}`);
    }
  });
  if (state.refs.length > 0) lines.push(`${gutter}     ${paint('dim', `refs=${state.refs}`)}`);
  return lines;
}

const expanded = (text: string): string => text.replaceAll('\t', TAB);

/** Characters before the marked column, tabs expanded; without a column, the first word. */
function columnOf({ text, column }: SourceLine): number {
  const before = column > 0 ? text.slice(0, column - 1) : (/^\s*/.exec(text)?.[0] ?? '');
  return expanded(before).length;
}

/** The opcode in parentheses says nothing to most readers. */
const withoutOpcode = (text: string): string => text.replace(/^\([0-9a-f]{2}\) /, '');

function wrapped(text: string, width: number): string[] {
  if (text === '') return [];
  const rows: string[] = [];
  let row = '';
  for (const word of text.split(' ')) {
    if (row !== '' && row.length + 1 + word.length > width) {
      rows.push(row);
      row = word;
    } else {
      row = row === '' ? word : `${row} ${word}`;
    }
  }
  rows.push(row);
  return rows;
}

/** Colours of an ANSI terminal. */
const ANSI: Readonly<Record<Tint, string>> = {
  error: '1;31',
  mark: '36',
  note: '1;34',
  dim: '2',
  fix: '1;32',
  title: '1',
};
export const ansiPaint: Paint = (tint, text) => `\x1b[${ANSI[tint]}m${text}\x1b[0m`;

/** For those who only want a line. */
export const headlineOf = ({ reason, headline, at }: Explanation): string =>
  `${at?.source ? `${at.source.file}:${at.source.line}: ` : ''}${headline} [${reason}]`;
