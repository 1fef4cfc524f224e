/** chmod(1). */
import type { UserFlow } from '../../kernel/syscall/abi.ts';
import { isDirectory, listNames } from '../libc/directory.ts';
import { chmod as changeMode, stat } from '../libc/files.ts';
import { parseOptions, helpText, usageError, type OptionSpec } from '../libc/getopt.ts';
import type { Process, Tool } from '../libc/process.ts';
import { strerror } from '../libc/strerror.ts';
import { parseMode } from './mode.ts';

const SPEC: OptionSpec = {
  usage: '[OPTION]... MODE[,MODE]... FILE...',
  about: 'Change the mode of each FILE to MODE: octal, or like u+x,go-w.',
  options: [
    { short: 'R', long: 'recursive', help: 'change files and directories recursively' },
    { short: 'v', long: 'verbose', help: 'output a diagnostic for every file processed' },
  ],
};

export const chmod: Tool = function* (p, args) {
  // A mode may look like an option: -x.
  const at = args.findIndex((arg) => /^-[rwxXst]+$/.test(arg));
  const rest = at < 0 ? args : args.toSpliced(at, 1);
  const o = parseOptions(rest, SPEC);
  if (typeof o === 'string') return yield* usageError(p, o);
  if (o.has('help')) {
    yield* p.print(helpText(p.name, SPEC));
    return 0;
  }
  const text = at < 0 ? o.operands.shift() : args[at];
  if (text === undefined) return yield* usageError(p, 'missing operand');
  if (parseMode(text, 0) === undefined) return yield* usageError(p, `invalid mode: '${text}'`);
  if (o.operands.length === 0) return yield* usageError(p, `missing operand after '${text}'`);
  let status = 0;
  for (const path of o.operands)
    status = (yield* change(p, path, text, o.has('recursive'))) || status;
  return status;
};

function* change(p: Process, path: string, text: string, recursive: boolean): UserFlow<number> {
  const before = yield* stat(p, path);
  if (typeof before === 'number') {
    yield* p.error(`cannot access '${path}': ${strerror(before)}`);
    return 1;
  }
  const isDir = isDirectory(before.mode);
  const failed = yield* changeMode(p, path, parseMode(text, before.mode, isDir)!);
  if (failed < 0) {
    yield* p.error(`changing permissions of '${path}': ${strerror(failed)}`);
    return 1;
  }
  if (!recursive || !isDir) return 0;
  const names = yield* listNames(p, path);
  let status = 0;
  for (const name of typeof names === 'number' ? [] : names) {
    status = (yield* change(p, `${path}/${name}`, text, true)) || status;
  }
  return status;
}
