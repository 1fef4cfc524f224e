/** cut(1); -c counts bytes, as GNU's does. */
import { getopt, usageError } from '../libc/getopt.ts';
import type { Tool } from '../libc/process.ts';
import { concatBytes, encodeText } from '../libc/text.ts';
import { eachInput } from './input.ts';

type Ranges = readonly (readonly [from: number, to: number])[];

export const cut: Tool = function* (p, args) {
  const o = yield* getopt(p, args, {
    usage: 'OPTION... [FILE]...',
    about: 'Print selected parts of lines from each FILE to standard output.',
    options: [
      { short: 'b', long: 'bytes', arg: 'LIST', help: 'select only these bytes' },
      { short: 'c', long: 'characters', arg: 'LIST', help: 'select only these characters' },
      { short: 'd', long: 'delimiter', arg: 'DELIM', help: 'use DELIM instead of TAB' },
      { short: 'f', long: 'fields', arg: 'LIST', help: 'select only these fields' },
      { short: 'n', help: '(ignored)' },
      { short: 's', long: 'only-delimited', help: 'do not print lines without delimiters' },
      { long: 'complement', help: 'complement the set of selected parts' },
      { long: 'output-delimiter', arg: 'STRING', help: 'use STRING as the output delimiter' },
      { short: 'z', long: 'zero-terminated', help: 'line delimiter is NUL, not newline' },
    ],
    more: 'LIST is made up of ranges N, N-, N-M, -M, separated by commas.',
  });
  const byFields = o.has('fields');
  const list = o.value('fields') ?? o.value('characters') ?? o.value('bytes');
  if (list === undefined) {
    return yield* usageError(p, 'you must specify a list of bytes, characters, or fields');
  }
  const ranges = parseList(list, byFields);
  if (typeof ranges === 'string') return yield* usageError(p, ranges);
  const delimiter = encodeText(o.value('delimiter') ?? '\t');
  if (delimiter.length > 1) {
    return yield* usageError(p, 'the delimiter must be a single character');
  }
  const separator = delimiter[0] ?? 0;
  const end = o.has('zero-terminated') ? 0 : 10;
  const selected = (index: number): boolean =>
    ranges.some(([from, to]) => index >= from && index <= to) !== o.has('complement');
  const given = o.value('output-delimiter');
  const joiner =
    given === undefined ? (byFields ? Uint8Array.of(separator) : undefined) : encodeText(given);
  const newline = Uint8Array.of(end);
  return yield* eachInput(p, o.operands, function* (stream) {
    for (;;) {
      const whole = yield* stream.readLineBytes(end);
      if (!whole) return;
      const line = whole.at(-1) === end ? whole.subarray(0, -1) : whole;
      if (byFields && !line.includes(separator)) {
        if (!o.has('only-delimited')) yield* p.print(concatBytes([line, newline]));
        continue;
      }
      const parts = byFields
        ? splitBytes(line, separator)
        : bytesOf(line, ranges, given !== undefined);
      const kept =
        byFields || given === undefined ? parts.filter((_, at) => selected(at + 1)) : parts;
      yield* p.print(concatBytes([...between(kept, joiner), newline]));
    }
  });
};

function splitBytes(line: Uint8Array, separator: number): Uint8Array[] {
  const parts: Uint8Array[] = [];
  let start = 0;
  for (;;) {
    const at = line.indexOf(separator, start);
    if (at < 0) return [...parts, line.subarray(start)];
    parts.push(line.subarray(start, at));
    start = at + 1;
  }
}

/** Single bytes, or whole ranges where something is to stand between those. */
function bytesOf(line: Uint8Array, ranges: Ranges, byRange: boolean): Uint8Array[] {
  if (!byRange) return Array.from(line, (_, at) => line.subarray(at, at + 1));
  return ranges
    .map(([from, to]) => line.subarray(from - 1, Math.min(to, line.length)))
    .filter((part) => part.length > 0);
}

function between(parts: readonly Uint8Array[], joiner: Uint8Array | undefined): Uint8Array[] {
  if (!joiner) return [...parts];
  return parts.flatMap((part, index) => (index === 0 ? [part] : [joiner, part]));
}

/** Sorted and merged; or what is wrong. */
function parseList(text: string, byFields: boolean): Ranges | string {
  const what = byFields ? 'fields' : 'byte/character positions';
  const ranges: [number, number][] = [];
  for (const part of text.split(/[, ]/)) {
    const match = /^(\d*)(-?)(\d*)$/.exec(part);
    if (!match || part === '') {
      return byFields
        ? `invalid field value '${part}'`
        : `invalid byte/character position '${part}'`;
    }
    if (part === '-') return 'invalid range with no endpoint: -';
    const from = match[1] === '' ? 1 : Number(match[1]);
    const to = match[2] === '' ? from : match[3] === '' ? Infinity : Number(match[3]);
    if (from < 1) return `${what} are numbered from 1`;
    if (to < from) return 'invalid decreasing range';
    ranges.push([from, to]);
  }
  ranges.sort((a, b) => a[0] - b[0]);
  const merged: [number, number][] = [];
  for (const [from, to] of ranges) {
    const last = merged.at(-1);
    if (last && from <= last[1]) last[1] = Math.max(last[1], to);
    else merged.push([from, to]);
  }
  return merged;
}
