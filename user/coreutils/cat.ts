/** cat(1). */
import { getopt } from '../libc/getopt.ts';
import type { Tool } from '../libc/process.ts';
import { decodeText } from '../libc/text.ts';
import { eachInput } from './input.ts';

export const cat: Tool = function* (p, args) {
  const o = yield* getopt(p, args, {
    usage: '[OPTION]... [FILE]...',
    about: 'Concatenate FILEs to standard output; with no FILE, or -, read standard input.',
    options: [
      { short: 'n', long: 'number', help: 'number all output lines' },
      { short: 'b', long: 'number-nonblank', help: 'number nonempty output lines' },
      { short: 's', long: 'squeeze-blank', help: 'suppress repeated empty output lines' },
      { short: 'E', long: 'show-ends', help: 'display $ at end of each line' },
      { short: 'T', long: 'show-tabs', help: 'display TAB characters as ^I' },
      { short: 'A', long: 'show-all', help: 'equivalent to -ET' },
      { short: 'u', help: '(ignored)' },
    ],
  });
  const ends = o.has('show-ends') || o.has('show-all');
  const tabs = o.has('show-tabs') || o.has('show-all');
  const nonblank = o.has('number-nonblank');
  const numbers = o.has('number') || nonblank;
  const squeeze = o.has('squeeze-blank');
  const byLine = ends || tabs || numbers || squeeze;
  let number = 0;
  let blanks = 0;
  return yield* eachInput(p, o.operands, function* (stream) {
    if (!byLine) {
      for (;;) {
        const chunk = yield* stream.readChunk();
        if (chunk.length === 0) return;
        yield* p.print(chunk);
        // What a pipe or a trace has given should be seen at once.
        yield* p.stdout.flush();
      }
    }
    for (;;) {
      const bytes = yield* stream.readLineBytes();
      if (!bytes) return;
      const whole = decodeText(bytes);
      const ended = whole.endsWith('\n');
      let line = ended ? whole.slice(0, -1) : whole;
      blanks = line === '' ? blanks + 1 : 0;
      if (squeeze && blanks > 1) continue;
      if (tabs) line = line.replaceAll('\t', '^I');
      const shown = numbers && !(nonblank && line === '');
      const head = shown ? `${String(++number).padStart(6)}\t` : '';
      yield* p.print(`${head}${line}${ended ? `${ends ? '$' : ''}\n` : ''}`);
    }
  });
};
