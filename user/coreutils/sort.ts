/** sort(1). Keys and their order are in `sort-keys.ts`. */
import type { UserFlow } from '../../kernel/syscall/abi.ts';
import { writeFile } from '../libc/files.ts';
import { getopt, usageError } from '../libc/getopt.ts';
import type { Process, Tool } from '../libc/process.ts';
import { strerror } from '../libc/strerror.ts';
import { eachInput, openStream, readLines } from './input.ts';
import type { Key } from './sort-keys.ts';
import { comparison, ORDERINGS, parseKey } from './sort-keys.ts';
import { shuffled } from './shuf.ts';

export const sort: Tool = function* (p, args) {
  const o = yield* getopt(p, args, {
    usage: '[OPTION]... [FILE]...',
    about: 'Write sorted concatenation of all FILE(s) to standard output.',
    badUsage: 2,
    options: [
      { short: 'b', long: 'ignore-leading-blanks', help: 'ignore leading blanks' },
      { short: 'd', long: 'dictionary-order', help: 'consider only blanks and alphanumerics' },
      { short: 'f', long: 'ignore-case', help: 'fold lower case to upper case characters' },
      {
        short: 'g',
        long: 'general-numeric-sort',
        help: 'compare according to general numerical value',
      },
      { short: 'i', long: 'ignore-nonprinting', help: 'consider only printable characters' },
      { short: 'M', long: 'month-sort', help: "compare (unknown) < 'JAN' < ... < 'DEC'" },
      { short: 'h', long: 'human-numeric-sort', help: 'compare human readable numbers (2K 1G)' },
      { short: 'n', long: 'numeric-sort', help: 'compare according to string numerical value' },
      { short: 'R', long: 'random-sort', help: 'shuffle, but group identical keys' },
      { short: 'r', long: 'reverse', help: 'reverse the result of comparisons' },
      { short: 'V', long: 'version-sort', help: 'natural sort of (version) numbers within text' },
      { short: 'c', long: 'check', help: 'check for sorted input; do not sort' },
      { short: 'C', help: 'like -c, but do not report first bad line' },
      { short: 'k', long: 'key', arg: 'KEYDEF', help: 'sort via a key: F[.C][OPTS][,F[.C][OPTS]]' },
      { short: 'm', long: 'merge', help: 'merge already sorted files' },
      { short: 'o', long: 'output', arg: 'FILE', help: 'write result to FILE' },
      { short: 's', long: 'stable', help: 'disable last-resort comparison' },
      { short: 'S', long: 'buffer-size', arg: 'SIZE', help: '(ignored)' },
      { short: 't', long: 'field-separator', arg: 'SEP', help: 'use SEP between fields' },
      { short: 'T', long: 'temporary-directory', arg: 'DIR', help: '(ignored)' },
      { short: 'u', long: 'unique', help: 'output only the first of an equal run' },
      { short: 'z', long: 'zero-terminated', help: 'line delimiter is NUL, not newline' },
    ],
  });
  const flags = Object.keys(ORDERINGS)
    .filter((name) => o.has(name))
    .map((name) => ORDERINGS[name])
    .join('');
  const keys: Key[] = [];
  for (const text of o.values('key')) {
    const key = parseKey(text, flags);
    if (typeof key === 'string') return yield* fail(p, key);
    keys.push(key);
  }
  const separator = o.value('field-separator');
  const isNul = separator === '\\0';
  if (separator === '') return yield* fail(p, 'empty tab');
  if (separator !== undefined && !isNul && [...separator].length > 1) {
    return yield* fail(p, `multi-character tab '${separator}'`);
  }
  const end = o.has('zero-terminated') ? 0 : 10;
  const compareKeys = comparison(keys, flags, isNul ? '\0' : separator);
  const unique = o.has('unique');
  const lastResort = !o.has('stable') && !unique;
  const sign = flags.includes('r') ? -1 : 1;
  const compare = (a: string, b: string): number =>
    compareKeys(a, b) || (lastResort ? sign * byCode(a, b) : 0);
  if (o.has('check') || o.has('C')) {
    const [file = '-', extra] = o.operands;
    if (extra !== undefined) {
      return yield* usageError(p, `extra operand '${extra}' not allowed with -c`, 2);
    }
    return yield* check(p, file, compare, unique, end, o.has('C'));
  }
  let lines: string[] = [];
  const status = yield* eachInput(
    p,
    o.operands,
    function* (stream) {
      for (const line of yield* readLines(stream, end)) lines.push(line);
    },
    (name, reason) => `cannot read: ${name}: ${reason}`,
  );
  if (status !== 0) return 2;
  if (flags.includes('R')) lines = yield* shuffled(p, lines.sort(compare));
  else lines.sort(compare);
  if (unique)
    lines = lines.filter((line, at) => at === 0 || compareKeys(lines[at - 1]!, line) !== 0);
  const mark = String.fromCharCode(end);
  const output = o.value('output');
  if (output === undefined) {
    for (const line of lines) yield* p.print(line + mark);
    return 0;
  }
  const failed = yield* writeFile(p, output, lines.map((line) => line + mark).join(''));
  return failed < 0 ? yield* fail(p, `open failed: ${output}: ${strerror(failed)}`) : 0;
};

function* fail(p: Process, text: string): UserFlow<number> {
  yield* p.error(text);
  return 2;
}

/** By code points, which is the order of the UTF-8 bytes. */
function byCode(a: string, b: string): number {
  if (a === b) return 0;
  const left = [...a];
  const right = [...b];
  for (let at = 0; at < left.length && at < right.length; at++) {
    const order = left[at]!.codePointAt(0)! - right[at]!.codePointAt(0)!;
    if (order !== 0) return order;
  }
  return left.length - right.length;
}

function* check(
  p: Process,
  file: string,
  compare: (a: string, b: string) => number,
  unique: boolean,
  end: number,
  quiet: boolean,
): UserFlow<number> {
  const stream = yield* openStream(p, file);
  if (!stream) return 2;
  const lines = yield* readLines(stream, end);
  for (let at = 1; at < lines.length; at++) {
    const order = compare(lines[at - 1]!, lines[at]!);
    if (order < 0 || (order === 0 && !unique)) continue;
    if (!quiet) yield* p.error(`${file}:${at + 1}: disorder: ${lines[at]}`);
    return 1;
  }
  return 0;
}
