/** Tools that lay text out anew: fold, fmt, expand, unexpand, column. */
import { getopt, usageError } from '../libc/getopt.ts';
import type { Tool } from '../libc/process.ts';
import { windowSize } from '../libc/terminal.ts';
import { charWidth, textWidth } from '../libc/text.ts';
import { eachInput } from './input.ts';

const TAB_COLUMNS = 8;

export const fold: Tool = function* (p, args) {
  const o = yield* getopt(p, args, {
    usage: '[OPTION]... [FILE]...',
    about: 'Wrap input lines in each FILE, writing to standard output.',
    options: [
      { short: 'b', long: 'bytes', help: 'count bytes rather than columns' },
      { short: 's', long: 'spaces', help: 'break at spaces' },
      { short: 'w', long: 'width', arg: 'WIDTH', help: 'use WIDTH columns instead of 80' },
    ],
    number: 'width',
  });
  const width = Number(o.value('width') ?? 80);
  if (!(width >= 1)) {
    yield* p.error(`invalid number of columns: '${o.value('width')}'`);
    return 1;
  }
  return yield* eachInput(p, o.operands, function* (stream) {
    for (;;) {
      const line = yield* stream.readLine();
      if (line === undefined) return;
      yield* p.println(foldLine(line, width, o.has('spaces')).join('\n'));
    }
  });
};

function foldLine(line: string, width: number, atSpaces: boolean): string[] {
  const out: string[] = [];
  let row = '';
  let column = 0;
  for (const char of line) {
    let next = advance(column, char);
    while (next > width && row !== '') {
      const space = atSpaces ? row.search(/[ \t][^ \t]*$/) + 1 : 0;
      const cut = space > 0 ? space : row.length;
      out.push(row.slice(0, cut));
      row = row.slice(cut);
      column = [...row].reduce(advance, 0);
      next = advance(column, char);
    }
    row += char;
    column = next;
  }
  return [...out, row];
}

function advance(column: number, char: string): number {
  if (char === '\t') return column + TAB_COLUMNS - (column % TAB_COLUMNS);
  if (char === '\b') return Math.max(0, column - 1);
  return char === '\r' ? 0 : column + Math.max(1, charWidth(char));
}

export const fmt: Tool = function* (p, args) {
  const o = yield* getopt(p, args, {
    usage: '[-WIDTH] [OPTION]... [FILE]...',
    about: 'Reformat each paragraph in the FILE(s), writing to standard output.',
    options: [
      {
        short: 'w',
        long: 'width',
        arg: 'WIDTH',
        help: 'maximum line width (default of 75 columns)',
      },
      { short: 's', long: 'split-only', help: 'split long lines, but do not refill' },
    ],
    number: 'width',
  });
  const width = Number(o.value('width') ?? 75);
  if (!(width >= 1)) return yield* usageError(p, `invalid width: '${o.value('width')}'`);
  // differs: lines are filled as they come; GNU looks for the breaks that look best.
  const goal = Math.max(1, Math.floor((width * 93) / 100));
  return yield* eachInput(p, o.operands, function* (stream) {
    let words: string[] = [];
    const flush = function* () {
      let row = '';
      for (const word of words) {
        const isFull = row !== '' && textWidth(row) + 1 + textWidth(word) > goal;
        if (isFull) yield* p.println(row);
        row = row === '' || isFull ? word : `${row} ${word}`;
      }
      if (row !== '') yield* p.println(row);
      words = [];
    };
    for (;;) {
      const line = yield* stream.readLine();
      if (line === undefined) break;
      if (line.trim() === '') {
        yield* flush();
        yield* p.println();
        continue;
      }
      words.push(...line.trim().split(/\s+/));
      if (o.has('split-only')) yield* flush();
    }
    yield* flush();
  });
};

/** Where tabs stop: every N columns, or at those listed and then at every column. */
function tabStops(text: string): ((column: number) => number) | undefined {
  if (!/^\d+([, ]\d+)*$/.test(text)) return undefined;
  const stops = text.split(/[, ]/).map(Number);
  if (stops.length === 1) {
    const [every] = stops as [number];
    return every === 0 ? undefined : (column) => column + every - (column % every);
  }
  return (column) => stops.find((stop) => stop > column) ?? column + 1;
}

export const expand: Tool = function* (p, args) {
  const o = yield* getopt(p, args, {
    usage: '[OPTION]... [FILE]...',
    about: 'Convert tabs in each FILE to spaces, writing to standard output.',
    options: [
      { short: 'i', long: 'initial', help: 'do not convert tabs after non blanks' },
      { short: 't', long: 'tabs', arg: 'N', help: 'have tabs N characters apart, not 8' },
    ],
    number: 'tabs',
  });
  const next = tabStops(o.value('tabs') ?? '8');
  if (!next) {
    yield* p.error(`tab size contains invalid character(s): '${o.value('tabs')}'`);
    return 1;
  }
  return yield* eachInput(p, o.operands, function* (stream) {
    for (;;) {
      const line = yield* stream.readLine();
      if (line === undefined) return;
      let out = '';
      let column = 0;
      let isInitial = true;
      for (const char of line) {
        if (char === '\t' && (isInitial || !o.has('initial'))) {
          const to = next(column);
          out += ' '.repeat(to - column);
          column = to;
          continue;
        }
        if (char !== ' ') isInitial = false;
        out += char;
        column += char === '\b' ? -1 : charWidth(char);
      }
      yield* p.println(out);
    }
  });
};

