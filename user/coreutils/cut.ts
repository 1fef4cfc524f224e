/** cut(1). */
import { getopt, usageError } from '../libc/getopt.ts';
import type { Tool } from '../libc/process.ts';
import { eachInput } from './input.ts';

export const cut: Tool = function* (p, args) {
  const o = yield* getopt(p, args, {
    usage: 'OPTION... [FILE]...',
    about: 'Print selected parts of lines from each FILE to standard output.',
    options: [
      { short: 'b', long: 'bytes', arg: 'LIST', help: 'select only these bytes' },
      { short: 'c', long: 'characters', arg: 'LIST', help: 'select only these characters' },
      { short: 'd', long: 'delimiter', arg: 'DELIM', help: 'use DELIM instead of TAB' },
      { short: 'f', long: 'fields', arg: 'LIST', help: 'select only these fields' },
      { short: 's', long: 'only-delimited', help: 'do not print lines without delimiters' },
      { long: 'output-delimiter', arg: 'STRING', help: 'use STRING as the output delimiter' },
      { long: 'complement', help: 'complement the set of selected parts' },
    ],
    more: 'LIST is made up of ranges N, N-, N-M, -M, separated by commas.',
  });
  const list = o.value('fields') ?? o.value('characters') ?? o.value('bytes');
  if (list === undefined) {
    return yield* usageError(p, 'you must specify a list of bytes, characters, or fields');
  }
  const ranges = parseList(list);
  if (!ranges) return yield* usageError(p, `invalid field value '${list}'`);
  const delimiter = o.value('delimiter') ?? '\t';
  if (delimiter.length !== 1) {
    return yield* usageError(p, 'the delimiter must be a single character');
  }
  const selected = (index: number): boolean =>
    ranges.some(([from, to]) => index >= from && index <= to) !== o.has('complement');
  const joiner = o.value('output-delimiter') ?? (o.has('fields') ? delimiter : '');
  return yield* eachInput(p, o.operands, function* (stream) {
    for (;;) {
      const line = yield* stream.readLine();
      if (line === undefined) return;
      const isWhole = o.has('fields') && !line.includes(delimiter);
      if (isWhole) {
        if (!o.has('only-delimited')) yield* p.println(line);
        continue;
      }
      const parts = o.has('fields') ? line.split(delimiter) : [...line];
      yield* p.println(parts.filter((_, index) => selected(index + 1)).join(joiner));
    }
  });
};

function parseList(text: string): [number, number][] | undefined {
  const ranges: [number, number][] = [];
  for (const part of text.split(',')) {
    const match = /^(\d*)(-?)(\d*)$/.exec(part);
    if (!match || part === '' || part === '-') return undefined;
    const from = match[1] === '' ? 1 : Number(match[1]);
    const to = match[2] === '' ? from : match[3] === '' ? Infinity : Number(match[3]);
    if (from < 1 || to < from) return undefined;
    ranges.push([from, to]);
  }
  return ranges;
}
