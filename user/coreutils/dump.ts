/** hexdump(1), xxd(1): bytes shown as numbers, and back. od(1) is in `od.ts`. */
import type { UserFlow } from '../../kernel/syscall/abi.ts';
import { O_CREAT, O_TRUNC, O_WRONLY, open } from '../libc/files.ts';
import { getopt, usageError } from '../libc/getopt.ts';
import { parseSize } from '../libc/numbers.ts';
import type { Process, Tool } from '../libc/process.ts';
import { Stream } from '../libc/stdio.ts';
import { strerror } from '../libc/strerror.ts';
import { concatBytes, decodeText } from '../libc/text.ts';
import { eachInput } from './input.ts';
import { formatBlock, parseFormat, type FormatUnit } from './hexdump-format.ts';

/** What is to be shown of all files together; no further is read than asked. */
export function* contents(
  p: Process,
  files: readonly string[],
  skip: number,
  length: number,
): UserFlow<{ bytes: Uint8Array; status: number }> {
  const parts: Uint8Array[] = [];
  let wanted = skip + length;
  const status = yield* eachInput(p, files, function* (stream) {
    // Some files have no end.
    while (wanted > 0) {
      const part = yield* stream.readChunk();
      if (part.length === 0) break;
      parts.push(part);
      wanted -= part.length;
    }
  });
  return { bytes: concatBytes(parts).subarray(skip, skip + length), status };
}

const hex = (value: number, digits: number): string => value.toString(16).padStart(digits, '0');
const printable = (bytes: Uint8Array): string =>
  Array.from(bytes, (b) => (b >= 0x20 && b < 0x7f ? String.fromCharCode(b) : '.')).join('');

/** Rows of `size`; a row equal to the one before is a single '*'. */
export function* rows(
  p: Process,
  bytes: Uint8Array,
  size: number,
  squeeze: boolean,
  row: (offset: number, part: Uint8Array) => string,
): UserFlow<void> {
  let before = '';
  let isSqueezed = false;
  for (let at = 0; at < bytes.length; at += size) {
    const part = bytes.subarray(at, at + size);
    const key = part.join();
    if (squeeze && key === before && part.length === size) {
      if (!isSqueezed) yield* p.println('*');
      isSqueezed = true;
      continue;
    }
    isSqueezed = false;
    before = key;
    yield* p.print(row(at, part));
  }
}

function groupsOf(part: Uint8Array, size: number, show: (value: number) => string): string {
  let out = '';
  for (let at = 0; at < part.length; at += size) {
    let value = 0;
    for (let i = size - 1; i >= 0; i--) value = value * 256 + (part[at + i] ?? 0);
    out += show(value);
  }
  return out;
}

export const hexdump: Tool = function* (p, args) {
  const o = yield* getopt(p, args, {
    usage: '[OPTION]... [FILE]...',
    about: 'Display file contents in hexadecimal, decimal, octal, or ascii.',
    options: [
      { short: 'b', long: 'one-byte-octal', help: 'one-byte octal display' },
      { short: 'c', long: 'one-byte-char', help: 'one-byte character display' },
      { short: 'C', long: 'canonical', help: 'canonical hex+ASCII display' },
      { short: 'd', long: 'two-bytes-decimal', help: 'two-byte decimal display' },
      { short: 'o', long: 'two-bytes-octal', help: 'two-byte octal display' },
      { short: 'x', long: 'two-bytes-hex', help: 'two-byte hexadecimal display' },
      {
        short: 'e',
        long: 'format',
        arg: 'FORMAT',
        help: 'format string to be used for displaying data',
      },
      { short: 'n', long: 'length', arg: 'LENGTH', help: 'interpret only LENGTH bytes of input' },
      { short: 's', long: 'skip', arg: 'OFFSET', help: 'skip OFFSET bytes from the beginning' },
      { short: 'v', long: 'no-squeezing', help: 'output identical lines' },
    ],
  });
  const skip = parseSize(o.value('skip') ?? '0') ?? Number(o.value('skip'));
  const length = o.has('length') ? (parseSize(o.value('length')!) ?? NaN) : Infinity;
  if (Number.isNaN(skip) || Number.isNaN(length)) {
    yield* p.error(`failed to parse ${Number.isNaN(skip) ? 'offset' : 'length'}`);
    return 1;
  }
  const { bytes, status } = yield* contents(p, o.operands, skip, length);
  const squeeze = !o.has('no-squeezing');
  const formats = o.values('format');
  if (formats.length > 0) {
    const units: FormatUnit[][] = [];
    for (const text of formats) {
      const parsed = parseFormat(text);
      if (!parsed) {
        yield* p.error(`bad format {${text}}`);
        return 1;
      }
      units.push(parsed);
    }
    const size = Math.max(
      1,
      ...units.map((list) => list.reduce((sum, unit) => sum + unit.bytes, 0)),
    );
    yield* rows(p, bytes, size, squeeze, (offset, part) =>
      units.map((list) => formatBlock(list, part, skip + offset)).join(''),
    );
    return status;
  }
  const canonical = o.has('canonical');
  const style = HEXDUMP_STYLES.find(([option]) => o.has(option));
  const digits = canonical ? 8 : 7;
  yield* rows(p, bytes, 16, squeeze, (offset, part) => {
    const head = hex(skip + offset, digits);
    if (canonical) {
      let cells = '';
      for (let i = 0; i < 16; i++) {
        cells += (i % 8 === 0 ? ' ' : '') + (i < part.length ? ` ${hex(part[i]!, 2)}` : '   ');
      }
      return `${head}${cells}  |${printable(part)}|\n`;
    }
    const [, size, show] = style ?? ['', 2, (value: number) => ` ${hex(value, 4)}`];
    const width = show(0).length;
    return `${(head + groupsOf(part, size, show)).padEnd(digits + (16 / size) * width)}\n`;
  });
  if (bytes.length > 0) yield* p.println(hex(skip + bytes.length, digits));
  return status;
};

