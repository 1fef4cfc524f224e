/** tail(1), with -f. */
import type { UserFlow } from '../../kernel/syscall/abi.ts';
import { getopt, usageError } from '../libc/getopt.ts';
import type { Process, Tool } from '../libc/process.ts';
import type { Stream } from '../libc/stdio.ts';
import { nanosleep } from '../libc/time.ts';
import { closeStream, openStream } from './input.ts';

const NEWLINE = 10;

export const tail: Tool = function* (p, args) {
  const o = yield* getopt(p, args, {
    usage: '[OPTION]... [FILE]...',
    about: 'Print the last 10 lines of each FILE to standard output.',
    options: [
      { short: 'n', long: 'lines', arg: 'NUM', help: 'the last NUM lines; +NUM: from line NUM on' },
      { short: 'c', long: 'bytes', arg: 'NUM', help: 'the last NUM bytes; +NUM: from byte NUM on' },
      { short: 'f', long: 'follow', help: 'output appended data as the file grows' },
      { short: 's', long: 'sleep-interval', arg: 'N', help: 'with -f, look every N seconds' },
      { short: 'q', long: 'quiet', help: 'never print headers giving file names' },
      { short: 'v', long: 'verbose', help: 'always print headers giving file names' },
    ],
    number: 'lines',
  });
  const countText = o.value('bytes') ?? o.value('lines') ?? '10';
  if (!/^[+-]?\d+$/.test(countText)) {
    return yield* usageError(p, `invalid number of lines: '${countText}'`);
  }
  const byBytes = o.has('bytes');
  const names = o.operands.length === 0 ? ['-'] : o.operands;
  const headers = o.has('verbose') || (names.length > 1 && !o.has('quiet'));
  const streams: { name: string; stream: Stream }[] = [];
  let status = 0;
  for (const name of names) {
    const stream = yield* openStream(p, name);
    if (!stream) {
      status = 1;
      continue;
    }
    if (headers) yield* header(p, name, streams.length === 0);
    yield* p.print(last(yield* stream.readAll(), countText, byBytes));
    streams.push({ name, stream });
  }
  if (o.has('follow') && streams.length > 0) {
    const seconds = Number(o.value('sleep-interval') ?? 1);
    yield* follow(p, streams, headers, seconds * 1e9);
  }
  for (const { stream } of streams) yield* closeStream(p, stream);
  return status;
};

function header(p: Process, name: string, isFirst: boolean): UserFlow<void> {
  return p.print(`${isFirst ? '' : '\n'}==> ${name === '-' ? 'standard input' : name} <==\n`);
}

/** What `-n`/`-c` leave of the whole content. */
export function last(bytes: Uint8Array, count: string, byBytes: boolean): Uint8Array {
  const number = Math.abs(Number(count));
  if (byBytes) {
    if (count.startsWith('+')) return bytes.subarray(Math.max(0, number - 1));
    return bytes.subarray(Math.max(0, bytes.length - number));
  }
  if (count.startsWith('+')) {
    let at = 0;
    for (let line = 1; line < number && at < bytes.length; line++) {
      const newline = bytes.indexOf(NEWLINE, at);
      at = newline < 0 ? bytes.length : newline + 1;
    }
    return bytes.subarray(at);
  }
  if (number === 0) return bytes.subarray(bytes.length);
  let at = bytes.length;
  if (bytes[at - 1] === NEWLINE) at--;
  for (let line = 0; line < number; line++) {
    const newline = at > 0 ? bytes.lastIndexOf(NEWLINE, at - 1) : -1;
    if (newline < 0) return bytes;
    at = newline;
  }
  return bytes.subarray(at + 1);
}

function* follow(
  p: Process,
  streams: readonly { name: string; stream: Stream }[],
  headers: boolean,
  intervalNs: number,
): UserFlow<void> {
  let current = streams.at(-1);
  for (;;) {
    yield* p.stdout.flush();
    let isIdle = true;
    for (const entry of streams) {
      const chunk = yield* entry.stream.readChunk();
      if (chunk.length === 0) continue;
      isIdle = false;
      if (headers && entry !== current) yield* header(p, entry.name, false);
      current = entry;
      yield* p.print(chunk);
    }
    if (isIdle) yield* nanosleep(p, intervalNs);
  }
}
