/** wc(1). */
import type { UserFlow } from '../../kernel/syscall/abi.ts';
import { fstat, stat } from '../libc/files.ts';
import { getopt } from '../libc/getopt.ts';
import type { Process, Tool } from '../libc/process.ts';
import { charWidth, decodeText } from '../libc/text.ts';
import { eachInput, isDirectoryStream, openStream, readLines } from './input.ts';

interface Counts {
  lines: number;
  words: number;
  chars: number;
  bytes: number;
  width: number;
}

const ORDER = ['lines', 'words', 'chars', 'bytes', 'width'] as const;
const TAB_COLUMNS = 8;

export const wc: Tool = function* (p, args) {
  const o = yield* getopt(p, args, {
    usage: '[OPTION]... [FILE]...',
    about: 'Print newline, word, and byte counts for each FILE, and a total line if more than one.',
    options: [
      { short: 'c', long: 'bytes', help: 'print the byte counts' },
      { short: 'm', long: 'chars', help: 'print the character counts' },
      { short: 'l', long: 'lines', help: 'print the newline counts' },
      { long: 'files0-from', arg: 'F', help: 'read input from the files whose names are in F' },
      { short: 'L', long: 'max-line-length', help: 'print the maximum display width' },
      { short: 'w', long: 'words', help: 'print the word counts' },
    ],
  });
  const wanted = ORDER.filter((key) => o.has(key === 'width' ? 'max-line-length' : key));
  const keys = wanted.length > 0 ? wanted : (['lines', 'words', 'bytes'] as const);
  let files: readonly string[] = o.operands;
  const list = o.value('files0-from');
  if (list !== undefined) {
    const stream = yield* openStream(p, list);
    if (!stream) return 1;
    files = yield* readLines(stream, 0);
  }
  const rows: { counts: Counts; name: string }[] = [];
  const total: Counts = { lines: 0, words: 0, chars: 0, bytes: 0, width: 0 };
  const width = yield* columnWidth(p, files, keys.length);
  const print = ({ counts, name }: (typeof rows)[number]): UserFlow<void> => {
    const cells = keys.map((key) => String(counts[key]).padStart(width));
    return p.println(cells.join(' ') + (name === '' ? '' : ` ${name}`));
  };
  const status = yield* eachInput(p, files, function* (stream, name) {
    const isDir = yield* isDirectoryStream(p, stream);
    const counts = count(isDir ? new Uint8Array(0) : yield* stream.readAll());
    if (isDir) yield* stream.readChunk();
    for (const key of ORDER) {
      total[key] = key === 'width' ? Math.max(total[key], counts[key]) : total[key] + counts[key];
    }
    const row = { counts, name: files.length === 0 ? '' : name };
    rows.push(row);
    yield* print(row);
  });
  if (files.length > 1) yield* print({ counts: total, name: 'total' });
  return status;
};

/** GNU: as wide as the sizes added up, 7 where one of them cannot be known beforehand. */
function* columnWidth(p: Process, files: readonly string[], keys: number): UserFlow<number> {
  if (files.length <= 1 && keys === 1) return 1;
  let total = 0;
  let minimum = 1;
  for (const name of files.length === 0 ? ['-'] : files) {
    const status = yield* name === '-' ? fstat(p, 0) : stat(p, name);
    if (typeof status === 'number') continue;
    if ((status.mode & 0o170000) === 0o100000) total += status.size;
    else minimum = 7;
  }
  return Math.max(minimum, String(total).length);
}

function count(bytes: Uint8Array): Counts {
  const text = decodeText(bytes);
  const counts: Counts = { lines: 0, words: 0, chars: 0, bytes: bytes.length, width: 0 };
  let column = 0;
  let inWord = false;
  for (const char of text) {
    counts.chars++;
    if (char === '\n' || char === '\r' || char === '\f') {
      if (char === '\n') counts.lines++;
      counts.width = Math.max(counts.width, column);
      column = 0;
    } else if (char === '\t') column += TAB_COLUMNS - (column % TAB_COLUMNS);
    else column += charWidth(char);
    const isSpace = /[\s]/.test(char) && char !== '\u00a0';
    if (!isSpace && !inWord) counts.words++;
    inWord = !isSpace;
  }
  counts.width = Math.max(counts.width, column);
  // Bytes that are no character (U+DC80…) do not count as one.
  counts.chars -= text.match(/[\udc80-\udcff]/gu)?.length ?? 0;
  return counts;
}
