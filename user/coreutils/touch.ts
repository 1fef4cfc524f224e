/** touch(1). */
import { errno } from '../../kernel/types/errno.ts';
import { close, O_CREAT, O_NONBLOCK, O_WRONLY, open, touchTimes } from '../libc/files.ts';
import { getopt, usageError } from '../libc/getopt.ts';
import type { Tool } from '../libc/process.ts';
import { strerror } from '../libc/strerror.ts';

export const touch: Tool = function* (p, args) {
  const o = yield* getopt(p, args, {
    usage: '[OPTION]... FILE...',
    about: 'Update the access and modification times of each FILE to the current time.',
    options: [{ short: 'c', long: 'no-create', help: 'do not create any files' }],
  });
  if (o.operands.length === 0) return yield* usageError(p, 'missing file operand');
  let status = 0;
  for (const path of o.operands) {
    let failed = yield* touchTimes(p, path);
    if (failed === -errno.ENOENT) {
      if (o.has('no-create')) continue;
      failed = yield* open(p, path, O_WRONLY | O_CREAT | O_NONBLOCK);
      if (failed >= 0) yield* close(failed);
    }
    if (failed < 0) {
      yield* p.error(`cannot touch '${path}': ${strerror(failed)}`);
      status = 1;
    }
  }
  return status;
};
