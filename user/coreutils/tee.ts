/** tee(1). */
import { O_APPEND, O_CLOEXEC, O_CREAT, O_TRUNC, O_WRONLY, open, writeAll } from '../libc/files.ts';
import { getopt } from '../libc/getopt.ts';
import type { Tool } from '../libc/process.ts';
import { SIG_IGN, sigaction, SIGINT } from '../libc/tasks.ts';

export const tee: Tool = function* (p, args) {
  const o = yield* getopt(p, args, {
    usage: '[OPTION]... [FILE]...',
    about: 'Copy standard input to each FILE, and also to standard output.',
    options: [
      { short: 'a', long: 'append', help: 'append to the given FILEs, do not overwrite' },
      { short: 'i', long: 'ignore-interrupts', help: 'ignore interrupt signals' },
    ],
  });
  if (o.has('ignore-interrupts')) yield* sigaction(p, SIGINT, SIG_IGN);
  const how = o.has('append') ? O_APPEND : O_TRUNC;
  const fds: number[] = [];
  let status = 0;
  for (const path of o.operands) {
    const fd = yield* open(p, path, O_WRONLY | O_CREAT | O_CLOEXEC | how);
    if (fd < 0) {
      yield* p.perror(path, fd);
      status = 1;
    } else fds.push(fd);
  }
  for (;;) {
    const chunk = yield* p.stdin.readChunk();
    if (chunk.length === 0) return status;
    yield* p.print(chunk);
    yield* p.stdout.flush();
    for (const [index, fd] of fds.entries()) {
      const failed = yield* writeAll(p, fd, chunk);
      if (failed < 0) {
        yield* p.perror(o.operands[index]!, failed);
        status = 1;
      }
    }
  }
};
