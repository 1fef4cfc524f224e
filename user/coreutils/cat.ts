/** cat(1). */
import { getopt } from '../libc/getopt.ts';
import type { Tool } from '../libc/process.ts';
import { eachInput } from './input.ts';

const TAB = 9;
const NEWLINE = 10;

export const cat: Tool = function* (p, args) {
  const o = yield* getopt(p, args, {
    usage: '[OPTION]... [FILE]...',
    about: 'Concatenate FILEs to standard output; with no FILE, or -, read standard input.',
    options: [
      { short: 'A', long: 'show-all', help: 'equivalent to -vET' },
      { short: 'b', long: 'number-nonblank', help: 'number nonempty output lines, overrides -n' },
      { short: 'e', help: 'equivalent to -vE' },
      { short: 'E', long: 'show-ends', help: 'display $ at end of each line' },
      { short: 'n', long: 'number', help: 'number all output lines' },
      { short: 's', long: 'squeeze-blank', help: 'suppress repeated empty output lines' },
      { short: 't', help: 'equivalent to -vT' },
      { short: 'T', long: 'show-tabs', help: 'display TAB characters as ^I' },
      { short: 'u', help: '(ignored)' },
      { short: 'v', long: 'show-nonprinting', help: 'use ^ and M- notation, except for LFD, TAB' },
    ],
  });
  const all = o.has('show-all');
  const ends = o.has('show-ends') || all || o.has('e');
  const tabs = o.has('show-tabs') || all || o.has('t');
  const visible = o.has('show-nonprinting') || all || o.has('e') || o.has('t');
  const nonblank = o.has('number-nonblank');
  const numbers = o.has('number') || nonblank;
  const squeeze = o.has('squeeze-blank');
  const byLine = ends || tabs || visible || numbers || squeeze;
  let number = 0;
  let blanks = 0;
  let atStart = true;
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
      const isBlank = atStart && bytes[0] === NEWLINE;
      blanks = isBlank ? blanks + 1 : 0;
      if (squeeze && blanks > 1) continue;
      if (atStart && numbers && !(nonblank && isBlank)) {
        yield* p.print(`${String(++number).padStart(6)}\t`);
      }
      yield* p.print(show(bytes, { ends, tabs, visible }));
      atStart = bytes.at(-1) === NEWLINE;
    }
  });
};

interface Style {
  readonly ends: boolean;
  readonly tabs: boolean;
  readonly visible: boolean;
}

function show(bytes: Uint8Array, { ends, tabs, visible }: Style): Uint8Array {
  if (!ends && !tabs && !visible) return bytes;
  const out: number[] = [];
  for (const [at, byte] of bytes.entries()) {
    if (byte === NEWLINE && ends) {
      // A carriage return before it would hide the mark.
      if (bytes[at - 1] === 13 && !visible) out.splice(-1, 1, 94, 77);
      out.push(36, NEWLINE);
    } else if (byte === TAB && tabs) out.push(94, 73);
    else if (visible && byte !== TAB && byte !== NEWLINE) out.push(...visibly(byte));
    else out.push(byte);
  }
  return Uint8Array.from(out);
}

/** ^X for control characters, M- before bytes from 128 on. */
function visibly(byte: number): number[] {
  if (byte >= 128) return [77, 45, ...visibly(byte - 128)];
  if (byte < 32) return [94, byte + 64];
  return byte === 127 ? [94, 63] : [byte];
}
