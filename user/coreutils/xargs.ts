/** xargs(1): builds command lines from input and runs them, several at once with -P. */
import type { UserFlow } from '../../kernel/syscall/abi.ts';
import { errno } from '../../kernel/types/errno.ts';
import { dup2, O_RDONLY, open } from '../libc/files.ts';
import { getopt, type Options } from '../libc/getopt.ts';
import type { Process, Tool } from '../libc/process.ts';
import { strerror } from '../libc/strerror.ts';
import { execvp, exited, exitStatus, fork, wait4 } from '../libc/tasks.ts';
import { decodeText, encodeText } from '../libc/text.ts';
import { closeStream, openStream } from './input.ts';

/** Bytes of arguments in one command line (findutils' default). */
const MAX_CHARS = 131072;
const ENV_HEADROOM = 2048;

export const xargs: Tool = function* (p, args) {
  const o = yield* getopt(p, args, {
    usage: '[OPTION]... COMMAND [INITIAL-ARGS]...',
    about: 'Run COMMAND with arguments INITIAL-ARGS and more arguments read from input.',
    stopAtOperand: true,
    options: [
      { short: '0', long: 'null', help: 'items are separated by a null, not whitespace' },
      { short: 'a', long: 'arg-file', arg: 'FILE', help: 'read arguments from FILE' },
      { short: 'd', long: 'delimiter', arg: 'CHARACTER', help: 'items are separated by CHARACTER' },
      { short: 'E', arg: 'END', help: 'set logical EOF string' },
      {
        short: 'e',
        long: 'eof',
        arg: 'END',
        optional: true,
        help: 'equivalent to -E END if END is specified',
      },
      { short: 'I', arg: 'R', help: 'replace R in INITIAL-ARGS with names read, a line each' },
      {
        short: 'i',
        long: 'replace',
        arg: 'R',
        optional: true,
        help: 'the same; R is {} if not given',
      },
      {
        short: 'L',
        long: 'max-lines',
        arg: 'N',
        help: 'use at most N nonblank input lines per command line',
      },
      { short: 'l', arg: 'N', optional: true, help: 'the same; N is 1 if not given' },
      { short: 'n', long: 'max-args', arg: 'N', help: 'use at most N arguments per command line' },
      { short: 'o', long: 'open-tty', help: 'reopen stdin as /dev/tty in the child process' },
      { short: 'P', long: 'max-procs', arg: 'N', help: 'run at most N processes at a time' },
      { short: 'p', long: 'interactive', help: 'prompt before running commands' },
      {
        short: 'r',
        long: 'no-run-if-empty',
        help: 'if there are no arguments, do not run COMMAND',
      },
      { short: 's', long: 'max-chars', arg: 'N', help: 'limit length of command line to N' },
      { short: 't', long: 'verbose', help: 'print commands before executing them' },
      { short: 'x', long: 'exit', help: 'exit if the size is exceeded' },
    ],
  });
  for (const [name, letter, least] of NUMBERS) {
    const text = o.value(name);
    if (text === undefined || (name === 'l' && text === '')) continue;
    if (/^\d+$/.test(text) && Number(text) >= least) continue;
    const why = /^\d+$/.test(text)
      ? `value ${text} for -${letter} option should be >= ${least}`
      : `invalid number "${text}" for -${letter} option`;
    yield* p.error(why);
    return 1;
  }
  const stream = yield* openStream(p, o.value('arg-file') ?? '-', (name, reason) => {
    return `Cannot open input file '${name}': ${reason}`;
  });
  if (!stream) return 1;
  const text = decodeText(yield* stream.readAll());
  yield* closeStream(p, stream);
  const replace = o.has('I')
    ? o.value('I')
    : o.has('replace')
      ? o.value('replace') || '{}'
      : undefined;
  const { lines, wrong } = itemLines(text, o, replace !== undefined);
  const runner = new Runner(p, o);
  // What was read before a mistake is not lost.
  const finish = function* (): UserFlow<number> {
    const status = yield* runner.finish();
    if (wrong !== undefined) yield* p.error(wrong);
    return wrong === undefined ? status : 1;
  };
  const command = o.operands.length === 0 ? ['echo'] : o.operands;
  if (replace !== undefined) {
    for (const line of lines) {
      const argv = command.map((word) => word.replaceAll(replace, line.join(' ')));
      if (!(yield* runner.start(argv))) break;
    }
    return yield* finish();
  }
  const batches = batchesOf(lines, command, o);
  if (typeof batches === 'string') {
    yield* p.error(batches);
    return 1;
  }
  for (const batch of batches) if (!(yield* runner.start([...command, ...batch]))) break;
  return yield* finish();
};

