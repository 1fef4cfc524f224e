/** mv(1): rename, or copy and remove across file systems. */
import { errno } from '../../kernel/types/errno.ts';
import { lstat, rename } from '../libc/files.ts';
import { getopt, usageError } from '../libc/getopt.ts';
import type { Tool } from '../libc/process.ts';
import { strerror } from '../libc/strerror.ts';
import { run } from '../libc/tasks.ts';
import { copy, pairs } from './copy.ts';

export const mv: Tool = function* (p, args) {
  const o = yield* getopt(p, args, {
    usage: '[OPTION]... SOURCE... DEST',
    about: 'Rename SOURCE to DEST, or move SOURCE(s) to a directory.',
    options: [
      { short: 'f', long: 'force', help: 'do not prompt before overwriting (the default)' },
      { short: 'n', long: 'no-clobber', help: 'do not overwrite an existing file' },
      { short: 'v', long: 'verbose', help: 'explain what is being done' },
    ],
  });
  if (o.operands.length < 2) {
    const [only] = o.operands;
    const text =
      only === undefined
        ? 'missing file operand'
        : `missing destination file operand after '${only}'`;
    return yield* usageError(p, text);
  }
  const jobs = yield* pairs(p, o.operands);
  if (!jobs) return 1;
  let status = 0;
  for (const { from, to } of jobs) {
    if (o.has('no-clobber') && typeof (yield* lstat(p, to)) !== 'number') continue;
    let failed = yield* rename(p, from, to);
    if (failed === -errno.EXDEV) {
      const options = { recursive: true, verbose: false, force: true, keepLinks: true };
      failed = yield* copy(p, from, to, options);
      if (failed === 0) failed = yield* run(p, ['rm', '-rf', from]);
      if (failed !== 0) status = 1;
    } else if (failed < 0) {
      const what =
        failed === -errno.ENOENT ? `cannot stat '${from}'` : `cannot move '${from}' to '${to}'`;
      yield* p.error(`${what}: ${strerror(failed)}`);
      status = 1;
      continue;
    }
    if (o.has('verbose')) yield* p.println(`renamed '${from}' -> '${to}'`);
  }
  return status;
};
