/** Builtins that take input: read, mapfile. */
import type { UserFlow } from '../../../kernel/syscall/abi.ts';
import { lseek, read as readBytes, SEEK_CUR } from '../../libc/files.ts';
import { poll } from '../../libc/poll.ts';
import type { Process } from '../../libc/process.ts';
import { CC, isatty, LFLAGS, tcgetattr, tcsetattr } from '../../libc/terminal.ts';
import { concatBytes, decodeText, encodeText } from '../../libc/text.ts';
import { parseDuration } from '../../libc/time.ts';
import type { Shell } from '../shell.ts';
import { isName } from '../words.ts';
import type { BuiltinRows } from './builtin.ts';
import { complain } from './builtin.ts';

const NEWLINE = 10;
const BACKSLASH = 92;
/** How much of a seekable file is read at once. */
const BLOCK_BYTES = 4096;
const POLLIN = 1;
/** What bash gives where -t ran out: 128 + SIGALRM. */
const TIMED_OUT = 142;

interface ReadOptions {
  raw: boolean;
  prompt: string;
  /** Characters to read at most, and whether delimiters count as any other. */
  limit: number;
  exact: boolean;
  delimiter: number;
  timeoutNs: number | undefined;
  silent: boolean;
  fd: number;
  array: string | undefined;
  names: string[];
}

/** What was read: the bytes before the delimiter, and whether input ended instead. */
interface Line {
  readonly bytes: Uint8Array;
  readonly ended: boolean;
  readonly timedOut?: true;
}

const isContinuation = (byte: number): boolean => (byte & 0xc0) === 0x80;

/**
 * Up to a delimiter: what follows it belongs to the next reader, so from a pipe or a terminal bytes
 * come one by one, and in a file the position is set back.
 */
export function* readUpTo(
  p: Process,
  options: Pick<ReadOptions, 'fd' | 'delimiter' | 'limit' | 'exact' | 'raw' | 'timeoutNs'>,
): UserFlow<Line> {
  const { fd, delimiter, limit, exact, raw, timeoutNs } = options;
  const isSeekable = limit === Infinity && (yield* lseek(fd, 0, SEEK_CUR)) >= 0;
  const parts: Uint8Array[] = [];
  const single: number[] = [];
  let escaped = false;
  let chars = 0;
  for (;;) {
    if (timeoutNs !== undefined) {
      const ready = yield* poll(p, [{ fd, events: POLLIN }], timeoutNs / 1e6);
      if (ready === 0) return { bytes: gather(parts, single), ended: true, timedOut: true };
    }
    const got = yield* readBytes(p, fd, isSeekable ? BLOCK_BYTES : 1);
    if (typeof got === 'number' || got.length === 0) {
      return { bytes: gather(parts, single), ended: true };
    }
    for (const [at, byte] of got.entries()) {
      const isEnd = byte === delimiter && !escaped && !exact;
      if (isEnd) {
        if (isSeekable) yield* lseek(fd, at + 1 - got.length, SEEK_CUR);
        return { bytes: gather(parts, single), ended: false };
      }
      single.push(byte);
      escaped = !raw && !escaped && byte === BACKSLASH;
      if (!isContinuation(byte)) chars++;
    }
    if (chars >= limit && isWhole(single)) return { bytes: gather(parts, single), ended: false };
    if (single.length >= BLOCK_BYTES) parts.push(Uint8Array.from(single.splice(0)));
  }
}

function gather(parts: readonly Uint8Array[], rest: readonly number[]): Uint8Array {
  return concatBytes([...parts, Uint8Array.from(rest)]);
}

/** Does the last character end here? */
function isWhole(bytes: readonly number[]): boolean {
  let start = bytes.length - 1;
  while (start > 0 && isContinuation(bytes[start]!)) start--;
  const first = bytes[start] ?? 0;
  const length = first < 0xc0 ? 1 : first < 0xe0 ? 2 : first < 0xf0 ? 3 : 4;
  return bytes.length - start >= length;
}

