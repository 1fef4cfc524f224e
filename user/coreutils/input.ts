/** Operands that name files to read, '-' for standard input, as most text tools take them. */
import type { UserFlow } from '../../kernel/syscall/abi.ts';
import { close, O_CLOEXEC, O_RDONLY, open } from '../libc/files.ts';
import type { Process } from '../libc/process.ts';
import { Stream } from '../libc/stdio.ts';
import { strerror } from '../libc/strerror.ts';

/**
 * Open each file, give its stream to `body`, close it; no operand is standard input. Failures are
 * told as `tool: file: reason` and end in status 1.
 */
export function* eachInput(
  p: Process,
  files: readonly string[],
  body: (stream: Stream, name: string) => UserFlow<void>,
): UserFlow<number> {
  let status = 0;
  for (const name of files.length === 0 ? ['-'] : files) {
    const stream = yield* openStream(p, name);
    if (!stream) {
      status = 1;
      continue;
    }
    yield* body(stream, name);
    if (stream.error < 0) {
      yield* p.perror(name, stream.error);
      status = 1;
    }
    yield* closeStream(p, stream);
  }
  return status;
}

/** Undefined where it cannot be opened, which has then been told. */
export function* openStream(p: Process, name: string): UserFlow<Stream | undefined> {
  if (name === '-') return p.stdin;
  const fd = yield* open(p, name, O_RDONLY | O_CLOEXEC);
  if (fd < 0) {
    yield* p.error(`${name}: ${strerror(fd)}`);
    return undefined;
  }
  return new Stream(p, fd, 'full');
}

export function* closeStream(p: Process, stream: Stream): UserFlow<void> {
  if (stream === p.stdin) return;
  stream.dispose();
  yield* close(stream.fd);
}
