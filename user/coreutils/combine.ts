/** Tools that put files side by side: comm, join, paste. */
import type { UserFlow } from '../../kernel/syscall/abi.ts';
import { getopt, usageError } from '../libc/getopt.ts';
import type { Process, Tool } from '../libc/process.ts';
import type { Stream } from '../libc/stdio.ts';
import { closeStream, openStream, readLines } from './input.ts';

function* linesOf(p: Process, name: string, end = 10): UserFlow<string[] | undefined> {
  const stream = yield* openStream(p, name);
  if (!stream) return undefined;
  const lines = yield* readLines(stream, end);
  yield* closeStream(p, stream);
  return lines;
}

export const comm: Tool = function* (p, args) {
  const o = yield* getopt(p, args, {
    usage: '[OPTION]... FILE1 FILE2',
    about: 'Compare sorted files FILE1 and FILE2 line by line.',
    options: [
      { short: '1', help: 'suppress column 1 (lines unique to FILE1)' },
      { short: '2', help: 'suppress column 2 (lines unique to FILE2)' },
      { short: '3', help: 'suppress column 3 (lines that appear in both files)' },
      { long: 'check-order', help: '(accepted)' },
      { long: 'nocheck-order', help: '(accepted)' },
      { long: 'output-delimiter', arg: 'STR', help: 'separate columns with STR' },
      { long: 'total', help: 'output a summary' },
      { short: 'z', long: 'zero-terminated', help: 'line delimiter is NUL, not newline' },
    ],
  });
  const [first, second, extra] = o.operands;
  if (first === undefined) return yield* usageError(p, 'missing operand');
  if (second === undefined) return yield* usageError(p, `missing operand after '${first}'`);
  if (extra !== undefined) return yield* usageError(p, `extra operand '${extra}'`);
  const end = o.has('zero-terminated') ? 0 : 10;
  const left = yield* linesOf(p, first, end);
  const right = left && (yield* linesOf(p, second, end));
  if (!left || !right) return 1;
  const tab = o.value('output-delimiter') ?? '\t';
  const totals = [0, 0, 0];
  const emit = function* (column: 1 | 2 | 3, line: string): UserFlow<void> {
    totals[column - 1]!++;
    if (o.has(String(column))) return;
    let before = 0;
    for (let other = 1; other < column; other++) if (!o.has(String(other))) before++;
    yield* p.print(tab.repeat(before) + line + String.fromCharCode(end));
  };
  let i = 0;
  let j = 0;
  while (i < left.length || j < right.length) {
    if (j >= right.length || (i < left.length && left[i]! < right[j]!)) yield* emit(1, left[i++]!);
    else if (i >= left.length || right[j]! < left[i]!) yield* emit(2, right[j++]!);
    else {
      yield* emit(3, left[i++]!);
      j++;
    }
  }
  if (o.has('total')) yield* p.println([...totals, 'total'].join(tab));
  return 0;
};

export const paste: Tool = function* (p, args) {
  const o = yield* getopt(p, args, {
    usage: '[OPTION]... [FILE]...',
    about: 'Write lines of the corresponding lines of each FILE, separated by TABs.',
    options: [
      {
        short: 'd',
        long: 'delimiters',
        arg: 'LIST',
        help: 'reuse characters from LIST instead of TABs',
      },
      { short: 's', long: 'serial', help: 'paste one file at a time instead of in parallel' },
      { short: 'z', long: 'zero-terminated', help: 'line delimiter is NUL, not newline' },
    ],
  });
  const end = o.has('zero-terminated') ? 0 : 10;
  const mark = String.fromCharCode(end);
  const delimiters = Array.from(
    (o.value('delimiters') ?? '\t').matchAll(/\\([^])|([^])/gu),
    ([, escaped, plain]) =>
      plain ?? { n: '\n', t: '\t', '\\': '\\', '0': '' }[escaped!] ?? escaped!,
  );
  if (delimiters.length === 0) delimiters.push('');
  const names = o.operands.length === 0 ? ['-'] : o.operands;
  if (o.has('serial')) {
    let status = 0;
    for (const name of names) {
      const lines = yield* linesOf(p, name, end);
      if (!lines) {
        status = 1;
        continue;
      }
      let text = lines[0] ?? '';
      for (const [at, line] of lines.slice(1).entries()) {
        text += delimiters[at % delimiters.length]! + line;
      }
      yield* p.print(text + mark);
    }
    return status;
  }
  const streams: Stream[] = [];
  for (const name of names) {
    const stream = yield* openStream(p, name);
    if (!stream) return 1;
    streams.push(stream);
  }
  for (;;) {
    const cells: (string | undefined)[] = [];
    for (const stream of streams) cells.push(yield* stream.readLine(end));
    if (cells.every((cell) => cell === undefined)) return 0;
    let text = '';
    for (const [at, cell] of cells.entries()) {
      text += (at > 0 ? delimiters[(at - 1) % delimiters.length]! : '') + (cell ?? '');
    }
    yield* p.print(text + mark);
  }
};

