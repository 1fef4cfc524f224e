/** cp(1). */
import { getopt, usageError } from '../libc/getopt.ts';
import type { Tool } from '../libc/process.ts';
import { copy, pairs } from './copy.ts';

export const cp: Tool = function* (p, args) {
  const o = yield* getopt(p, args, {
    usage: '[OPTION]... SOURCE... DEST',
    about: 'Copy SOURCE to DEST, or multiple SOURCE(s) to a directory.',
    options: [
      { short: 'r', long: 'recursive', help: 'copy directories recursively' },
      { short: 'R', help: 'the same as -r' },
      { short: 'a', long: 'archive', help: 'the same as -rd' },
      { short: 'd', help: 'copy symbolic links as such' },
      { short: 'f', long: 'force', help: 'if a file cannot be opened, remove it and try again' },
      { short: 'p', help: '(modes are kept anyway)' },
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
  const recursive = ['recursive', 'R', 'archive'].some((name) => o.has(name));
  let status = 0;
  for (const { from, to } of jobs) {
    const failed = yield* copy(p, from, to, {
      recursive,
      verbose: o.has('verbose'),
      force: o.has('force'),
      keepLinks: recursive || o.has('d'),
    });
    status = failed || status;
  }
  return status;
};