function parseOptions(args: readonly string[]): ReadOptions | string {
  const options: ReadOptions = {
    raw: false,
    prompt: '',
    limit: Infinity,
    exact: false,
    delimiter: NEWLINE,
    timeoutNs: undefined,
    silent: false,
    fd: 0,
    array: undefined,
    names: [],
  };
  let at = 0;
  for (; at < args.length && /^-./.test(args[at]!) && args[at] !== '--'; at++) {
    const arg = args[at]!;
    for (let i = 1; i < arg.length; i++) {
      const letter = arg[i]!;
      if (letter === 'r') options.raw = true;
      else if (letter === 's') options.silent = true;
      else if (letter === 'e') continue;
      else if ('pnNdtuai'.includes(letter)) {
        const value = i + 1 < arg.length ? arg.slice(i + 1) : args[++at];
        if (value === undefined) return `-${letter}: option requires an argument`;
        const wrong = takeValue(options, letter, value);
        if (wrong !== undefined) return wrong;
        break;
      } else return `-${letter}: invalid option`;
    }
  }
  if (args[at] === '--') at++;
  options.names = args.slice(at);
  return options;
}

function takeValue(options: ReadOptions, letter: string, value: string): string | undefined {
  switch (letter) {
    case 'p':
      options.prompt = value;
      return undefined;
    case 'a':
      options.array = value;
      return undefined;
    case 'd':
      options.delimiter = encodeText(value)[0] ?? 0;
      return undefined;
    case 't': {
      const ns = parseDuration(value);
      if (ns === undefined) return `${value}: invalid timeout specification`;
      options.timeoutNs = ns;
      return undefined;
    }
    case 'i':
      return undefined;
  }
  const number = Number(value);
  if (!/^\d+$/.test(value)) return `${value}: invalid number`;
  if (letter === 'u') options.fd = number;
  else options.limit = number;
  if (letter === 'N') options.exact = true;
  return undefined;
}

function* read(shell: Shell, args: readonly string[]): UserFlow<number> {
  const options = parseOptions(args);
  if (typeof options === 'string') return yield* complain(shell, 'read', options, 2);
  for (const name of [...options.names, ...(options.array ? [options.array] : [])]) {
    if (!isName(name)) return yield* complain(shell, 'read', `\`${name}': not a valid identifier`);
  }
  const { p } = shell;
  const { fd } = options;
  const isTerminal = yield* isatty(p, fd);
  if (isTerminal && options.prompt !== '') yield* p.stderr.write(options.prompt);
  const modes = isTerminal ? yield* tcgetattr(p, fd) : undefined;
  const special = options.silent || options.limit !== Infinity || options.delimiter !== NEWLINE;
  if (typeof modes === 'object' && special) {
    const cc = modes.cc.slice();
    cc[CC.min] = 1;
    cc[CC.time] = 0;
    const off = (options.silent ? LFLAGS.echo : 0) | LFLAGS.icanon;
    yield* tcsetattr(p, fd, { ...modes, lflag: modes.lflag & ~off, cc });
  }
  let line: Line;
  try {
    line = yield* readUpTo(p, options);
  } finally {
    if (typeof modes === 'object' && special) yield* tcsetattr(p, fd, modes);
  }
  assign(shell, options, decodeText(line.bytes));
  if (line.timedOut) return TIMED_OUT;
  return line.ended && !(options.limit === 0) ? 1 : 0;
}

/** One character; `escaped`: a backslash stood before it. */
interface Char {
  readonly text: string;
  readonly escaped: boolean;
}

function charsOf(text: string, raw: boolean): Char[] {
  const chars: Char[] = [];
  let escaped = false;
  for (const char of text.replaceAll('\0', '')) {
    if (!raw && char === '\\' && !escaped) {
      escaped = true;
      continue;
    }
    if (!(escaped && char === '\n')) chars.push({ text: char, escaped });
    escaped = false;
  }
  return chars;
}

