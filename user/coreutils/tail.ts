/** tail(1), with -f by descriptor and -F by name. */
import type { UserFlow } from '../../kernel/syscall/abi.ts';
import { close, fstat, lseek, SEEK_SET, stat } from '../libc/files.ts';
import { getopt } from '../libc/getopt.ts';
import { parseSize } from '../libc/numbers.ts';
import type { Process, Tool } from '../libc/process.ts';
import type { Stream } from '../libc/stdio.ts';
import { kill } from '../libc/tasks.ts';
import { concatBytes } from '../libc/text.ts';
import { nanosleep, parseDuration } from '../libc/time.ts';
import { closeStream, header, openStream } from './input.ts';

/** More than this of a long input is not kept. */
const KEEP_BYTES = 1 << 20;

interface Wanted {
  /** From this line or byte on, instead of the last so many. */
  readonly fromStart: boolean;
  readonly count: number;
  readonly byBytes: boolean;
  /** What ends a line. */
  readonly end: number;
}

interface Followed {
  readonly name: string;
  stream: Stream | undefined;
  /** To see that another file has taken the name. */
  ino: number;
}

export const tail: Tool = function* (p, args) {
  const o = yield* getopt(p, args, {
    usage: '[OPTION]... [FILE]...',
    about: 'Print the last 10 lines of each FILE to standard output.',
    options: [
      {
        short: 'c',
        long: 'bytes',
        arg: '[+]NUM',
        help: 'the last NUM bytes; +NUM: from byte NUM on',
      },
      {
        short: 'f',
        long: 'follow',
        arg: 'HOW',
        optional: true,
        help: 'output appended data as the file grows;\nHOW is name or descriptor',
      },
      { short: 'F', help: 'same as --follow=name --retry' },
      {
        short: 'n',
        long: 'lines',
        arg: '[+]NUM',
        help: 'the last NUM lines; +NUM: from line NUM on',
      },
      { long: 'pid', arg: 'PID', help: 'with -f, terminate after process PID dies' },
      { short: 'q', long: 'quiet', help: 'never print headers giving file names' },
      { long: 'retry', help: 'keep trying to open a file if it is inaccessible' },
      { short: 's', long: 'sleep-interval', arg: 'N', help: 'with -f, look every N seconds' },
      { short: 'v', long: 'verbose', help: 'always print headers giving file names' },
      { short: 'z', long: 'zero-terminated', help: 'line delimiter is NUL, not newline' },
    ],
    number: 'lines',
  });
  const last = o.given.findLast(({ name }) => name === 'lines' || name === 'bytes');
  const text = last?.value ?? '10';
  const count = parseSize(text.replace(/^[+-]/, ''));
  if (count === undefined) {
    yield* p.error(`invalid number of ${last?.name === 'bytes' ? 'bytes' : 'lines'}: '${text}'`);
    return 1;
  }
  const wanted: Wanted = {
    fromStart: text.startsWith('+'),
    count,
    byBytes: last?.name === 'bytes',
    end: o.has('zero-terminated') ? 0 : 10,
  };
  const intervalNs = parseDuration(o.value('sleep-interval') ?? '1');
  if (intervalNs === undefined) {
    yield* p.error(`invalid number of seconds: '${o.value('sleep-interval')}'`);
    return 1;
  }
  const names = o.operands.length === 0 ? ['-'] : o.operands;
  const headers = o.has('verbose') || (names.length > 1 && !o.has('quiet'));
  const byName = o.has('F') || o.value('follow') === 'name';
  const retries = o.has('F') || o.has('retry');
  const files: Followed[] = [];
  let status = 0;
  let isFirst = true;
  for (const name of names) {
    const stream = yield* openStream(p, name, cannotOpen);
    if (!stream) {
      status = 1;
      if (retries) files.push({ name, stream: undefined, ino: 0 });
      continue;
    }
    if (headers) yield* header(p, name, isFirst);
    isFirst = false;
    yield* printEnd(p, stream, wanted);
    if (stream.error < 0) {
      yield* p.perror(`error reading '${name}'`, stream.error);
      status = 1;
    }
    files.push({ name, stream, ino: yield* inoOf(p, stream) });
  }
  if ((o.has('follow') || o.has('F')) && files.length > 0) {
    const pid = o.value('pid') === undefined ? undefined : Number(o.value('pid'));
    yield* follow(p, files, { headers, byName, intervalNs, pid });
  }
  for (const { stream } of files) if (stream) yield* closeStream(p, stream);
  return status;
};

function cannotOpen(name: string, reason: string): string {
  return `cannot open '${name}' for reading: ${reason}`;
}