const ESCAPES: Readonly<Record<number, string>> = {
  0: '\\0',
  7: '\\a',
  8: '\\b',
  9: '\\t',
  10: '\\n',
  11: '\\v',
  12: '\\f',
  13: '\\r',
};
type Style = readonly [option: string, bytes: number, show: (value: number) => string];
const HEXDUMP_STYLES: readonly Style[] = [
  ['one-byte-octal', 1, (value) => ` ${value.toString(8).padStart(3, '0')}`],
  [
    'one-byte-char',
    1,
    (value) =>
      ` ${(ESCAPES[value] ?? (value >= 32 && value < 127 ? String.fromCharCode(value) : value.toString(8).padStart(3, '0'))).padStart(3)}`,
  ],
  ['two-bytes-decimal', 2, (value) => `   ${String(value).padStart(5, '0')}`],
  ['two-bytes-octal', 2, (value) => `  ${value.toString(8).padStart(6, '0')}`],
  ['two-bytes-hex', 2, (value) => `    ${hex(value, 4)}`],
];

export const xxd: Tool = function* (p, args) {
  // xxd's long options begin with one dash.
  const words = args.map((arg) =>
    arg === '-ps' || arg === '-plain' || arg === '-postscript'
      ? '-p'
      : arg === '-include'
        ? '-i'
        : arg,
  );
  const o = yield* getopt(p, words, {
    usage: '[OPTION]... [INFILE [OUTFILE]]',
    about: 'Make a hex dump, or with -r the reverse.',
    options: [
      { short: 'a', help: "toggle autoskip: a single '*' replaces nul-lines" },
      { short: 'b', help: 'binary digit dump' },
      { short: 'c', arg: 'COLS', help: 'format COLS octets per line (16; 6 with -b, 30 with -p)' },
      { short: 'e', help: 'little-endian dump' },
      { short: 'g', arg: 'BYTES', help: 'number of octets per group (2; 4 with -e, 1 with -b)' },
      { short: 'i', help: 'output in C include file style' },
      { short: 'l', arg: 'LEN', help: 'stop after LEN octets' },
      { short: 'o', arg: 'OFF', help: 'add OFF to the displayed file position' },
      { short: 'p', help: 'output in plain hexdump style' },
      { short: 'r', help: 'reverse operation: convert hexdump into binary' },
      { short: 's', arg: 'SEEK', help: 'start at SEEK bytes' },
      { short: 'u', help: 'use upper case hex letters' },
    ],
  });
  const [input, output] = o.operands;
  const numbers: Record<string, number> = {};
  for (const name of ['c', 'g', 'l', 'o', 's']) {
    const text = o.value(name);
    if (text === undefined) continue;
    const value = Number(text.replace(/^\+/, ''));
    if (!Number.isInteger(value) || value < 0)
      return yield* usageError(p, `invalid number '${text}'`);
    numbers[name] = value;
  }
  let target = p.stdout;
  if (output !== undefined) {
    const fd = yield* open(p, output, O_WRONLY | O_CREAT | O_TRUNC);
    if (fd < 0) {
      yield* p.error(`${output}: ${strerror(fd)}`);
      return 3;
    }
    target = new Stream(p, fd, 'full');
  }
  const files = input === undefined ? [] : [input];
  const skip = numbers.s ?? 0;
  const { bytes, status } = yield* contents(p, files, o.has('r') ? 0 : skip, numbers.l ?? Infinity);
  if (status !== 0) return 2;
  const cased = (text: string): string => (o.has('u') ? text.toUpperCase() : text);
  if (o.has('r')) yield* target.write(unhex(decodeText(bytes), o.has('p')));
  else if (o.has('p')) {
    const columns = numbers.c ?? 30;
    const step = columns === 0 ? Math.max(1, bytes.length) : columns;
    for (let at = 0; at < bytes.length; at += step) {
      const row = Array.from(bytes.subarray(at, at + step), (byte) => hex(byte, 2)).join('');
      yield* target.write(`${cased(row)}\n`);
    }
  } else if (o.has('i')) yield* target.write(includeFile(bytes, input, numbers.c ?? 12));
  else {
    const isBinary = o.has('b');
    const columns = numbers.c || (isBinary ? 6 : 16);
    const group = numbers.g ?? (isBinary ? 1 : o.has('e') ? 4 : 2);
    let out = '';
    for (let at = 0; at < bytes.length; at += columns) {
      const part = bytes.subarray(at, at + columns);
      const cells = xxdCells(part, columns, group || columns, { isBinary, isLittle: o.has('e') });
      out += `${cased(`${hex(at + skip + (numbers.o ?? 0), 8)}: ${cells}`)}  ${printable(part)}\n`;
    }
    yield* target.write(out);
  }
  yield* target.flush();
  return 0;
};

