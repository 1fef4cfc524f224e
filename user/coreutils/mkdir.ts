/** mkdir(1), rmdir(1), mkfifo(1), mknod(1). */
import { errno } from '../../kernel/types/errno.ts';
import { isDirectory } from '../libc/directory.ts';
import {
  chmod,
  mkdir as makeDirectory,
  mknod as makeNode,
  rmdir as removeDirectory,
  stat,
} from '../libc/files.ts';
import { getopt, usageError } from '../libc/getopt.ts';
import { dirname, type Tool } from '../libc/process.ts';
import { strerror } from '../libc/strerror.ts';
import { parseMode } from './mode.ts';

const S_IFIFO = 0o010000;

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
    yield* p.error(`invalid mode '${modeText}'`);
    return 1;
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
      const isFile = failed === -errno.EEXIST && o.has('parents') && path !== operand;
      const why = isFile ? -errno.ENOTDIR : failed;
      yield* p.error(`cannot create directory '${path}': ${strerror(why)}`);
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
    options: [
      {
        long: 'ignore-fail-on-non-empty',
        help: 'ignore each failure due to a non-empty directory',
      },
      { short: 'p', long: 'parents', help: 'remove DIRECTORY and its ancestors' },
      { short: 'v', long: 'verbose', help: 'output a diagnostic for every directory processed' },
    ],
  });
  if (o.operands.length === 0) return yield* usageError(p, 'missing operand');
  let status = 0;
  for (const operand of o.operands) {
    for (let path = operand; ; path = dirname(path)) {
      if (o.has('verbose')) yield* p.println(`${p.name}: removing directory, '${path}'`);
      const failed = yield* removeDirectory(p, path);
      if (failed === -errno.ENOTEMPTY && o.has('ignore-fail-on-non-empty')) break;
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

export const mkfifo: Tool = function* (p, args) {
  const o = yield* getopt(p, args, {
    usage: '[OPTION]... NAME...',
    about: 'Create named pipes (FIFOs) with the given NAMEs.',
    options: [{ short: 'm', long: 'mode', arg: 'MODE', help: 'set file permission bits to MODE' }],
  });
  if (o.operands.length === 0) return yield* usageError(p, 'missing operand');
  const modeText = o.value('mode');
  const mode = modeText === undefined ? 0o666 : parseMode(modeText, 0o666);
  if (mode === undefined) {
    yield* p.error('invalid mode');
    return 1;
  }
  let status = 0;
  for (const path of o.operands) {
    const failed = yield* makeNode(p, path, S_IFIFO | mode);
    if (failed < 0) {
      yield* p.error(`cannot create fifo '${path}': ${strerror(failed)}`);
      status = 1;
    } else if (modeText !== undefined) yield* chmod(p, path, mode);
  }
  return status;
};

const NODE_TYPES: Readonly<Record<string, number>> = {
  b: 0o060000,
  c: 0o020000,
  u: 0o020000,
  p: S_IFIFO,
};

export const mknod: Tool = function* (p, args) {
  const o = yield* getopt(p, args, {
    usage: '[OPTION]... NAME TYPE [MAJOR MINOR]',
    about: 'Create the special file NAME of the given TYPE: b, c, u, or p.',
    options: [{ short: 'm', long: 'mode', arg: 'MODE', help: 'set file permission bits to MODE' }],
  });
  const [path, letter, major, minor] = o.operands;
  if (path === undefined) return yield* usageError(p, 'missing operand');
  if (letter === undefined) return yield* usageError(p, `missing operand after '${path}'`);
  const type = NODE_TYPES[letter];
  if (type === undefined) return yield* usageError(p, `invalid device type '${letter}'`);
  if (letter !== 'p' && minor === undefined) {
    return yield* usageError(p, 'Special files require major and minor device numbers.');
  }
  const mode = parseMode(o.value('mode') ?? '666', 0o666) ?? 0o666;
  const [high, low] = [Number(major ?? 0), Number(minor ?? 0)];
  const device = (high << 8) | (low & 0xff) | ((low & ~0xff) << 12);
  const failed = yield* makeNode(p, path, type | mode, device);
  if (failed < 0) yield* p.error(`${path}: ${strerror(failed)}`);
  return failed < 0 ? 1 : 0;
};
