/** wc(1). */
import { getopt } from '../libc/getopt.ts';
import type { Tool } from '../libc/process.ts';
import { decodeText } from '../libc/text.ts';
import { eachInput } from './input.ts';

interface Counts {
  lines: number;
  words: number;
  chars: number;
  bytes: number;
}

export const wc: Tool = function* (p, args) {
  const o = yield* getopt(p, args, {
    usage: '[OPTION]... [FILE]...',
    about: 'Print newline, word, and byte counts for each FILE, and a total line if more than one.',
    options: [
      { short: 'c', long: 'bytes', help: 'print the byte counts' },
      { short: 'm', long: 'chars', help: 'print the character counts' },
      { short: 'l', long: 'lines', help: 'print the newline counts' },
      { short: 'w', long: 'words', help: 'print the word counts' },
    ],
  });
  const order = ['lines', 'words', 'chars', 'bytes'] as const;
  const wanted = order.filter((key) => o.has(key));
  const keys = wanted.length > 0 ? wanted : (['lines', 'words', 'bytes'] as const);
  const rows: { counts: Counts; name: string }[] = [];
  const total: Counts = { lines: 0, words: 0, chars: 0, bytes: 0 };
  const status = yield* eachInput(p, o.operands, function* (stream, name) {
    const bytes = yield* stream.readAll();
    const text = decodeText(bytes);
    const counts: Counts = {
      lines: text.split('\n').length - 1,
      words: text.split(/\s+/).filter((word) => word !== '').length,
      chars: [...text].length,
      bytes: bytes.length,
    };
    for (const key of order) total[key] += counts[key];
    rows.push({ counts, name: o.operands.length === 0 ? '' : name });
  });
  if (o.operands.length > 1) rows.push({ counts: total, name: 'total' });
  // GNU: as wide as the total bytes, 7 where standard input's size cannot be known beforehand.
  const fromInput = o.operands.length === 0 || o.operands.includes('-');
  const isSingle = rows.length === 1 && keys.length === 1;
  const width = isSingle ? 1 : fromInput ? 7 : String(total.bytes).length;
  for (const { counts, name } of rows) {
    const cells = keys.map((key) => String(counts[key]).padStart(width));
    yield* p.println(cells.join(' ') + (name === '' ? '' : ` ${name}`));
  }
  return status;
};