export const unexpand: Tool = function* (p, args) {
  const o = yield* getopt(p, args, {
    usage: '[OPTION]... [FILE]...',
    about: 'Convert blanks in each FILE to tabs, writing to standard output.',
    options: [
      { short: 'a', long: 'all', help: 'convert all blanks, instead of just initial blanks' },
      { long: 'first-only', help: 'convert only leading sequences of blanks' },
      { short: 't', long: 'tabs', arg: 'N', help: 'have tabs N characters apart; enables -a' },
    ],
  });
  const next = tabStops(o.value('tabs') ?? '8');
  if (!next) {
    yield* p.error(`tab size contains invalid character(s): '${o.value('tabs')}'`);
    return 1;
  }
  const all = (o.has('all') || o.has('tabs')) && !o.has('first-only');
  return yield* eachInput(p, o.operands, function* (stream) {
    for (;;) {
      const line = yield* stream.readLine();
      if (line === undefined) return;
      let out = '';
      let blanks = '';
      let column = 0;
      let isInitial = true;
      for (const char of line) {
        if ((char === ' ' || char === '\t') && (isInitial || all)) {
          column = char === '\t' ? next(column) : column + 1;
          blanks += char;
          // One blank before a stop stays a blank.
          const atStop = next(column - 1) === column;
          if (char === '\t' || (atStop && blanks.length > 1)) {
            out += '\t';
            blanks = '';
          }
          continue;
        }
        isInitial = false;
        out += blanks + char;
        blanks = '';
        column += charWidth(char);
      }
      yield* p.println(out + blanks);
    }
  });
};

export const column: Tool = function* (p, args) {
  const o = yield* getopt(p, args, {
    usage: '[OPTION]... [FILE]...',
    about: 'Columnate lists.',
    options: [
      { short: 't', long: 'table', help: 'create a table' },
      { short: 's', long: 'separator', arg: 'STRING', help: 'possible table delimiters' },
      {
        short: 'o',
        long: 'output-separator',
        arg: 'STRING',
        help: 'columns separator for table output',
      },
      {
        short: 'c',
        long: 'output-width',
        arg: 'WIDTH',
        help: 'width of output in number of characters',
      },
      { short: 'x', long: 'fillrows', help: 'fill rows before columns' },
      { short: 'N', long: 'table-columns', arg: 'NAMES', help: 'comma separated column names' },
      {
        short: 'R',
        long: 'table-right',
        arg: 'COLUMNS',
        help: 'right align text in these columns',
      },
    ],
  });
  const lines: string[] = [];
  const status = yield* eachInput(p, o.operands, function* (stream) {
    for (;;) {
      const line = yield* stream.readLine();
      if (line === undefined) return;
      if (line.trim() !== '') lines.push(line);
    }
  });
  if (!o.has('table') && !o.has('table-columns')) {
    const size = yield* windowSize(p, 1);
    const width = Number(o.value('output-width') ?? size?.columns ?? 80);
    // Each cell reaches to the next tab stop, as column's do.
    const cell = Math.ceil((Math.max(0, ...lines.map(textWidth)) + 1) / TAB_COLUMNS) * TAB_COLUMNS;
    const perRow = Math.max(1, Math.floor(width / cell));
    const rows = Math.ceil(lines.length / perRow);
    for (let row = 0; row < rows; row++) {
      let text = '';
      for (let at = 0; at < perRow; at++) {
        const line = lines[o.has('fillrows') ? row * perRow + at : at * rows + row];
        if (line === undefined) break;
        const isLast =
          lines[o.has('fillrows') ? row * perRow + at + 1 : (at + 1) * rows + row] === undefined ||
          at + 1 === perRow;
        const tabs = Math.ceil((cell - textWidth(line)) / TAB_COLUMNS);
        text += line + (isLast ? '' : '\t'.repeat(tabs));
      }
      yield* p.println(text);
    }
    return status;
  }
  const separators = o.value('separator');
  const names = o.value('table-columns')?.split(',');
  const split = (line: string): string[] =>
    separators === undefined
      ? line.trim().split(/[ \t]+/)
      : line.split(new RegExp(`[${separators.replace(/[\]\\^-]/g, '\\$&')}]`, 'u'));
  const rows = [...(names ? [names] : []), ...lines.map(split)];
  const right = new Set((o.value('table-right') ?? '').split(',').map(Number));
  const gap = o.value('output-separator') ?? '  ';
  const widths: number[] = [];
  for (const row of rows) {
    row.forEach((text, at) => (widths[at] = Math.max(widths[at] ?? 0, textWidth(text))));
  }
  for (const row of rows) {
    const cells = row.map((text, at) => {
      const space = ' '.repeat(widths[at]! - textWidth(text));
      if (right.has(at + 1)) return space + text;
      return at === row.length - 1 && row.length === widths.length ? text : text + space;
    });
    yield* p.println(cells.join(gap));
  }
  return status;
};
