/** sort(1): -n -h -r -u -f -b -s -t -k. */
import { byBytes } from '../libc/directory.ts';
import { getopt, usageError } from '../libc/getopt.ts';
import type { Tool } from '../libc/process.ts';
import { decodeText } from '../libc/text.ts';
import { eachInput } from './input.ts';

interface Key {
  /** Fields and characters, 1-based; `to` undefined is the end of the line. */
  readonly from: { readonly field: number; readonly char: number };
  readonly to: { readonly field: number; readonly char: number } | undefined;
  readonly flags: string;
}

export const sort: Tool = function* (p, args) {
  const o = yield* getopt(p, args, {
    usage: '[OPTION]... [FILE]...',
    about: 'Write sorted concatenation of all FILE(s) to standard output.',
    badUsage: 2,
    options: [
      { short: 'b', long: 'ignore-leading-blanks', help: 'ignore leading blanks' },
      { short: 'f', long: 'ignore-case', help: 'fold lower case to upper case characters' },
      { short: 'n', long: 'numeric-sort', help: 'compare according to string numerical value' },
      { short: 'h', long: 'human-numeric-sort', help: 'compare human readable numbers (2K 1G)' },
      { short: 'r', long: 'reverse', help: 'reverse the result of comparisons' },
      { short: 'u', long: 'unique', help: 'output only the first of an equal run' },
      { short: 's', long: 'stable', help: 'no last-resort comparison' },
      { short: 'k', long: 'key', arg: 'KEYDEF', help: 'sort via a key: F[.C][OPTS][,F[.C][OPTS]]' },
      { short: 't', long: 'field-separator', arg: 'SEP', help: 'use SEP between fields' },
    ],
  });
  const letters: Record<string, string> = {
    'ignore-leading-blanks': 'b',
    'ignore-case': 'f',
    'numeric-sort': 'n',
    'human-numeric-sort': 'h',
    reverse: 'r',
  };
  const flags = Object.keys(letters)
    .filter((name) => o.has(name))
    .map((name) => letters[name])
    .join('');
  const keys: Key[] = [];
  for (const text of o.values('key')) {
    const key = parseKey(text, flags);
    if (!key) return yield* usageError(p, `invalid key: '${text}'`, 2);
    keys.push(key);
  }
  const lines: string[] = [];
  const status = yield* eachInput(p, o.operands, function* (stream) {
    const text = decodeText(yield* stream.readAll());
    if (text !== '') lines.push(...text.replace(/\n$/, '').split('\n'));
  });
  const separator = o.value('field-separator');
  const compare = comparison(keys, flags, separator === '\\t' ? '\t' : separator);
  const lastResort = !o.has('stable') && !o.has('unique');
  const sign = flags.includes('r') ? -1 : 1;
  lines.sort((a, b) => compare(a, b) || (lastResort ? sign * byBytes(a, b) : 0));
  let previous: string | undefined;
  for (const line of lines) {
    if (o.has('unique') && previous !== undefined && compare(previous, line) === 0) continue;
    previous = line;
    yield* p.println(line);
  }
  return status === 0 ? 0 : 2;
};

function parseKey(text: string, defaults: string): Key | undefined {
  const match = /^(\d+)(?:\.(\d+))?([bfhnr]*)(?:,(\d+)(?:\.(\d+))?([bfhnr]*))?$/.exec(text);
  if (!match || match[1] === '0') return undefined;
  const flags = (match[3] ?? '') + (match[6] ?? '');
  return {
    from: { field: Number(match[1]), char: Number(match[2] ?? 1) },
    to:
      match[4] === undefined ? undefined : { field: Number(match[4]), char: Number(match[5] ?? 0) },
    flags: flags === '' ? defaults : flags,
  };
}

function comparison(
  keys: readonly Key[],
  flags: string,
  separator: string | undefined,
): (a: string, b: string) => number {
  if (keys.length === 0) return (a, b) => compareBy(a, b, flags);
  return (a, b) => {
    for (const key of keys) {
      const order = compareBy(extract(a, key, separator), extract(b, key, separator), key.flags);
      if (order !== 0) return order;
    }
    return 0;
  };
}

function compareBy(a: string, b: string, flags: string): number {
  const sign = flags.includes('r') ? -1 : 1;
  if (flags.includes('n') || flags.includes('h')) {
    return sign * (numberOf(a, flags.includes('h')) - numberOf(b, flags.includes('h')));
  }
  const fold = (text: string): string => {
    const trimmed = flags.includes('b') ? text.trimStart() : text;
    return flags.includes('f') ? trimmed.toUpperCase() : trimmed;
  };
  return sign * byBytes(fold(a), fold(b));
}

function numberOf(text: string, human: boolean): number {
  const match = /^\s*(-?\d*\.?\d*)([KMGTP]?)/.exec(text);
  const value = Number(match?.[1] === '-' ? 0 : (match?.[1] ?? 0)) || 0;
  return human ? value * 1024 ** ' KMGTP'.indexOf(match?.[2] || ' ') : value;
}

/** Fields are what the separator parts; without one, a field starts with the blanks before it. */
function extract(line: string, key: Key, separator: string | undefined): string {
  const starts: number[] = [];
  const ends: number[] = [];
  if (separator === undefined) {
    for (const match of line.matchAll(/\s*\S+|\s+$/g)) {
      starts.push(match.index);
      ends.push(match.index + match[0].length);
    }
  } else {
    let at = 0;
    for (const field of line.split(separator)) {
      starts.push(at);
      ends.push(at + field.length);
      at += field.length + separator.length;
    }
  }
  const start = starts[key.from.field - 1];
  if (start === undefined) return '';
  const from = start + key.from.char - 1;
  if (!key.to) return line.slice(from);
  const { field, char } = key.to;
  const end = char === 0 ? ends[field - 1] : (starts[field - 1] ?? line.length) + char;
  return line.slice(from, end ?? line.length);
}
