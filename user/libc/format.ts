/** Laying text out: columns as ls does, tables, sizes for people, printf(1)'s directives. */
import { encodedLength } from '../../kernel/types/text.ts';
import type { Floating } from './floating.ts';
import { formatExponent, formatFixed, formatGeneral, formatHexadecimal } from './floating.ts';
import { decodeText, encodeText, padRight, textWidth } from './text.ts';

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

/** Names in columns, across then down. */
export function columnsAcross(
  names: readonly string[],
  width: number,
  display: (index: number) => string = (index) => names[index]!,
): string[] {
  const widths = names.map(textWidth);
  for (let count = names.length; count > 0; count--) {
    const columnWidths = new Array<number>(count).fill(0);
    for (const [index, cell] of widths.entries()) {
      const column = index % count;
      const gap = column === count - 1 ? 0 : 2;
      columnWidths[column] = Math.max(columnWidths[column]!, cell + gap);
    }
    if (columnWidths.reduce((sum, w) => sum + w, 0) > width && count > 1) continue;
    const lines: string[] = [];
    for (let start = 0; start < names.length; start += count) {
      let line = '';
      for (let column = 0; column < count && start + column < names.length; column++) {
        const index = start + column;
        const isLast = column === count - 1 || index === names.length - 1;
        line += display(index) + ' '.repeat(isLast ? 0 : columnWidths[column]! - widths[index]!);
      }
      lines.push(line);
    }
    return lines;
  }
  return [];
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

/** '4.0K', '12M': powers of 1024 (or 1000) as ls -h rounds, upwards. */
export function humanSize(bytes: number, base = 1024): string {
  if (bytes < base) return String(bytes);
  let value = bytes;
  for (const unit of base === 1000 ? 'kMGTP' : 'KMGTP') {
    value /= base;
    if (value < 10) {
      const rounded = Math.ceil(value * 10) / 10;
      if (rounded < 10) return `${rounded.toFixed(1)}${unit}`;
    }
    if (Math.ceil(value) < base) return `${Math.ceil(value)}${unit}`;
  }
  return `${Math.ceil(value)}P`;
}

const SIMPLE_ESCAPES: Readonly<Record<string, string>> = {
  a: '\x07',
  b: '\b',
  e: '\x1b',
  E: '\x1b',
  f: '\f',
  n: '\n',
  r: '\r',
  t: '\t',
  v: '\v',
  '\\': '\\',
};

/**
 * Escapes: of a printf format (\\101, \\"), of `echo -e` (\\0101, \\c), or of %b, which knows all.
 * `stop` tells that \\c was met.
 */
export function unescape(
  text: string,
  style: 'format' | 'echo' | '%b',
): { readonly text: string; readonly stop: boolean } {
  const octal =
    style === 'echo'
      ? '0([0-7]{0,3})'
      : style === '%b'
        ? '(0[0-7]{0,3}|[1-7][0-7]{0,2})'
        : '([0-7]{1,3})';
  const pattern = new RegExp(
    `\\\\(?:${octal}|x([0-9a-fA-F]{1,2})|u([0-9a-fA-F]{1,4})|U([0-9a-fA-F]{1,8})|([^]))`,
    'g',
  );
  let out = '';
  let end = 0;
  for (const match of text.matchAll(pattern)) {
    const [whole, octalDigits, hex, short, long, letter] = match;
    out += text.slice(end, match.index);
    end = match.index + whole.length;
    if (letter === 'c' && style !== 'format') return { text: out, stop: true };
    const code = short ?? long;
    if (octalDigits !== undefined) out += byteText(parseInt(octalDigits || '0', 8));
    else if (hex !== undefined) out += byteText(parseInt(hex, 16));
    else if (code !== undefined) out += codePointText(parseInt(code, 16));
    else if (style !== 'echo' && /["'?]/.test(letter!)) out += letter!;
    else out += SIMPLE_ESCAPES[letter!] ?? whole;
  }
  return { text: out + text.slice(end), stop: false };
}

/** One byte of output; from 0x80 on it is none of a character's by itself (kernel/types/text.ts). */
function byteText(value: number): string {
  const byte = value & 0xff;
  return String.fromCharCode(byte < 0x80 ? byte : 0xdc00 + byte);
}

function codePointText(code: number): string {
  return code > 0x10ffff ? '\ufffd' : String.fromCodePoint(code);
}

/** Wider is taken for a mistake; strings of the host have an end. */
const MAX_WIDTH = 65536;

/** A directive of printf(3), taken apart. */
export interface Directive {
  /** Of `-0+ #`. */
  readonly flags: string;
  readonly width: number;
  /** Undefined where none was given. */
  readonly precision: number | undefined;
  readonly letter: string;
}

/** `text` padded to the width, which counts bytes as in C. */
function pad({ flags, width }: Directive, text: string): string {
  const missing = Math.min(width, MAX_WIDTH) - encodedLength(text);
  if (missing <= 0) return text;
  return flags.includes('-') ? text + ' '.repeat(missing) : ' '.repeat(missing) + text;
}

/** %s and %c. */
export function formatString(directive: Directive, text: string): string {
  const limit = directive.letter === 'c' ? 1 : directive.precision;
  if (limit === undefined || encodedLength(text) <= limit) return pad(directive, text);
  return pad(directive, decodeText(encodeText(text).subarray(0, limit)));
}

function padNumber(directive: Directive, sign: string, digits: string, zeros: boolean): string {
  const { flags, width } = directive;
  if (!zeros || flags.includes('-') || !flags.includes('0')) return pad(directive, sign + digits);
  return sign + digits.padStart(Math.min(width, MAX_WIDTH) - sign.length, '0');
}

function signOf(flags: string, negative: boolean): string {
  if (negative) return '-';
  return flags.includes('+') ? '+' : flags.includes(' ') ? ' ' : '';
}

/** %d %i %u %o %x %X, of a 64-bit number. */
export function formatInteger(directive: Directive, value: bigint): string {
  const { flags, precision, letter } = directive;
  const isSigned = letter === 'd' || letter === 'i';
  const number = isSigned ? value : BigInt.asUintN(64, value);
  const negative = number < 0n;
  const radix = letter === 'o' ? 8 : letter === 'x' || letter === 'X' ? 16 : 10;
  let digits = (negative ? -number : number).toString(radix);
  if (precision === 0 && number === 0n) digits = '';
  digits = digits.padStart(Math.min(precision ?? 1, MAX_WIDTH), '0');
  let sign = isSigned ? signOf(flags, negative) : '';
  if (flags.includes('#') && radix === 8 && !digits.startsWith('0')) digits = `0${digits}`;
  if (flags.includes('#') && radix === 16 && number !== 0n) sign = '0x';
  if (letter === 'X') [sign, digits] = [sign.toUpperCase(), digits.toUpperCase()];
  return padNumber(directive, sign, digits, precision === undefined);
}

/** %e %f %g %a and their capitals. */
export function formatFloating(directive: Directive, value: Floating): string {
  const { flags, letter } = directive;
  const precision = Math.min(directive.precision ?? 6, MAX_WIDTH);
  const keep = flags.includes('#');
  let digits: string;
  switch (letter.toLowerCase()) {
    case 'f':
      digits = formatFixed(value, precision, keep);
      break;
    case 'e':
      digits = formatExponent(value, precision, keep);
      break;
    case 'a':
      digits = formatHexadecimal(value);
      break;
    default:
      digits = formatGeneral(value, precision, keep);
  }
  if (letter !== letter.toLowerCase()) digits = digits.toUpperCase();
  return padNumber(directive, signOf(flags, value.negative), digits, value.special === undefined);
}