function assign(shell: Shell, options: ReadOptions, text: string): void {
  const chars = charsOf(text, options.raw);
  const all = chars.map((char) => char.text).join('');
  if (options.exact) {
    shell.set(options.names[0] ?? 'REPLY', all);
    return;
  }
  if (options.array !== undefined) {
    shell.unset(options.array);
    shell.setArray(options.array, splitFields(shell, chars, Infinity));
    return;
  }
  if (options.names.length === 0) {
    shell.set('REPLY', all);
    return;
  }
  const fields = splitFields(shell, chars, options.names.length);
  for (const [index, name] of options.names.entries()) shell.set(name, fields[index] ?? '');
}

/** The first fields one by one; the last of `count` gets the rest with its separators. */
function splitFields(shell: Shell, chars: readonly Char[], count: number): string[] {
  const ifs = shell.get('IFS') ?? ' \t\n';
  const isSeparator = (char: Char | undefined): boolean =>
    char !== undefined && !char.escaped && ifs.includes(char.text);
  const isSpace = (char: Char | undefined): boolean =>
    isSeparator(char) && ' \t\n'.includes(char!.text);
  const textOf = (from: number, to: number): string =>
    chars
      .slice(from, to)
      .map((char) => char.text)
      .join('');
  const fields: string[] = [];
  let at = 0;
  const skip = (): void => {
    while (isSpace(chars[at])) at++;
  };
  const field = (): string => {
    const start = at;
    while (at < chars.length && !isSeparator(chars[at])) at++;
    const text = textOf(start, at);
    skip();
    if (isSeparator(chars[at]) && !isSpace(chars[at])) {
      at++;
      skip();
    }
    return text;
  };
  skip();
  while (at < chars.length && fields.length < count - 1) fields.push(field());
  if (at >= chars.length) return fields;
  const start = at;
  const last = field();
  if (at >= chars.length) return [...fields, last];
  let end = chars.length;
  while (end > start && isSpace(chars[end - 1])) end--;
  return [...fields, textOf(start, end)];
}

function* mapfile(shell: Shell, args: readonly string[]): UserFlow<number> {
  let trims = false;
  let limit = Infinity;
  let skipped = 0;
  let delimiter = NEWLINE;
  let fd = 0;
  let name = 'MAPFILE';
  for (let at = 0; at < args.length; at++) {
    const arg = args[at]!;
    if (arg === '-t') trims = true;
    else if (arg === '-n') limit = Number(args[++at]) || Infinity;
    else if (arg === '-s') skipped = Number(args[++at]);
    else if (arg === '-u') fd = Number(args[++at]);
    else if (arg === '-d') delimiter = encodeText(args[++at] ?? '')[0] ?? 0;
    else if (arg.startsWith('-')) {
      return yield* complain(shell, 'mapfile', `${arg}: invalid option`, 2);
    } else name = arg;
  }
  const lines: string[] = [];
  while (lines.length < limit + skipped) {
    const options = { fd, delimiter, limit: Infinity, exact: false, raw: true };
    const line = yield* readUpTo(shell.p, { ...options, timeoutNs: undefined });
    const text = decodeText(line.bytes);
    if (line.ended && text === '') break;
    lines.push(trims || line.ended ? text : text + String.fromCharCode(delimiter));
    if (line.ended) break;
  }
  shell.unset(name);
  shell.setArray(name, lines.slice(skipped));
  return 0;
}

export const readBuiltins: BuiltinRows = {
  read: {
    usage:
      '[-rs] [-p PROMPT] [-n COUNT] [-N COUNT] [-d DELIMITER] [-t SECONDS] [-u FD] [-a ARRAY] [NAME]...',
    help: 'Read a line and split it into variables.',
    run: read,
  },
  mapfile: {
    usage: '[-t] [-n COUNT] [-s COUNT] [-d DELIMITER] [-u FD] [ARRAY]',
    help: 'Read lines into an array.',
    run: mapfile,
  },
  readarray: {
    usage: '[-t] [-n COUNT] [-s COUNT] [-d DELIMITER] [-u FD] [ARRAY]',
    help: 'The same as mapfile.',
    run: mapfile,
  },
};
