/** uniq(1). */
import type { UserFlow } from '../../kernel/syscall/abi.ts';
import { dup2, O_CREAT, O_TRUNC, O_WRONLY, open } from '../libc/files.ts';
import { getopt, usageError } from '../libc/getopt.ts';
import type { Tool } from '../libc/process.ts';
import { strerror } from '../libc/strerror.ts';
import { closeStream, openStream } from './input.ts';

export const uniq: Tool = function* (p, args) {
  const o = yield* getopt(p, args, {
    usage: '[OPTION]... [INPUT [OUTPUT]]',
    about: 'Filter adjacent matching lines from INPUT (or standard input), writing to OUTPUT.',
    options: [
      { short: 'c', long: 'count', help: 'prefix lines by the number of occurrences' },
      { short: 'd', long: 'repeated', help: 'only print duplicate lines, one for each group' },
      {
        short: 'D',
        long: 'all-repeated',
        arg: 'METHOD',
        optional: true,
        help: 'print all duplicate lines',
      },
      { short: 'f', long: 'skip-fields', arg: 'N', help: 'avoid comparing the first N fields' },
      { short: 'i', long: 'ignore-case', help: 'ignore differences in case' },
      { short: 's', long: 'skip-chars', arg: 'N', help: 'avoid comparing the first N characters' },
      { short: 'u', long: 'unique', help: 'only print unique lines' },
      { short: 'w', long: 'check-chars', arg: 'N', help: 'compare no more than N characters' },
      { short: 'z', long: 'zero-terminated', help: 'line delimiter is NUL, not newline' },
    ],
  });
  const [input = '-', output, extra] = o.operands;
  if (extra !== undefined) return yield* usageError(p, `extra operand '${extra}'`);
  const numbers: number[] = [];
  for (const [name, what] of COUNTS) {
    const text = o.value(name);
    if (text !== undefined && !/^\d+$/.test(text)) {
      yield* p.error(`${text}: invalid number of ${what}`);
      return 1;
    }
    numbers.push(text === undefined ? (name === 'check-chars' ? Infinity : 0) : Number(text));
  }
  const [fields = 0, skipped = 0, checked = Infinity] = numbers;
  const stream = yield* openStream(p, input);
  if (!stream) return 1;
  if (output !== undefined && output !== '-') {
    const fd = yield* open(p, output, O_WRONLY | O_CREAT | O_TRUNC);
    if (fd < 0) {
      yield* p.error(`${output}: ${strerror(fd)}`);
      return 1;
    }
    yield* dup2(fd, 1);
  }
  const end = o.has('zero-terminated') ? 0 : 10;
  const mark = String.fromCharCode(end);
  const key = (line: string): string => {
    let rest = line;
    for (let i = 0; i < fields; i++) rest = rest.replace(/^[ \t]*[^ \t]*/, '');
    rest = rest.slice(skipped, checked === Infinity ? undefined : skipped + checked);
    return o.has('ignore-case') ? rest.toLowerCase() : rest;
  };
  const all = o.has('all-repeated');
  const emit = function* (lines: readonly string[]): UserFlow<void> {
    const isRepeated = lines.length > 1;
    if ((o.has('repeated') || all) && !isRepeated) return;
    if (o.has('unique') && isRepeated) return;
    const head = o.has('count') ? `${String(lines.length).padStart(7)} ` : '';
    for (const line of all ? lines : lines.slice(0, 1)) yield* p.print(head + line + mark);
  };
  let group: string[] = [];
  for (;;) {
    const line = yield* stream.readLine(end);
    if (line !== undefined && group.length > 0 && key(line) === key(group[0]!)) {
      group.push(line);
      continue;
    }
    if (group.length > 0) yield* emit(group);
    if (line === undefined) break;
    group = [line];
  }
  yield* closeStream(p, stream);
  return 0;
};

const COUNTS = [
  ['skip-fields', 'fields to skip'],
  ['skip-chars', 'bytes to skip'],
  ['check-chars', 'bytes to compare'],
] as const;
