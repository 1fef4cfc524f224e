/** head(1). */
import { getopt, usageError } from '../libc/getopt.ts';
import type { Tool } from '../libc/process.ts';
import { eachInput } from './input.ts';

export const head: Tool = function* (p, args) {
  const o = yield* getopt(p, args, {
    usage: '[OPTION]... [FILE]...',
    about: 'Print the first 10 lines of each FILE to standard output.',
    options: [
      { short: 'n', long: 'lines', arg: 'NUM', help: 'print the first NUM lines instead' },
      { short: 'c', long: 'bytes', arg: 'NUM', help: 'print the first NUM bytes' },
      { short: 'q', long: 'quiet', help: 'never print headers giving file names' },
      { short: 'v', long: 'verbose', help: 'always print headers giving file names' },
    ],
    number: 'lines',
  });
  const countText = o.value('bytes') ?? o.value('lines') ?? '10';
  if (!/^\d+$/.test(countText)) {
    return yield* usageError(p, `invalid number of lines: '${countText}'`);
  }
  const byBytes = o.has('bytes');
  const headers = o.has('verbose') || (o.operands.length > 1 && !o.has('quiet'));
  let isFirst = true;
  return yield* eachInput(p, o.operands, function* (stream, name) {
    if (headers) {
      yield* p.print(`${isFirst ? '' : '\n'}==> ${name === '-' ? 'standard input' : name} <==\n`);
    }
    isFirst = false;
    let left = Number(countText);
    while (left > 0) {
      const piece = byBytes ? yield* stream.readChunk() : yield* stream.readLineBytes();
      if (!piece || piece.length === 0) return;
      yield* p.print(byBytes ? piece.subarray(0, left) : piece);
      left -= byBytes ? piece.length : 1;
    }
  });
};
