/** cp(1). */
import { isDirectory } from '../libc/directory.ts';
import { mkdir, stat } from '../libc/files.ts';
import { getopt, usageError } from '../libc/getopt.ts';
import { dirname, type Tool } from '../libc/process.ts';
import { copy, type CopyOptions } from './copy.ts';
import { backupSuffix, DESTINATION_OPTIONS, jobsOf } from './destination.ts';

export const cp: Tool = function* (p, args) {
  const o = yield* getopt(p, args, {
    usage: '[OPTION]... SOURCE... DEST',
    about: 'Copy SOURCE to DEST, or multiple SOURCE(s) to a directory.',
    options: [
      { short: 'a', long: 'archive', help: 'same as -dR --preserve=all' },
      { short: 'd', help: 'same as --no-dereference --preserve=links' },
      { short: 'f', long: 'force', help: 'if a file cannot be opened, remove it and try again' },
      { short: 'i', long: 'interactive', help: 'prompt before overwrite' },
      { short: 'H', help: 'follow command-line symbolic links in SOURCE' },
      { short: 'l', long: 'link', help: 'hard link files instead of copying' },
      { short: 'L', long: 'dereference', help: 'always follow symbolic links in SOURCE' },
      { short: 'n', long: 'no-clobber', help: 'do not overwrite an existing file' },
      { short: 'P', long: 'no-dereference', help: 'never follow symbolic links in SOURCE' },
      { short: 'p', help: 'same as --preserve=mode,ownership,timestamps' },
      {
        long: 'preserve',
        arg: 'ATTR_LIST',
        optional: true,
        help: 'preserve the specified attributes',
      },
      { long: 'parents', help: 'use full source file name under DIRECTORY' },
      { short: 'r', long: 'recursive', help: 'copy directories recursively' },
      { short: 'R', help: 'the same as -r' },
      { long: 'reflink', arg: 'WHEN', optional: true, help: '(ignored)' },
      { long: 'sparse', arg: 'WHEN', help: '(ignored)' },
      { long: 'remove-destination', help: 'remove each existing destination file first' },
      { short: 's', long: 'symbolic-link', help: 'make symbolic links instead of copying' },
      { short: 'u', long: 'update', help: 'copy only when the SOURCE file is newer' },
      { short: 'v', long: 'verbose', help: 'explain what is being done' },
      { short: 'x', long: 'one-file-system', help: '(ignored)' },
      ...DESTINATION_OPTIONS,
    ],
  });
  const jobs = yield* jobsOf(
    p,
    o,
    o.has('parents') ? (from) => from.replace(/^\/+/, '') : undefined,
  );
  if (!jobs) return 1;
  const directory = o.value('target-directory') ?? o.operands.at(-1)!;
  if (o.has('parents')) {
    const info = yield* stat(p, directory);
    if (typeof info === 'number' || !isDirectory(info.mode)) {
      return yield* usageError(p, 'with --parents, the destination must be a directory');
    }
  }
  const archive = o.has('archive');
  const recursive = archive || o.has('recursive') || o.has('R');
  const backup = backupSuffix(o);
  const keeps = archive || o.has('d') || o.has('no-dereference');
  const options: CopyOptions = {
    recursive,
    verbose: o.has('verbose'),
    force: o.has('force') || o.has('remove-destination'),
    links: o.has('dereference')
      ? 'follow'
      : keeps
        ? 'keep'
        : recursive
          ? o.has('H')
            ? 'follow operands'
            : 'keep'
          : 'follow',
    preserve: archive || o.has('p') || o.has('preserve'),
    clobber: o.has('no-clobber')
      ? 'never'
      : o.has('interactive')
        ? 'ask'
        : o.has('update')
          ? 'older'
          : 'always',
    ...(o.has('link')
      ? { instead: 'hard link' }
      : o.has('symbolic-link')
        ? { instead: 'symbolic link' }
        : {}),
    ...(backup === undefined ? {} : { backup }),
  };
  let status = 0;
  for (const { from, to } of jobs) {
    if (o.has('parents')) {
      // The directories that the name goes through are made on the way.
      const parts = dirname(to).split('/');
      for (let at = 1; at <= parts.length; at++) {
        const path = parts.slice(0, at).join('/');
        const existing = path === '' ? undefined : yield* stat(p, path);
        if (typeof existing === 'number') yield* mkdir(p, path);
        else if (existing && !isDirectory(existing.mode)) break;
      }
    }
    status = (yield* copy(p, from, to, options)) || status;
  }
  return status;
};