function xxdCells(
  part: Uint8Array,
  columns: number,
  group: number,
  style: { readonly isBinary: boolean; readonly isLittle: boolean },
): string {
  const digits = style.isBinary ? 8 : 2;
  const show = (byte: number | undefined): string =>
    byte === undefined
      ? ' '.repeat(digits)
      : byte.toString(style.isBinary ? 2 : 16).padStart(digits, '0');
  const groups: string[] = [];
  for (let at = 0; at < columns; at += group) {
    const indices = Array.from({ length: Math.min(group, columns - at) }, (_, i) => at + i);
    if (style.isLittle) indices.reverse();
    groups.push(indices.map((index) => show(part[index])).join(''));
  }
  return groups.join(' ');
}

function includeFile(bytes: Uint8Array, name: string | undefined, columns: number): string {
  const cells = Array.from(bytes, (byte) => `0x${hex(byte, 2)}`);
  const lines: string[] = [];
  for (let at = 0; at < cells.length; at += columns)
    lines.push(`  ${cells.slice(at, at + columns).join(', ')}`);
  const body = lines.join(',\n');
  if (name === undefined) return body === '' ? '' : `${body}\n`;
  const symbol = name.replace(/[^A-Za-z0-9]/g, '_').replace(/^(?=\d)/, '__');
  return `unsigned char ${symbol}[] = {\n${body}\n};\nunsigned int ${symbol}_len = ${bytes.length};\n`;
}

function unhex(text: string, plain: boolean): Uint8Array {
  if (plain) {
    const digits = text.replace(/[^0-9a-fA-F]/g, '');
    return Uint8Array.from({ length: digits.length >> 1 }, (_, at) =>
      parseInt(digits.slice(2 * at, 2 * at + 2), 16),
    );
  }
  const parts: Uint8Array[] = [];
  let end = 0;
  for (const line of text.split('\n')) {
    const match = /^\s*([0-9a-fA-F]+):((?: ?[0-9a-fA-F]{2})*)/.exec(line);
    if (!match) continue;
    const offset = parseInt(match[1]!, 16);
    // A gap is filled with zeros, as seeking in a file would.
    if (offset > end && offset - end < 1 << 24) parts.push(new Uint8Array(offset - end));
    const digits = match[2]!.replace(/ /g, '');
    const bytes = Uint8Array.from({ length: digits.length >> 1 }, (_, at) =>
      parseInt(digits.slice(2 * at, 2 * at + 2), 16),
    );
    parts.push(bytes);
    end = Math.max(end, offset) + bytes.length;
  }
  return concatBytes(parts);
}
