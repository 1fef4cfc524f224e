/** chmod(1). */
import type { UserFlow } from '../../kernel/syscall/abi.ts';
import { isDirectory, isSymlink, listNames, modeString } from '../libc/directory.ts';
import { chmod as changeMode, lstat, stat, umask } from '../libc/files.ts';
import {
  parseOptions,
  helpText,
  usageError,
  type Options,
  type OptionSpec,
} from '../libc/getopt.ts';
import type { Process, Tool } from '../libc/process.ts';
import { strerror } from '../libc/strerror.ts';
import { parseMode } from './mode.ts';

const SPEC: OptionSpec = {
  usage: '[OPTION]... MODE[,MODE]... FILE...\n   or: chmod [OPTION]... --reference=RFILE FILE...',
  about: 'Change the mode of each FILE to MODE: octal, or like u+x,go-w.',
  options: [
    { short: 'c', long: 'changes', help: 'like verbose but report only when a change is made' },
    { short: 'f', long: 'silent', help: 'suppress most error messages' },
    { long: 'quiet', help: 'the same as --silent' },
    { long: 'preserve-root', help: '(ignored)' },
    { short: 'R', long: 'recursive', help: 'change files and directories recursively' },
    { long: 'reference', arg: 'RFILE', help: "use RFILE's mode instead of MODE values" },
    { short: 'v', long: 'verbose', help: 'output a diagnostic for every file processed' },
  ],
};

/** What the new mode of a file with this one is. */
type ModeOf = (mode: number, isDir: boolean) => number;

export const chmod: Tool = function* (p, args) {
  // A mode may look like an option: -x.
  const at = args.findIndex((arg) => /^-[rwxXstugoa,+=-]+$/.test(arg) && arg !== '--');
  const rest = at < 0 ? args : args.toSpliced(at, 1);
  const o = parseOptions(rest, SPEC);
  if (typeof o === 'string') return yield* usageError(p, o);
  if (o.has('help')) {
    yield* p.print(helpText(p.name, SPEC));
    return 0;
  }
  const reference = o.value('reference');
  let modeOf: ModeOf;
  if (reference !== undefined) {
    const info = yield* stat(p, reference);
    if (typeof info === 'number') {
      yield* p.error(`failed to get attributes of '${reference}': ${strerror(info)}`);
      return 1;
    }
    modeOf = () => info.mode & 0o7777;
  } else {
    const text = at < 0 ? o.operands.shift() : args[at];
    if (text === undefined) return yield* usageError(p, 'missing operand');
    if (o.operands.length === 0) return yield* usageError(p, `missing operand after '${text}'`);
    if (parseMode(text, 0) === undefined) return yield* usageError(p, `invalid mode: '${text}'`);
    const mask = yield* umask(0);
    yield* umask(mask);
    modeOf = (mode, isDir) => parseMode(text, mode, isDir, mask)!;
  }
  if (o.operands.length === 0) return yield* usageError(p, 'missing operand');
  let status = 0;
  for (const path of o.operands) status = (yield* change(p, path, modeOf, o)) || status;
  return status;
};

function* change(p: Process, path: string, modeOf: ModeOf, o: Options): UserFlow<number> {
  const quiet = o.has('silent') || o.has('quiet');
  const before = yield* stat(p, path);
  if (typeof before === 'number') {
    if (!quiet) yield* p.error(`cannot access '${path}': ${strerror(before)}`);
    return 1;
  }
  const isDir = isDirectory(before.mode);
  const mode = modeOf(before.mode, isDir);
  const failed = yield* changeMode(p, path, mode);
  if (failed < 0) {
    if (!quiet) yield* p.error(`changing permissions of '${path}': ${strerror(failed)}`);
    return 1;
  }
  const old = before.mode & 0o7777;
  const show = (bits: number): string =>
    `${bits.toString(8).padStart(4, '0')} (${modeString(bits).slice(1)})`;
  if (mode !== old && (o.has('verbose') || o.has('changes'))) {
    yield* p.println(`mode of '${path}' changed from ${show(old)} to ${show(mode)}`);
  } else if (o.has('verbose')) yield* p.println(`mode of '${path}' retained as ${show(old)}`);
  if (!o.has('recursive') || !isDir) return 0;
  const names = yield* listNames(p, path);
  let status = 0;
  for (const name of typeof names === 'number' ? [] : names) {
    const child = `${path.replace(/\/+$/, '')}/${name}`;
    const info = yield* lstat(p, child);
    if (typeof info !== 'number' && isSymlink(info.mode)) continue;
    status = (yield* change(p, child, modeOf, o)) || status;
  }
  return status;
}
