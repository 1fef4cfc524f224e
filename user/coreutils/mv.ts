/** mv(1): rename, or copy and remove across file systems. */
import type { UserFlow } from '../../kernel/syscall/abi.ts';
import { errno } from '../../kernel/types/errno.ts';
import { isDirectory } from '../libc/directory.ts';
import { lstat, rename, stat } from '../libc/files.ts';
import { getopt, type Options } from '../libc/getopt.ts';
import type { Process, Tool } from '../libc/process.ts';
import { strerror } from '../libc/strerror.ts';
import { run } from '../libc/tasks.ts';
import { copy } from './copy.ts';
import type { Job } from './destination.ts';
import { backupSuffix, DESTINATION_OPTIONS, jobsOf } from './destination.ts';

export const mv: Tool = function* (p, args) {
  const o = yield* getopt(p, args, {
    usage: '[OPTION]... SOURCE... DEST',
    about: 'Rename SOURCE to DEST, or move SOURCE(s) to a directory.',
    options: [
      { short: 'f', long: 'force', help: 'do not prompt before overwriting (the default)' },
      { short: 'i', long: 'interactive', help: 'prompt before overwrite' },
      { short: 'n', long: 'no-clobber', help: 'do not overwrite an existing file' },
      { short: 'u', long: 'update', help: 'move only when the SOURCE file is newer' },
      { short: 'v', long: 'verbose', help: 'explain what is being done' },
      ...DESTINATION_OPTIONS,
    ],
  });
  const jobs = yield* jobsOf(p, o);
  if (!jobs) return 1;
  let status = 0;
  for (const job of jobs) status = (yield* move(p, job, o)) || status;
  return status;
};

function* move(p: Process, { from, to }: Job, o: Options): UserFlow<number> {
  const source = yield* lstat(p, from);
  if (typeof source === 'number') {
    yield* p.error(`cannot stat '${from}': ${strerror(source)}`);
    return 1;
  }
  const existing = yield* stat(p, to);
  if (typeof existing !== 'number') {
    if (o.has('no-clobber')) return 0;
    const newer = source.mtimeSec - existing.mtimeSec || source.mtimeNsec - existing.mtimeNsec;
    if (o.has('update') && newer <= 0) return 0;
    if (existing.ino === source.ino && existing.dev === source.dev) {
      yield* p.error(`'${from}' and '${to}' are the same file`);
      return 1;
    }
    if (isDirectory(existing.mode) && !isDirectory(source.mode)) {
      yield* p.error(`cannot overwrite directory '${to}' with non-directory`);
      return 1;
    }
    if (o.has('interactive') && !o.has('force')) {
      yield* p.stderr.write(`${p.name}: overwrite '${to}'? `);
      if (!/^[yY]/.test((yield* p.stdin.readLine()) ?? '')) return 0;
    }
    const backup = backupSuffix(o);
    if (backup !== undefined) yield* rename(p, to, to + backup);
  }
  let failed = yield* rename(p, from, to);
  if (failed === -errno.EXDEV) {
    failed = yield* copy(p, from, to, {
      recursive: true,
      verbose: false,
      force: true,
      links: 'keep',
      preserve: true,
      clobber: 'always',
    });
    if (failed === 0) failed = yield* run(p, ['rm', '-rf', '--', from]);
    if (failed !== 0) return 1;
  } else if (failed === -errno.EINVAL) {
    yield* p.error(`cannot move '${from}' to a subdirectory of itself, '${to}'`);
    return 1;
  } else if (failed < 0) {
    yield* p.error(`cannot move '${from}' to '${to}': ${strerror(failed)}`);
    return 1;
  }
  if (o.has('verbose')) yield* p.println(`renamed '${from}' -> '${to}'`);
  return 0;
}
