/** head(1). */
import type { UserFlow } from '../../kernel/syscall/abi.ts';
import { getopt, usageError } from '../libc/getopt.ts';
import { parseSize } from '../libc/numbers.ts';
import type { Process, Tool } from '../libc/process.ts';
import type { Stream } from '../libc/stdio.ts';
import { eachInput, header } from './input.ts';

export const head: Tool = function* (p, args) {
  const o = yield* getopt(p, args, {
    usage: '[OPTION]... [FILE]...',
    about: 'Print the first 10 lines of each FILE to standard output.',
    options: [
      {
        short: 'c',
        long: 'bytes',
        arg: '[-]NUM',
        help: 'print the first NUM bytes;\n-NUM: all but the last NUM',
      },
      {
        short: 'n',
        long: 'lines',
        arg: '[-]NUM',
        help: 'print the first NUM lines;\n-NUM: all but the last NUM',
      },
      { short: 'q', long: 'quiet', help: 'never print headers giving file names' },
      { long: 'silent', help: 'the same as --quiet' },
      { short: 'v', long: 'verbose', help: 'always print headers giving file names' },
      { short: 'z', long: 'zero-terminated', help: 'line delimiter is NUL, not newline' },
    ],
    number: 'lines',
    more: 'NUM may have a multiplier suffix: b 512, K 1024, kB 1000, M, G and so on.',
  });
  const last = o.given.findLast(({ name }) => name === 'lines' || name === 'bytes');
  const text = last?.value ?? '10';
  const byBytes = last?.name === 'bytes';
  const allBut = text.startsWith('-');
  const count = parseSize(allBut ? text.slice(1) : text);
  if (count === undefined) {
    const what = byBytes ? 'bytes' : 'lines';
    yield* p.error(`invalid number of ${what}: '${text}'`);
    return 1;
  }
  if (args.length === 0 && count < 0) return yield* usageError(p, 'missing operand');
  const quiet = o.has('quiet') || o.has('silent');
  const headers = o.has('verbose') || (o.operands.length > 1 && !quiet);
  const end = o.has('zero-terminated') ? 0 : 10;
  let isFirst = true;
  return yield* eachInput(
    p,
    o.operands,
    function* (stream, name) {
      if (headers) yield* header(p, name, isFirst);
      isFirst = false;
      if (allBut) yield* printAllBut(p, stream, count, byBytes, end);
      else yield* printFirst(p, stream, count, byBytes, end);
    },
    (name, reason) => `cannot open '${name}' for reading: ${reason}`,
  );
};

function* printFirst(
  p: Process,
  stream: Stream,
  count: number,
  byBytes: boolean,
  end: number,
): UserFlow<void> {
  let left = count;
  while (left > 0) {
    const piece = byBytes ? yield* stream.readChunk() : yield* stream.readLineBytes(end);
    if (!piece || piece.length === 0) return;
    yield* p.print(byBytes ? piece.subarray(0, left) : piece);
    if (p.stdout.error < 0) return;
    left -= byBytes ? piece.length : 1;
  }
}

function* printAllBut(
  p: Process,
  stream: Stream,
  count: number,
  byBytes: boolean,
  end: number,
): UserFlow<void> {
  if (byBytes) {
    const bytes = yield* stream.readAll();
    yield* p.print(bytes.subarray(0, Math.max(0, bytes.length - count)));
    return;
  }
  const held: Uint8Array[] = [];
  for (;;) {
    const line = yield* stream.readLineBytes(end);
    if (!line) return;
    held.push(line);
    if (held.length > count) yield* p.print(held.shift()!);
  }
}
