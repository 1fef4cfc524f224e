/** Laying text out: columns as ls does, tables, sizes for people, printf(1)'s directives. */
import { padRight, textWidth } from './text.ts';

/** Names in columns, down then across, as many as fit `width`. Lines without newline. */
export function columns(
  names: readonly string[],
  width: number,
  display: (index: number) => string = (index) => names[index]!,
): string[] {
  if (names.length === 0) return [];
  const widths = names.map(textWidth);
  for (let rows = 1; ; rows++) {
    const count = Math.ceil(names.length / rows);
    const columnWidths: number[] = [];
    for (let column = 0; column < count; column++) {
      const last = column === count - 1;
      const cells = widths.slice(column * rows, (column + 1) * rows);
      columnWidths.push(Math.max(...cells) + (last ? 0 : 2));
    }
    if (columnWidths.reduce((sum, w) => sum + w, 0) > width && rows < names.length) continue;
    return Array.from({ length: rows }, (_, row) => {
      let line = '';
      for (let column = 0; column < count; column++) {
        const index = column * rows + row;
        if (index >= names.length) break;
        const isLast = index + rows >= names.length;
        const gap = isLast ? 0 : columnWidths[column]! - widths[index]!;
        line += display(index) + ' '.repeat(Math.max(0, gap));
      }
      return line;
    });
  }
}

/** Rows with columns padded to their widest cell. `right` tells which are aligned to the right. */
export function table(
  rows: readonly (readonly string[])[],
  right: (column: number) => boolean = () => false,
): string[] {
  const widths: number[] = [];
  for (const row of rows) {
    row.forEach((cell, column) => {
      widths[column] = Math.max(widths[column] ?? 0, textWidth(cell));
    });
  }
  return rows.map((row) =>
    row
      .map((cell, column) => {
        if (right(column)) return ' '.repeat(widths[column]! - textWidth(cell)) + cell;
        return column === row.length - 1 ? cell : padRight(cell, widths[column]!);
      })
      .join(' '),
  );
}

/** '4.0K', '12M': powers of 1024 as ls -h rounds, upwards. */
export function humanSize(bytes: number): string {
  if (bytes < 1024) return String(bytes);
  let value = bytes;
  for (const unit of 'KMGTP') {
    value /= 1024;
    if (value < 10) {
      const rounded = Math.ceil(value * 10) / 10;
      if (rounded < 10) return `${rounded.toFixed(1)}${unit}`;
    }
    if (Math.ceil(value) < 1024) return `${Math.ceil(value)}${unit}`;
  }
  return `${Math.ceil(value)}P`;
}

/** Escapes of echo -e and printf(1); `stop` tells that \c was met. */
export function unescape(text: string, octalNeedsZero: boolean): { text: string; stop: boolean } {
  const simple: Record<string, string> = {
    a: '\x07',
    b: '\b',
    e: '\x1b',
    f: '\f',
    n: '\n',
    r: '\r',
    t: '\t',
    v: '\v',
    '\\': '\\',
    '"': '"',
  };
  const pattern = octalNeedsZero
    ? /\\(?:0([0-7]{0,3})|x([0-9a-fA-F]{1,2})|u([0-9a-fA-F]{1,4})|(.))/gs
    : /\\(?:([0-7]{1,3})|x([0-9a-fA-F]{1,2})|u([0-9a-fA-F]{1,4})|(.))/gs;
  let stop = false;
  let out = '';
  let end = 0;
  for (const match of text.matchAll(pattern)) {
    out += text.slice(end, match.index);
    end = match.index + match[0].length;
    const [whole, octal, hex, unicode, letter] = match;
    if (letter === 'c') {
      stop = true;
      break;
    }
    if (octal !== undefined) out += String.fromCharCode(parseInt(octal || '0', 8) & 0xff);
    else if (hex !== undefined) out += String.fromCharCode(parseInt(hex, 16));
    else if (unicode !== undefined) out += String.fromCodePoint(parseInt(unicode, 16));
    else out += simple[letter!] ?? whole;
  }
  return { text: stop ? out : out + text.slice(end), stop };
}

/** Wider is taken for a mistake; strings of the host have an end. */
const MAX_WIDTH = 65536;

/** One `%` directive of printf(3) on a number or a string; flags `-`, `0`, `+`, ` `, `#`. */
export function formatDirective(directive: string, value: string | number | bigint): string {
  const match = /^%([-0+ #]*)(\d*)(?:\.(\d*))?(?:hh|h|ll|l|j|z)?([a-zA-Z])$/.exec(directive);
  if (!match) return directive;
  const [, flags = '', widthText = '', precisionText, letter] = match;
  const width = Math.min(MAX_WIDTH, Number(widthText));
  const precision =
    precisionText === undefined ? undefined : Math.min(MAX_WIDTH, Number(precisionText));
  const decimals = Math.min(100, precision ?? 6);
  const sign = (negative: boolean): string =>
    negative ? '-' : flags.includes('+') ? '+' : flags.includes(' ') ? ' ' : '';
  let prefix = '';
  let body: string;
  switch (letter) {
    case 'd':
    case 'i': {
      const number = BigInt(value);
      prefix = sign(number < 0n);
      body = (number < 0n ? -number : number).toString().padStart(precision ?? 1, '0');
      break;
    }
    case 'u':
      body = BigInt.asUintN(64, BigInt(value))
        .toString()
        .padStart(precision ?? 1, '0');
      break;
    case 'o':
    case 'x':
    case 'X': {
      const number = BigInt.asUintN(64, BigInt(value));
      body = number.toString(letter === 'o' ? 8 : 16).padStart(precision ?? 1, '0');
      if (flags.includes('#') && number !== 0n) prefix = letter === 'o' ? '0' : '0x';
      if (letter === 'X') {
        body = body.toUpperCase();
        prefix = prefix.toUpperCase();
      }
      break;
    }
    case 'e':
    case 'f':
    case 'g': {
      const number = Number(value);
      prefix = sign(number < 0 || Object.is(number, -0));
      const size = Math.abs(number);
      if (letter === 'f') body = size.toFixed(decimals);
      else if (letter === 'e') {
        body = size.toExponential(decimals).replace(/e([+-])(\d)$/, 'e$10$2');
      } else body = String(Number(size.toPrecision(decimals || 1)));
      break;
    }
    case 'c':
      body = [...String(value)][0] ?? '';
      break;
    default:
      body = precision === undefined ? String(value) : String(value).slice(0, precision);
  }
  const padding = width - textWidth(prefix + body);
  if (padding <= 0) return prefix + body;
  if (flags.includes('-')) return prefix + body + ' '.repeat(padding);
  const isNumber = /[dioxXuefg]/.test(letter!);
  if (flags.includes('0') && isNumber && (precision === undefined || /[efg]/.test(letter!))) {
    return prefix + '0'.repeat(padding) + body;
  }
  return ' '.repeat(padding) + prefix + body;
}
