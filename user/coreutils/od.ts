/** od(1): bytes in octal and other formats, each on a line of its own. */
import { getopt, usageError, type Options } from '../libc/getopt.ts';
import { parseSize } from '../libc/numbers.ts';
import type { Tool } from '../libc/process.ts';
import { contents, rows } from './dump.ts';

interface Type {
  readonly size: number;
  /** Columns of one value, without the blank before it. */
  readonly width: number;
  readonly show: (bytes: Uint8Array) => string;
  /** `z`: printable characters at the end of the line. */
  readonly isFollowed: boolean;
}

const NAMES = [
  'nul',
  'soh',
  'stx',
  'etx',
  'eot',
  'enq',
  'ack',
  'bel',
  'bs',
  'ht',
  'nl',
  'vt',
  'ff',
  'cr',
  'so',
  'si',
  'dle',
  'dc1',
  'dc2',
  'dc3',
  'dc4',
  'nak',
  'syn',
  'etb',
  'can',
  'em',
  'sub',
  'esc',
  'fs',
  'gs',
  'rs',
  'us',
  'sp',
];
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
const SIZES: Readonly<Record<string, number>> = { C: 1, S: 2, I: 4, L: 8, F: 4, D: 8 };
/** Digits of the largest number of so many bytes. */
const WIDTHS: Readonly<Record<string, Readonly<Record<number, number>>>> = {
  o: { 1: 3, 2: 6, 4: 11, 8: 22 },
  x: { 1: 2, 2: 4, 4: 8, 8: 16 },
  u: { 1: 3, 2: 5, 4: 10, 8: 20 },
  d: { 1: 4, 2: 6, 4: 11, 8: 20 },
};

function valueOf(bytes: Uint8Array): bigint {
  let value = 0n;
  for (let at = bytes.length - 1; at >= 0; at--) value = (value << 8n) | BigInt(bytes[at]!);
  return value;
}

function parseTypes(text: string): Type[] | undefined {
  const types: Type[] = [];
  let rest = text;
  while (rest !== '') {
    const match = /^([acdoxuf])([CSILFD]|\d+)?(z?)/.exec(rest);
    if (!match) return undefined;
    rest = rest.slice(match[0].length);
    const [, letter = '', sizeText, follow] = match;
    const isFollowed = follow === 'z';
    if (letter === 'a' || letter === 'c') {
      types.push({ size: 1, width: 3, show: letter === 'a' ? named : character, isFollowed });
      continue;
    }
    const size =
      sizeText === undefined ? (letter === 'f' ? 8 : 4) : (SIZES[sizeText] ?? Number(sizeText));
    if (letter === 'f') {
      if (size !== 4 && size !== 8) return undefined;
      types.push({ size, width: size === 4 ? 15 : 24, show: floating, isFollowed });
      continue;
    }
    const width = WIDTHS[letter]![size];
    if (width === undefined) return undefined;
    types.push({ size, width, show: number(letter, width), isFollowed });
  }
  return types;
}

function number(letter: string, width: number): (bytes: Uint8Array) => string {
  return (bytes) => {
    const value = valueOf(bytes);
    if (letter === 'd') return BigInt.asIntN(8 * bytes.length, value).toString();
    if (letter === 'u') return value.toString();
    return value.toString(letter === 'o' ? 8 : 16).padStart(width, '0');
  };
}

function character([byte = 0]: Uint8Array): string {
  if (ESCAPES[byte] !== undefined) return ESCAPES[byte];
  return byte >= 32 && byte < 127 ? String.fromCharCode(byte) : byte.toString(8).padStart(3, '0');
}

function named([byte = 0]: Uint8Array): string {
  const code = byte & 0x7f;
  return NAMES[code] ?? (code === 127 ? 'del' : String.fromCharCode(code));
}

function floating(bytes: Uint8Array): string {
  const view = new DataView(bytes.slice().buffer);
  return bytes.length === 4
    ? String(Number(view.getFloat32(0, true).toPrecision(8)))
    : String(view.getFloat64(0, true));
}

/** Old options, and the types that they stand for. */
const OLD: Readonly<Record<string, string>> = {
  a: 'a',
  b: 'o1',
  c: 'c',
  d: 'u2',
  f: 'fF',
  i: 'dI',
  l: 'dL',
  o: 'o2',
  s: 'd2',
  x: 'x2',
};

