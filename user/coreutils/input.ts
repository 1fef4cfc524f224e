/** Operands that name files to read, '-' for standard input, as most text tools take them. */
import type { UserFlow } from '../../kernel/syscall/abi.ts';
import { isDirectory } from '../libc/directory.ts';
import { close, fstat, O_CLOEXEC, O_RDONLY, open } from '../libc/files.ts';
import type { Process } from '../libc/process.ts';
import { Stream } from '../libc/stdio.ts';
import { strerror } from '../libc/strerror.ts';

/** How a tool words that a file cannot be opened. */
export type OpenMessage = (name: string, reason: string) => string;
const PLAIN: OpenMessage = (name, reason) => `${name}: ${reason}`;

/**
 * Open each file, give its stream to `body`, close it; no operand is standard input. Failures are
 * told as `tool: file: reason` and end in status 1.
 */
export function* eachInput(
  p: Process,
  files: readonly string[],
  body: (stream: Stream, name: string) => UserFlow<void>,
  message: OpenMessage = PLAIN,
): UserFlow<number> {
  let status = 0;
  for (const name of files.length === 0 ? ['-'] : files) {
    const stream = yield* openStream(p, name, message);
    if (!stream) {
      status = 1;
      continue;
    }
    const before = stream.error;
    yield* body(stream, name);
    if (stream.error < 0 && before === 0) {
      yield* p.perror(name, stream.error);
      status = 1;
    }
    yield* closeStream(p, stream);
  }
  return status;
}

/** Undefined where it cannot be opened, which has then been told. */
export function* openStream(
  p: Process,
  name: string,
  message: OpenMessage | 'silent' = PLAIN,
): UserFlow<Stream | undefined> {
  if (name === '-') return p.stdin;
  const fd = yield* open(p, name, O_RDONLY | O_CLOEXEC);
  if (fd < 0) {
    if (message !== 'silent') yield* p.error(message(name, strerror(fd)));
    return undefined;
  }
  return new Stream(p, fd, 'full');
}

export function* closeStream(p: Process, stream: Stream): UserFlow<void> {
  if (stream === p.stdin) return;
  stream.dispose();
  yield* close(stream.fd);
}

export function* isDirectoryStream(p: Process, stream: Stream): UserFlow<boolean> {
  const status = yield* fstat(p, stream.fd);
  return typeof status !== 'number' && isDirectory(status.mode);
}

/** All lines, without their ends; a last line without one counts. */
export function* readLines(stream: Stream, end = 10): UserFlow<string[]> {
  const lines: string[] = [];
  for (;;) {
    const line = yield* stream.readLine(end);
    if (line === undefined) return lines;
    lines.push(line);
  }
}

/** `==> name <==`, as head and tail part files. */
export function header(p: Process, name: string, isFirst: boolean): UserFlow<void> {
  return p.print(`${isFirst ? '' : '\n'}==> ${name === '-' ? 'standard input' : name} <==\n`);
}
