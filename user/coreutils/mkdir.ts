/** mkdir(1) and rmdir(1). */
import { errno } from '../../kernel/types/errno.ts';
import { isDirectory } from '../libc/directory.ts';
import { chmod, mkdir as makeDirectory, rmdir as removeDirectory, stat } from '../libc/files.ts';
import { getopt, usageError } from '../libc/getopt.ts';
import { dirname, type Tool } from '../libc/process.ts';
import { strerror } from '../libc/strerror.ts';
import { parseMode } from './mode.ts';

export const mkdir: Tool = function* (p, args) {
  const o = yield* getopt(p, args, {
    usage: '[OPTION]... DIRECTORY...',
    about: 'Create the DIRECTORY(ies), if they do not already exist.',
    options: [
      { short: 'm', long: 'mode', arg: 'MODE', help: 'set file mode (as in chmod)' },
      { short: 'p', long: 'parents', help: 'no error if existing, make parents as needed' },
      { short: 'v', long: 'verbose', help: 'print a message for each created directory' },
    ],
  });
  if (o.operands.length === 0) return yield* usageError(p, 'missing operand');
  const modeText = o.value('mode');
  const mode = modeText === undefined ? undefined : parseMode(modeText, 0o777);
  if (modeText !== undefined && mode === undefined) {
    return yield* usageError(p, `invalid mode '${modeText}'`);
  }
  let status = 0;
  for (const operand of o.operands) {
    const paths = o.has('parents') ? prefixes(operand) : [operand];
    for (const path of paths) {
      const failed = yield* makeDirectory(p, path);
      if (failed >= 0) {
        if (o.has('verbose')) yield* p.println(`${p.name}: created directory '${path}'`);
        if (mode !== undefined && path === operand) yield* chmod(p, path, mode);
        continue;
      }
      if (failed === -errno.EEXIST && o.has('parents')) {
        const existing = yield* stat(p, path);
        if (typeof existing !== 'number' && isDirectory(existing.mode)) continue;
      }
      yield* p.error(`cannot create directory '${path}': ${strerror(failed)}`);
      status = 1;
      break;
    }
  }
  return status;
};

/** 'a/b/c' -> 'a', 'a/b', 'a/b/c'. */
function prefixes(path: string): string[] {
  const parts = path.replace(/\/+$/, '').split('/');
  return parts.map((_, index) => parts.slice(0, index + 1).join('/')).filter((part) => part !== '');
}

export const rmdir: Tool = function* (p, args) {
  const o = yield* getopt(p, args, {
    usage: '[OPTION]... DIRECTORY...',
    about: 'Remove the DIRECTORY(ies), if they are empty.',
    options: [{ short: 'p', long: 'parents', help: 'remove DIRECTORY and its ancestors' }],
  });
  if (o.operands.length === 0) return yield* usageError(p, 'missing operand');
  let status = 0;
  for (const operand of o.operands) {
    for (let path = operand; ; path = dirname(path)) {
      const failed = yield* removeDirectory(p, path);
      if (failed < 0) {
        yield* p.error(`failed to remove '${path}': ${strerror(failed)}`);
        status = 1;
        break;
      }
      const parent = dirname(path);
      if (!o.has('parents') || parent === '.' || parent === '/') break;
    }
  }
  return status;
};
