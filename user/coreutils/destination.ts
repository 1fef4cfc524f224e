/** Where cp, mv and ln put what: `SOURCE DEST`, `SOURCE... DIRECTORY`, `-t DIRECTORY SOURCE...`. */
import type { UserFlow } from '../../kernel/syscall/abi.ts';
import { isDirectory } from '../libc/directory.ts';
import { stat } from '../libc/files.ts';
import type { Option, Options } from '../libc/getopt.ts';
import { usageError } from '../libc/getopt.ts';
import { basename, type Process } from '../libc/process.ts';
import { strerror } from '../libc/strerror.ts';

export interface Job {
  readonly from: string;
  readonly to: string;
}

export const DESTINATION_OPTIONS: readonly Option[] = [
  { short: 'b', help: 'like --backup but does not accept an argument' },
  { long: 'backup', arg: 'CONTROL', optional: true, help: 'make a backup of each existing file' },
  { short: 'S', long: 'suffix', arg: 'SUFFIX', help: 'override the usual backup suffix' },
  { short: 't', long: 'target-directory', arg: 'DIR', help: 'put all SOURCE arguments into DIR' },
  { short: 'T', long: 'no-target-directory', help: 'treat DEST as a normal file' },
];

/** Suffix of backups, where they are wanted. */
export function backupSuffix(o: Options): string | undefined {
  if (!o.has('b') && !o.has('backup') && !o.has('suffix')) return undefined;
  return o.value('suffix') ?? '~';
}

/** Undefined after an error was told. `nameOf`: what a source is called in a directory. */
export function* jobsOf(
  p: Process,
  o: Options,
  nameOf: (from: string) => string = basename,
): UserFlow<Job[] | undefined> {
  const { operands } = o;
  const directory = o.value('target-directory');
  const into = (where: string, from: string): string =>
    `${where.replace(/\/+$/, '')}/${nameOf(from)}`;
  const [first] = operands;
  if (first === undefined) return yield* usageError(p, 'missing file operand');
  if (directory !== undefined) {
    const status = yield* stat(p, directory);
    if (typeof status === 'number' || !isDirectory(status.mode)) {
      const why = typeof status === 'number' ? strerror(status) : 'Not a directory';
      yield* p.error(`target directory '${directory}': ${why}`);
      return undefined;
    }
    return operands.map((from) => ({ from, to: into(directory, from) }));
  }
  if (operands.length < 2) {
    return yield* usageError(p, `missing destination file operand after '${first}'`);
  }
  const destination = operands.at(-1)!;
  if (o.has('no-target-directory')) {
    if (operands.length > 2) return yield* usageError(p, `extra operand '${operands[2]}'`);
    return [{ from: first, to: destination }];
  }
  const status = yield* stat(p, destination);
  const isDir = typeof status !== 'number' && isDirectory(status.mode);
  if (operands.length > 2 && !isDir) {
    const why = typeof status === 'number' ? strerror(status) : 'Not a directory';
    yield* p.error(`target '${destination}': ${why}`);
    return undefined;
  }
  return operands
    .slice(0, -1)
    .map((from) => ({ from, to: isDir ? into(destination, from) : destination }));
}