export const od: Tool = function* (p, args) {
  const o = yield* getopt(p, args, {
    usage: '[OPTION]... [FILE]...',
    about: 'Write an unambiguous representation, octal bytes by default, of FILE.',
    options: [
      {
        short: 'A',
        long: 'address-radix',
        arg: 'RADIX',
        help: 'output format for file offsets: d, o, x, or n',
      },
      { short: 'j', long: 'skip-bytes', arg: 'BYTES', help: 'skip BYTES input bytes first' },
      { short: 'N', long: 'read-bytes', arg: 'BYTES', help: 'limit dump to BYTES input bytes' },
      {
        short: 'S',
        long: 'strings',
        arg: 'BYTES',
        optional: true,
        help: 'output strings of at least BYTES (3) graphic chars',
      },
      { short: 't', long: 'format', arg: 'TYPE', help: 'select output format or formats' },
      { short: 'v', long: 'output-duplicates', help: 'do not use * to mark line suppression' },
      {
        short: 'w',
        long: 'width',
        arg: 'BYTES',
        optional: true,
        help: 'output BYTES (32) bytes per output line',
      },
      ...Object.entries(OLD).map(([short, type]) => ({ short, help: `same as -t ${type}` })),
    ],
    more: 'TYPE is made up of: a named characters, c printable or escaped, d[SIZE] signed, f[SIZE] floating,\no[SIZE] octal, u[SIZE] unsigned, x[SIZE] hexadecimal; a z after it shows characters too.',
  });
  const types: Type[] = [];
  for (const { name, value } of o.given) {
    const text = name === 'format' ? value : OLD[name];
    if (text === undefined) continue;
    const parsed = parseTypes(text);
    if (!parsed) {
      yield* p.error(`invalid type string '${text}'`);
      return 1;
    }
    types.push(...parsed);
  }
  if (types.length === 0) types.push(...parseTypes('o2')!);
  const skip = sizeOption(o, 'skip-bytes', 0);
  const limit = sizeOption(o, 'read-bytes', Infinity);
  if (skip === undefined || limit === undefined)
    return yield* usageError(p, 'invalid number of bytes');
  const radix = o.value('address-radix') ?? 'o';
  if (!/^[doxn]$/.test(radix)) {
    yield* p.error(`invalid output address radix '${radix}'; it must be one character from [doxn]`);
    return 1;
  }
  const { bytes, status } = yield* contents(p, o.operands, skip, limit);
  const address = (offset: number): string => {
    if (radix === 'n') return '';
    const base = { o: 8, d: 10, x: 16 }[radix as 'o'];
    return (skip + offset).toString(base).padStart(radix === 'x' ? 6 : 7, '0');
  };
  const least = o.has('strings') ? Number(o.value('strings') || 3) : undefined;
  if (least !== undefined) {
    for (const [offset, text] of stringsIn(bytes, least))
      yield* p.println(`${address(offset)} ${text}`.trimStart());
    return status;
  }
  const unit = Math.max(...types.map(({ size }) => size));
  const wanted = o.has('width') ? Number(o.value('width') || 32) : 16;
  const perRow = Math.max(unit, Math.floor(wanted / unit) * unit);
  // Types side by side take as many columns for as many bytes.
  const perByte = Math.max(...types.map(({ size, width }) => (width + 1) / size));
  yield* rows(p, bytes, perRow, !o.has('output-duplicates'), (offset, part) =>
    types
      .map((type, index) => {
        const head = index === 0 ? address(offset) : ' '.repeat(address(offset).length);
        return `${head}${line(type, part, perRow, perByte)}\n`;
      })
      .join(''),
  );
  if (radix !== 'n' && (status === 0 || bytes.length > 0)) yield* p.println(address(bytes.length));
  return status;
};

function line(type: Type, part: Uint8Array, perRow: number, perByte: number): string {
  const columns = Math.ceil(perByte * type.size);
  let out = '';
  for (let at = 0; at < part.length; at += type.size) {
    const bytes = new Uint8Array(type.size);
    bytes.set(part.subarray(at, at + type.size));
    out += type.show(bytes).padStart(columns);
  }
  if (!type.isFollowed) return out;
  const text = Array.from(part, (byte) =>
    byte >= 32 && byte < 127 ? String.fromCharCode(byte) : '.',
  ).join('');
  return `${out.padEnd((perRow / type.size) * columns)}  >${text}<`;
}

function sizeOption(o: Options, name: string, otherwise: number): number | undefined {
  const text = o.value(name);
  if (text === undefined) return otherwise;
  return /^0x[0-9a-f]+$/i.test(text) ? Number(text) : parseSize(text);
}

function* stringsIn(bytes: Uint8Array, least: number): Generator<readonly [number, string]> {
  let start = 0;
  for (let at = 0; at <= bytes.length; at++) {
    const byte = bytes[at] ?? -1;
    if (byte >= 32 && byte < 127) continue;
    // Only what a NUL ends is a string.
    if (byte === 0 && at - start >= least)
      yield [start, String.fromCharCode(...bytes.subarray(start, at))];
    start = at + 1;
  }
}