function* inoOf(p: Process, stream: Stream): UserFlow<number> {
  const status = yield* fstat(p, stream.fd);
  return typeof status === 'number' ? 0 : status.ino;
}

function* printEnd(p: Process, stream: Stream, wanted: Wanted): UserFlow<void> {
  if (wanted.fromStart) {
    let skip = Math.max(0, wanted.count - 1);
    while (skip > 0) {
      const piece = wanted.byBytes
        ? yield* stream.readChunk()
        : yield* stream.readLineBytes(wanted.end);
      if (!piece || piece.length === 0) return;
      const used = wanted.byBytes ? Math.min(piece.length, skip) : 1;
      if (wanted.byBytes) yield* p.print(piece.subarray(used));
      skip -= used;
    }
    for (;;) {
      const chunk = yield* stream.readChunk();
      if (chunk.length === 0) return;
      yield* p.print(chunk);
    }
  }
  let kept: Uint8Array[] = [];
  let bytes = 0;
  for (;;) {
    const chunk = yield* stream.readChunk();
    if (chunk.length === 0) break;
    kept.push(chunk);
    bytes += chunk.length;
    if (bytes < KEEP_BYTES) continue;
    kept = [last(concatBytes(kept), wanted).slice()];
    bytes = kept[0]!.length;
    // Where the end itself is that long there is nothing to be dropped for a while.
    if (bytes > KEEP_BYTES / 2) bytes = -bytes;
  }
  yield* p.print(last(concatBytes(kept), wanted));
}

/** The last lines or bytes. */
function last(bytes: Uint8Array, { count, byBytes, end }: Wanted): Uint8Array {
  if (byBytes) return bytes.subarray(Math.max(0, bytes.length - count));
  if (count === 0) return bytes.subarray(bytes.length);
  let at = bytes.length;
  if (bytes[at - 1] === end) at--;
  for (let line = 0; line < count; line++) {
    const newline = at > 0 ? bytes.lastIndexOf(end, at - 1) : -1;
    if (newline < 0) return bytes;
    at = newline;
  }
  return bytes.subarray(at + 1);
}

interface FollowOptions {
  readonly headers: boolean;
  readonly byName: boolean;
  readonly intervalNs: number;
  readonly pid: number | undefined;
}

function* follow(p: Process, files: Followed[], options: FollowOptions): UserFlow<void> {
  let current = files.at(-1);
  for (;;) {
    yield* p.stdout.flush();
    const isLast = options.pid !== undefined && (yield* kill(options.pid, 0)) < 0;
    let isIdle = true;
    let isPipe = true;
    for (const file of files) {
      if (options.byName && file.name !== '-') yield* reopen(p, file);
      const { stream } = file;
      if (!stream) {
        isPipe = false;
        continue;
      }
      if (yield* isGrowing(p, file, stream)) isPipe = false;
      const chunk = yield* stream.readChunk();
      if (chunk.length === 0) continue;
      isIdle = false;
      if (options.headers && file !== current) yield* header(p, file.name, false);
      current = file;
      yield* p.print(chunk);
    }
    // A pipe whose writers are gone brings nothing more.
    if (isIdle && (isPipe || isLast)) return;
    if (isIdle) yield* nanosleep(p, options.intervalNs);
  }
}

/** Regular files and devices may grow; one that has become shorter is read from its start. */
function* isGrowing(p: Process, { name }: Followed, stream: Stream): UserFlow<boolean> {
  const status = yield* fstat(p, stream.fd);
  if (typeof status === 'number') return false;
  const type = status.mode & 0o170000;
  if (type === 0o010000 || type === 0o140000) return false;
  if (type === 0o100000) {
    const at = yield* lseek(stream.fd, 0, 1);
    if (at > status.size) {
      yield* p.error(`${name}: file truncated`);
      yield* lseek(stream.fd, 0, SEEK_SET);
    }
  }
  return true;
}

/** -F: the name may mean another file now, or one at last. */
function* reopen(p: Process, file: Followed): UserFlow<void> {
  const status = yield* stat(p, file.name);
  if (typeof status === 'number') {
    if (file.stream) {
      yield* p.error(`'${file.name}' has become inaccessible: No such file or directory`);
      file.stream.dispose();
      yield* close(file.stream.fd);
      file.stream = undefined;
    }
    return;
  }
  if (file.stream && status.ino === file.ino) return;
  const what = file.stream ? 'has been replaced' : 'has appeared';
  if (file.stream) yield* closeStream(p, file.stream);
  file.stream = yield* openStream(p, file.name, cannotOpen);
  file.ino = status.ino;
  yield* p.error(`'${file.name}' ${what};  following new file`);
}