export const join: Tool = function* (p, args) {
  const o = yield* getopt(p, args, {
    usage: '[OPTION]... FILE1 FILE2',
    about: 'For each pair of input lines with identical join fields, write a line.',
    options: [
      { short: 'a', arg: 'FILENUM', help: 'also print unpairable lines from file FILENUM' },
      { short: 'e', arg: 'STRING', help: 'replace missing input fields with STRING' },
      { short: 'i', long: 'ignore-case', help: 'ignore differences in case' },
      { short: 'j', arg: 'FIELD', help: "equivalent to '-1 FIELD -2 FIELD'" },
      { short: 'o', arg: 'FORMAT', help: 'obey FORMAT: 0 or FILENUM.FIELD, separated by commas' },
      { short: 't', arg: 'CHAR', help: 'use CHAR as input and output field separator' },
      { short: 'v', arg: 'FILENUM', help: 'like -a FILENUM, but suppress joined output lines' },
      { short: '1', arg: 'FIELD', help: 'join on this FIELD of file 1' },
      { short: '2', arg: 'FIELD', help: 'join on this FIELD of file 2' },
      { long: 'check-order', help: '(accepted)' },
      { long: 'nocheck-order', help: '(accepted)' },
    ],
  });
  const [first, second] = o.operands;
  if (first === undefined) return yield* usageError(p, 'missing operand');
  if (second === undefined) return yield* usageError(p, `missing operand after '${first}'`);
  const left = yield* linesOf(p, first);
  const right = left && (yield* linesOf(p, second));
  if (!left || !right) return 1;
  const separator = o.value('t');
  const split = (line: string): string[] =>
    separator === undefined ? line.trim().split(/[ \t]+/) : line.split(separator);
  const keyAt = [
    Number(o.value('1') ?? o.value('j') ?? 1),
    Number(o.value('2') ?? o.value('j') ?? 1),
  ];
  const fold = (text: string): string => (o.has('ignore-case') ? text.toLowerCase() : text);
  const keyOf = (fields: readonly string[], file: 0 | 1): string =>
    fold(fields[keyAt[file]! - 1] ?? '');
  const a = left.map(split);
  const b = right.map(split);
  const empty = o.value('e') ?? '';
  const format = o.value('o')?.split(/[, ]/);
  const render = (x: readonly string[] | undefined, y: readonly string[] | undefined): string => {
    const key = (x ? x[keyAt[0]! - 1] : y?.[keyAt[1]! - 1]) ?? '';
    const others = (fields: readonly string[] | undefined, at: number): string[] =>
      (fields ?? []).filter((_, index) => index !== at - 1);
    const cells = format
      ? format.map((spec) => {
          if (spec === '0') return key;
          const [file, field] = spec.split('.');
          return (file === '1' ? x : y)?.[Number(field) - 1] || empty;
        })
      : [key, ...others(x, keyAt[0]!), ...others(y, keyAt[1]!)];
    return cells.join(separator ?? ' ');
  };
  const unpaired = new Set([...o.values('a'), ...o.values('v')]);
  const onlyUnpaired = o.has('v');
  let i = 0;
  let j = 0;
  while (i < a.length || j < b.length) {
    const x = i < a.length ? keyOf(a[i]!, 0) : undefined;
    const y = j < b.length ? keyOf(b[j]!, 1) : undefined;
    if (y === undefined || (x !== undefined && x < y)) {
      if (unpaired.has('1')) yield* p.println(render(a[i], undefined));
      i++;
    } else if (x === undefined || y < x) {
      if (unpaired.has('2')) yield* p.println(render(undefined, b[j]));
      j++;
    } else {
      let lastA = i;
      let lastB = j;
      while (lastA < a.length && keyOf(a[lastA]!, 0) === x) lastA++;
      while (lastB < b.length && keyOf(b[lastB]!, 1) === x) lastB++;
      for (let k = i; k < lastA && !onlyUnpaired; k++) {
        for (let l = j; l < lastB; l++) yield* p.println(render(a[k], b[l]));
      }
      i = lastA;
      j = lastB;
    }
  }
  return 0;
};
