/** shuf(1), and the shuffling that `sort -R` does too; its randomness is the kernel's. */
import type { UserFlow } from '../../kernel/syscall/abi.ts';
import { close, O_RDONLY, open, read, writeFile } from '../libc/files.ts';
import { getopt, usageError } from '../libc/getopt.ts';
import type { Process, Tool } from '../libc/process.ts';
import { strerror } from '../libc/strerror.ts';
import { openStream, readLines } from './input.ts';

const MAX_RANGE = 10_000_000;

/** Fisher and Yates, with numbers from /dev/urandom. */
export function* shuffled<T>(p: Process, items: readonly T[]): UserFlow<T[]> {
  const out = [...items];
  const fd = yield* open(p, '/dev/urandom', O_RDONLY);
  let pool = new Uint8Array(0);
  for (let at = out.length - 1; at > 0; at--) {
    if (pool.length < 4) {
      const got = fd < 0 ? fd : yield* read(p, fd, 4096);
      pool = typeof got === 'number' ? new Uint8Array(4) : got.slice();
    }
    const value = new DataView(pool.buffer, pool.byteOffset).getUint32(0, true);
    pool = pool.subarray(4);
    const other = value % (at + 1);
    [out[at], out[other]] = [out[other]!, out[at]!];
  }
  if (fd >= 0) yield* close(fd);
  return out;
}

export const shuf: Tool = function* (p, args) {
  const o = yield* getopt(p, args, {
    usage:
      '[OPTION]... [FILE]\n   or: shuf -e [OPTION]... [ARG]...\n   or: shuf -i LO-HI [OPTION]...',
    about: 'Write a random permutation of the input lines to standard output.',
    options: [
      { short: 'e', long: 'echo', help: 'treat each ARG as an input line' },
      {
        short: 'i',
        long: 'input-range',
        arg: 'LO-HI',
        help: 'treat each number LO through HI as an input line',
      },
      { short: 'n', long: 'head-count', arg: 'COUNT', help: 'output at most COUNT lines' },
      { short: 'o', long: 'output', arg: 'FILE', help: 'write result to FILE' },
      { short: 'r', long: 'repeat', help: 'output lines can be repeated' },
      { short: 'z', long: 'zero-terminated', help: 'line delimiter is NUL, not newline' },
    ],
  });
  const countText = o.value('head-count');
  if (countText !== undefined && !/^\d+$/.test(countText)) {
    yield* p.error(`invalid line count: '${countText}'`);
    return 1;
  }
  const end = o.has('zero-terminated') ? 0 : 10;
  let lines: string[];
  const range = o.value('input-range');
  if (range !== undefined) {
    const match = /^(\d+)-(\d+)$/.exec(range);
    const [low, high] = match ? [Number(match[1]), Number(match[2])] : [1, 0];
    if (!match || low > high + 1 || high - low > MAX_RANGE) {
      yield* p.error(`invalid input range: '${range}'`);
      return 1;
    }
    lines = Array.from({ length: high - low + 1 }, (_, index) => String(low + index));
  } else if (o.has('echo')) lines = o.operands;
  else {
    if (o.operands.length > 1) return yield* usageError(p, `extra operand '${o.operands[1]}'`);
    const stream = yield* openStream(p, o.operands[0] ?? '-');
    if (!stream) return 1;
    lines = yield* readLines(stream, end);
  }
  const count = Number(countText ?? lines.length);
  let out = yield* shuffled(p, lines);
  if (o.has('repeat') && lines.length > 0) {
    while (out.length < count) out = out.concat(yield* shuffled(p, lines));
  }
  const text = out
    .slice(0, count)
    .map((line) => line + String.fromCharCode(end))
    .join('');
  const file = o.value('output');
  if (file === undefined) {
    yield* p.print(text);
    return 0;
  }
  const failed = yield* writeFile(p, file, text);
  if (failed < 0) yield* p.error(`${file}: ${strerror(failed)}`);
  return failed < 0 ? 1 : 0;
};