const NUMBERS = [
  ['max-args', 'n', 1],
  ['max-lines', 'L', 1],
  ['l', 'l', 1],
  ['max-procs', 'P', 0],
  ['max-chars', 's', 1],
] as const;

/** The items, in the lines they stood on, and what is wrong after them. */
function itemLines(
  text: string,
  o: Options,
  byLine: boolean,
): { readonly lines: string[][]; readonly wrong?: string } {
  const delimiter = o.has('null') ? '\0' : o.value('delimiter');
  if (delimiter !== undefined) {
    const char =
      delimiter === '\\n'
        ? '\n'
        : delimiter === '\\t'
          ? '\t'
          : delimiter === '\\0'
            ? '\0'
            : delimiter;
    const items = text.split(char);
    if (items.at(-1) === '') items.pop();
    return { lines: items.map((item) => [item]) };
  }
  const end = o.value('E') || o.value('eof') || undefined;
  const lines: string[][] = [];
  let continues = false;
  for (const match of text.matchAll(/((?:\\[^]|'[^'\n]*'|"[^"\n]*"|[^\n\\'"]|['"])*)(\n|$)/g)) {
    const [whole, line = ''] = match;
    if (whole === '') break;
    const { words: items, wrong } = byLine
      ? { words: [unquote(line.replace(/^[ \t]+/, ''))], wrong: undefined }
      : wordsOf(line);
    if (wrong !== undefined) return { lines: items.length > 0 ? [...lines, items] : lines, wrong };
    if (byLine && line.trim() === '') continue;
    const stop = end === undefined ? -1 : items.indexOf(end);
    const kept = stop < 0 ? items : items.slice(0, stop);
    if (kept.length > 0 && continues) lines.at(-1)!.push(...kept);
    else if (kept.length > 0) lines.push(kept);
    if (stop >= 0) break;
    // A blank at the end of a line continues it on the next, for -L.
    continues = kept.length > 0 && /[ \t]$/.test(line);
  }
  return { lines };
}

function unquote(text: string): string {
  return text.replace(
    /'([^'\n]*)'|"([^"\n]*)"|\\([^])/g,
    (_, single?: string, double?: string, escaped?: string) => single ?? double ?? escaped!,
  );
}

/** Blanks separate; quotes and backslashes protect. */
function wordsOf(line: string): { readonly words: string[]; readonly wrong: string | undefined } {
  const out: string[] = [];
  for (const match of line.matchAll(/(?:'[^'\n]*'|"[^"\n]*"|\\[^]|[^\s'"\\])+|['"]/g)) {
    if (match[0] === "'" || match[0] === '"') {
      const kind = match[0] === "'" ? 'single' : 'double';
      const wrong = `unmatched ${kind} quote; by default quotes are special to xargs unless you use the -0 option`;
      return { words: out, wrong };
    }
    out.push(unquote(match[0]));
  }
  return { words: out, wrong: undefined };
}

