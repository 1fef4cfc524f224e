/** ln(1) and readlink(1). */
import type { UserFlow } from '../../kernel/syscall/abi.ts';
import { isDirectory, isSymlink } from '../libc/directory.ts';
import { getcwd, link, lstat, readlink as readLink, stat, symlink, unlink } from '../libc/files.ts';
import { getopt, usageError } from '../libc/getopt.ts';
import { basename, type Process, type Tool } from '../libc/process.ts';
import { strerror } from '../libc/strerror.ts';

export const ln: Tool = function* (p, args) {
  const o = yield* getopt(p, args, {
    usage: '[OPTION]... TARGET [LINK_NAME]',
    about: 'Create a link to TARGET with the name LINK_NAME.',
    options: [
      { short: 's', long: 'symbolic', help: 'make symbolic links instead of hard links' },
      { short: 'f', long: 'force', help: 'remove existing destination files' },
      {
        short: 'n',
        long: 'no-dereference',
        help: 'treat LINK_NAME as a normal file if it is a link',
      },
      { short: 'v', long: 'verbose', help: 'print name of each linked file' },
    ],
  });
  const [target, name = '.'] = o.operands;
  if (target === undefined) return yield* usageError(p, 'missing file operand');
  const existing = yield* (o.has('no-dereference') ? lstat : stat)(p, name);
  const isDir = typeof existing !== 'number' && isDirectory(existing.mode);
  const path = isDir ? `${name.replace(/\/+$/, '')}/${basename(target)}` : name;
  if (o.has('force')) yield* unlink(p, path);
  const failed = yield* (o.has('symbolic') ? symlink : link)(p, target, path);
  if (failed < 0) {
    const kind = o.has('symbolic') ? 'symbolic' : 'hard';
    yield* p.error(`failed to create ${kind} link '${path}': ${strerror(failed)}`);
    return 1;
  }
  if (o.has('verbose')) yield* p.println(`'${path}' -> '${target}'`);
  return 0;
};

export const readlink: Tool = function* (p, args) {
  const o = yield* getopt(p, args, {
    usage: '[OPTION]... FILE...',
    about: 'Print value of a symbolic link or canonical file name.',
    options: [{ short: 'f', long: 'canonicalize', help: 'follow every link, recursively' }],
  });
  let status = 0;
  for (const path of o.operands) {
    const text = o.has('canonicalize') ? yield* canonical(p, path) : yield* readLink(p, path);
    if (typeof text === 'number') status = 1;
    else yield* p.println(text);
  }
  return status;
};

/** ELOOP's limit (include/linux/namei.h, MAXSYMLINKS). */
const MAX_LINKS = 40;

export function* canonical(p: Process, path: string): UserFlow<string | number> {
  let rest = (path.startsWith('/') ? path : `${yield* getcwd(p)}/${path}`).split('/');
  let out = '';
  let links = 0;
  while (rest.length > 0) {
    const name = rest.shift()!;
    if (name === '' || name === '.') continue;
    if (name === '..') {
      out = out.slice(0, Math.max(0, out.lastIndexOf('/')));
      continue;
    }
    const status = yield* lstat(p, `${out}/${name}`);
    if (typeof status === 'number' && rest.some((left) => left !== '')) return status;
    if (typeof status !== 'number' && isSymlink(status.mode)) {
      if (++links > MAX_LINKS) return -40;
      const target = yield* readLink(p, `${out}/${name}`);
      if (typeof target === 'number') return target;
      rest = [...target.split('/'), ...rest];
      if (target.startsWith('/')) out = '';
      continue;
    }
    out += `/${name}`;
  }
  return out || '/';
}
