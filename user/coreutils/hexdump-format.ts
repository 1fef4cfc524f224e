/** hexdump's -e: units `ITERATIONS/BYTES "format"`, the formats as printf(3) has them. */
import { formatInteger, formatString, unescape } from '../libc/format.ts';

export interface FormatUnit {
  readonly iterations: number;
  /** All that the unit takes of a block. */
  readonly bytes: number;
  readonly each: number;
  readonly text: string;
}

const DIRECTIVE = /%([-0#+ ]*)(\d*)(?:\.(\d*))?(_[cpu]|_[aA][dox]|[diouxXcseEfgG])/g;

/** Undefined where the text is none. */
export function parseFormat(text: string): FormatUnit[] | undefined {
  const units: FormatUnit[] = [];
  let rest = text.trim();
  while (rest !== '') {
    const match = /^(?:(\d+))?(?:\/(\d+))?\s*"((?:[^"\\]|\\[^])*)"\s*/.exec(rest);
    if (!match || match[0] === '') return undefined;
    const [whole, count, size, format = ''] = match;
    const iterations = count === undefined ? 1 : Math.min(65536, Number(count));
    const takes = [...format.matchAll(DIRECTIVE)].filter(
      ([, , , , letter]) => !/^_[aA]/.test(letter!),
    );
    const each =
      takes.length === 0 ? 0 : size === undefined ? defaultBytes(takes[0]![4]!) : Number(size);
    units.push({ iterations, each, bytes: iterations * each, text: format });
    rest = rest.slice(whole.length);
  }
  return units;
}

function defaultBytes(letter: string): number {
  return /^(?:_[cpu]|c)$/.test(letter) ? 1 : 4;
}

export function formatBlock(
  units: readonly FormatUnit[],
  block: Uint8Array,
  offset: number,
): string {
  let at = 0;
  let out = '';
  for (const { iterations, each, text } of units) {
    for (let i = 0; i < iterations; i++) {
      if (each > 0 && at >= block.length) break;
      const isLast = i === iterations - 1 || at + each >= block.length;
      out += formatUnit(text, block.subarray(at, at + each), offset + at, isLast && iterations > 1);
      at += each;
    }
  }
  return out;
}

/** The blank at the end of a format is left out after its last repetition. */
function formatUnit(text: string, bytes: Uint8Array, offset: number, trims: boolean): string {
  let out = '';
  let done = 0;
  for (const match of text.matchAll(DIRECTIVE)) {
    const [whole, flags = '', width, precision, letter = ''] = match;
    out += unescape(text.slice(done, match.index), 'format').text;
    done = match.index + whole.length;
    const directive = {
      flags,
      width: Number(width),
      precision: precision === undefined ? undefined : Number(precision),
    };
    if (/^_[aA]/.test(letter)) {
      out += formatInteger({ ...directive, letter: letter[2]! }, BigInt(offset));
    } else if (letter === '_p' || letter === '_c' || letter === 'c' || letter === '_u') {
      const byte = bytes[0] ?? 0;
      const isText = byte >= 32 && byte < 127;
      const shown = isText
        ? String.fromCharCode(byte)
        : letter === '_p'
          ? '.'
          : byte.toString(8).padStart(3, '0');
      out += formatString({ ...directive, letter: 's' }, shown);
    } else if (letter === 's') {
      out += formatString({ ...directive, letter }, String.fromCharCode(...bytes));
    } else out += formatInteger({ ...directive, letter }, numberOf(bytes, letter));
  }
  const tail = unescape(text.slice(done), 'format').text;
  return out + (trims ? tail.replace(/[ \t]+$/, '') : tail);
}

function numberOf(bytes: Uint8Array, letter: string): bigint {
  let value = 0n;
  for (let at = bytes.length - 1; at >= 0; at--) value = (value << 8n) | BigInt(bytes[at]!);
  const isSigned = letter === 'd' || letter === 'i';
  return isSigned ? BigInt.asIntN(8 * bytes.length, value) : value;
}