/** Arguments for one command line after the other. */
function batchesOf(
  lines: readonly (readonly string[])[],
  command: readonly string[],
  o: Options,
): string[][] | string {
  const size = (words: readonly string[]): number =>
    words.reduce((sum, word) => sum + encodeText(word).length + 1, 0);
  const limit = Number(o.value('max-chars') ?? MAX_CHARS - ENV_HEADROOM);
  const perLine = o.has('max-lines')
    ? Number(o.value('max-lines'))
    : o.has('l')
      ? Number(o.value('l') || 1)
      : undefined;
  const most = Number(o.value('max-args') ?? Infinity);
  const base = size(command);
  if (base > limit) return 'argument list too long';
  const batches: string[][] = [];
  let batch: string[] = [];
  let used = base;
  let inBatch = 0;
  const flush = (): void => {
    if (batch.length > 0) batches.push(batch);
    batch = [];
    used = base;
    inBatch = 0;
  };
  for (const line of lines) {
    for (const item of line) {
      const bytes = size([item]);
      if (base + bytes > limit) return 'argument line too long';
      if (batch.length >= most || used + bytes > limit) flush();
      batch.push(item);
      used += bytes;
    }
    if (perLine !== undefined && ++inBatch >= perLine) flush();
  }
  flush();
  if (batches.length === 0 && !o.has('no-run-if-empty')) batches.push([]);
  return batches;
}

class Runner {
  readonly #p: Process;
  readonly #o: Options;
  readonly #running = new Map<number, string>();
  readonly #limit: number;
  #status = 0;
  /** A status that ends everything. */
  #fatal: number | undefined;

  constructor(p: Process, o: Options) {
    this.#p = p;
    this.#o = o;
    this.#limit = Number(o.value('max-procs') ?? 1) || Infinity;
  }

  /** False where no more commands are to be run. */
  *start(argv: readonly string[]): UserFlow<boolean> {
    const p = this.#p;
    while (this.#running.size >= this.#limit) yield* this.#reap();
    if (this.#fatal !== undefined) return false;
    const asks = this.#o.has('interactive');
    if (this.#o.has('verbose') || asks) {
      yield* p.stderr.write(argv.map(quoted).join(' ') + (asks ? '?...' : '\n'));
    }
    if (asks && !(yield* confirmed(p))) return true;
    const pid = yield* fork(p, (child) => this.#child(child, argv));
    if (pid < 0) {
      yield* p.error(`cannot fork: ${strerror(pid)}`);
      this.#fatal = 1;
      return false;
    }
    this.#running.set(pid, argv[0]!);
    if (this.#limit === 1) yield* this.#reap();
    return this.#fatal === undefined;
  }

  *finish(): UserFlow<number> {
    while (this.#running.size > 0) yield* this.#reap();
    return this.#fatal ?? this.#status;
  }

  *#child(child: Process, argv: readonly string[]): UserFlow<number> {
    const input = yield* open(child, this.#o.has('open-tty') ? '/dev/tty' : '/dev/null', O_RDONLY);
    if (input >= 0) yield* dup2(input, 0);
    const failed = yield* execvp(child, argv);
    yield* child.perror(argv[0]!, failed);
    return failed === -errno.ENOENT ? 127 : 126;
  }

  *#reap(): UserFlow<void> {
    const { pid, status } = yield* wait4(this.#p, -1);
    if (pid === -errno.EINTR) return;
    if (pid < 0) return this.#running.clear();
    const name = this.#running.get(pid);
    this.#running.delete(pid);
    if (name === undefined) return;
    if (!exited(status)) {
      yield* this.#p.error(`${name}: terminated by signal ${status & 0x7f}`);
      this.#fatal ??= 125;
      return;
    }
    const code = exitStatus(status);
    if (code === 126 || code === 127) this.#fatal ??= code;
    else if (code === 255) {
      yield* this.#p.error(`${name}: exited with status 255; aborting`);
      this.#fatal ??= 124;
    } else if (code !== 0) this.#status = 123;
  }
}

function* confirmed(p: Process): UserFlow<boolean> {
  const terminal = yield* openStream(p, '/dev/tty');
  if (!terminal) return false;
  const answer = (yield* terminal.readLine()) ?? '';
  yield* closeStream(p, terminal);
  return /^[yY]/.test(answer);
}

function quoted(text: string): string {
  return /^[A-Za-z0-9_@%+=:,./{}-]+$/.test(text) ? text : `'${text.replaceAll("'", "'\\''")}'`;
}
