/** uniq(1). */
import { getopt } from '../libc/getopt.ts';
import type { Tool } from '../libc/process.ts';
import { closeStream, openStream } from './input.ts';

export const uniq: Tool = function* (p, args) {
  const o = yield* getopt(p, args, {
    usage: '[OPTION]... [INPUT]',
    about: 'Filter adjacent matching lines from INPUT (or standard input).',
    options: [
      { short: 'c', long: 'count', help: 'prefix lines by the number of occurrences' },
      { short: 'd', long: 'repeated', help: 'only print duplicate lines, one for each group' },
      { short: 'u', long: 'unique', help: 'only print unique lines' },
      { short: 'i', long: 'ignore-case', help: 'ignore differences in case' },
    ],
  });
  const stream = yield* openStream(p, o.operands[0] ?? '-');
  if (!stream) return 1;
  const key = (line: string): string => (o.has('ignore-case') ? line.toLowerCase() : line);
  let current: string | undefined;
  let count = 0;
  for (;;) {
    const line = yield* stream.readLine();
    if (line !== undefined && current !== undefined && key(line) === key(current)) {
      count++;
      continue;
    }
    const wanted =
      current !== undefined && !(o.has('repeated') && count < 2) && !(o.has('unique') && count > 1);
    if (wanted) {
      yield* p.println(o.has('count') ? `${String(count).padStart(7)} ${current}` : current);
    }
    if (line === undefined) break;
    current = line;
    count = 1;
  }
  yield* closeStream(p, stream);
  return 0;
};
