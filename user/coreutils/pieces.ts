/** split(1), truncate(1), mktemp(1), sync(1), strings(1). */
import type { UserFlow } from '../../kernel/syscall/abi.ts';
import { errno } from '../../kernel/types/errno.ts';
import {
  close,
  ftruncate,
  fstat,
  mkdir,
  O_CREAT,
  O_EXCL,
  O_RDONLY,
  O_RDWR,
  O_WRONLY,
  open,
  read,
  stat,
  syscall,
  writeFile,
} from '../libc/files.ts';
import { getopt, usageError } from '../libc/getopt.ts';
import { NR } from '../libc/nr.ts';
import { parseSize } from '../libc/numbers.ts';
import type { Process, Tool } from '../libc/process.ts';
import { strerror } from '../libc/strerror.ts';
import { concatBytes, encodeText } from '../libc/text.ts';
import { closeStream, eachInput, openStream } from './input.ts';

const MAX_FILES = 100_000;

export const split: Tool = function* (p, args) {
  const o = yield* getopt(p, args, {
    usage: '[OPTION]... [FILE [PREFIX]]',
    about: 'Output pieces of FILE to PREFIXaa, PREFIXab, ...; default size is 1000 lines.',
    options: [
      {
        short: 'a',
        long: 'suffix-length',
        arg: 'N',
        help: 'generate suffixes of length N (default 2)',
      },
      {
        long: 'additional-suffix',
        arg: 'SUFFIX',
        help: 'append an additional SUFFIX to file names',
      },
      { short: 'b', long: 'bytes', arg: 'SIZE', help: 'put SIZE bytes per output file' },
      { short: 'd', help: 'use numeric suffixes starting at 0, not alphabetic' },
      { short: 'x', help: 'use hex suffixes starting at 0, not alphabetic' },
      {
        short: 'l',
        long: 'lines',
        arg: 'NUMBER',
        help: 'put NUMBER lines/records per output file',
      },
      { short: 'n', long: 'number', arg: 'CHUNKS', help: 'generate CHUNKS output files' },
      { long: 'verbose', help: 'print a diagnostic just before each output file is opened' },
    ],
  });
  const [file = '-', prefix = 'x'] = o.operands;
  const stream = yield* openStream(
    p,
    file,
    (name, why) => `cannot open '${name}' for reading: ${why}`,
  );
  if (!stream) return 1;
  const bytes = yield* stream.readAll();
  yield* closeStream(p, stream);
  let pieces: Uint8Array[];
  const size = o.value('bytes');
  const chunks = o.value('number');
  const lines = o.value('lines') ?? '1000';
  const count = parseSize(size ?? chunks ?? lines);
  if (count === undefined || count < 1) {
    const what = size !== undefined ? 'bytes' : chunks !== undefined ? 'chunks' : 'lines';
    yield* p.error(`invalid number of ${what}: '${size ?? chunks ?? lines}'`);
    return 1;
  }
  if (size !== undefined) pieces = cut(bytes, count);
  else if (chunks !== undefined) {
    const each = Math.floor(bytes.length / count);
    pieces = Array.from({ length: Math.min(count, MAX_FILES) }, (_, at) =>
      bytes.subarray(at * each, at === count - 1 ? bytes.length : (at + 1) * each),
    );
  } else pieces = cutLines(bytes, count);
  const digits = o.has('d')
    ? '0123456789'
    : o.has('x')
      ? '0123456789abcdef'
      : 'abcdefghijklmnopqrstuvwxyz';
  const length = Number(o.value('suffix-length') ?? 2);
  if (pieces.length > Math.min(MAX_FILES, digits.length ** length)) {
    yield* p.error('output file suffixes exhausted');
    return 1;
  }
  for (const [index, piece] of pieces.entries()) {
    let suffix = '';
    for (let place = 0, rest = index; place < length; place++) {
      suffix = digits[rest % digits.length]! + suffix;
      rest = Math.floor(rest / digits.length);
    }
    const name = prefix + suffix + (o.value('additional-suffix') ?? '');
    if (o.has('verbose')) yield* p.println(`creating file '${name}'`);
    const failed = yield* writeFile(p, name, piece);
    if (failed < 0) {
      yield* p.error(`${name}: ${strerror(failed)}`);
      return 1;
    }
  }
  return 0;
};

function cut(bytes: Uint8Array, size: number): Uint8Array[] {
  const pieces: Uint8Array[] = [];
  for (let at = 0; at < bytes.length; at += size) pieces.push(bytes.subarray(at, at + size));
  return pieces;
}

function cutLines(bytes: Uint8Array, count: number): Uint8Array[] {
  const pieces: Uint8Array[] = [];
  let start = 0;
  let lines = 0;
  for (let at = 0; at < bytes.length; at++) {
    if (bytes[at] !== 10 || ++lines < count) continue;
    pieces.push(bytes.subarray(start, at + 1));
    start = at + 1;
    lines = 0;
  }
  if (start < bytes.length) pieces.push(bytes.subarray(start));
  return pieces;
}

export const truncate: Tool = function* (p, args) {
  const o = yield* getopt(p, args, {
    usage: 'OPTION... FILE...',
    about: 'Shrink or extend the size of each FILE to the specified size.',
    options: [
      { short: 'c', long: 'no-create', help: 'do not create any files' },
      { short: 'r', long: 'reference', arg: 'RFILE', help: 'base size on RFILE' },
      { short: 's', long: 'size', arg: 'SIZE', help: 'set or adjust the file size by SIZE bytes' },
    ],
    more: 'SIZE may be prefixed: + extend by, - reduce by, < at most, > at least, / round down to\nmultiple of, % round up to multiple of.',
  });
  if (o.operands.length === 0) return yield* usageError(p, 'missing file operand');
  const text = o.value('size');
  const reference = o.value('reference');
  let base: number | undefined;
  if (reference !== undefined) {
    const info = yield* stat(p, reference);
    if (typeof info === 'number') {
      yield* p.error(`cannot stat '${reference}': ${strerror(info)}`);
      return 1;
    }
    base = info.size;
  } else if (text === undefined) {
    return yield* usageError(p, "you must specify either '--size' or '--reference'");
  }
  const match = /^\s*([-+<>/%]?)(.*)$/.exec(text ?? '+0')!;
  const amount = parseSize(match[2]!);
  if (amount === undefined) {
    yield* p.error(`Invalid number: '${text}'`);
    return 1;
  }
  let status = 0;
  for (const path of o.operands) {
    const fd = yield* open(p, path, O_WRONLY | (o.has('no-create') ? 0 : O_CREAT));
    if (fd === -errno.ENOENT && o.has('no-create')) continue;
    const info = fd < 0 ? fd : yield* fstat(p, fd);
    if (typeof info === 'number') {
      yield* p.error(`cannot open '${path}' for writing: ${strerror(info)}`);
      status = 1;
      continue;
    }
    const failed = yield* ftruncate(fd, resized(base ?? info.size, match[1]!, amount));
    if (failed < 0) {
      yield* p.error(`failed to truncate '${path}': ${strerror(failed)}`);
      status = 1;
    }
    yield* close(fd);
  }
  return status;
};

function resized(size: number, how: string, amount: number): number {
  switch (how) {
    case '+':
      return size + amount;
    case '-':
      return Math.max(0, size - amount);
    case '<':
      return Math.min(size, amount);
    case '>':
      return Math.max(size, amount);
    case '/':
      return Math.floor(size / amount) * amount;
    case '%':
      return Math.ceil(size / amount) * amount;
    default:
      return amount;
  }
}

export const mktemp: Tool = function* (p, args) {
  const o = yield* getopt(p, args, {
    usage: '[OPTION]... [TEMPLATE]',
    about: 'Create a temporary file or directory, safely, and print its name.',
    options: [
      { short: 'd', long: 'directory', help: 'create a directory, not a file' },
      {
        short: 'p',
        long: 'tmpdir',
        arg: 'DIR',
        optional: true,
        help: 'interpret TEMPLATE relative to DIR',
      },
      { short: 'q', long: 'quiet', help: 'suppress diagnostics about failure' },
      { long: 'suffix', arg: 'SUFF', help: 'append SUFF to TEMPLATE' },
      { short: 't', help: 'interpret TEMPLATE relative to $TMPDIR or /tmp' },
      { short: 'u', long: 'dry-run', help: 'do not create anything; merely print a name' },
    ],
  });
  // -p takes its argument as the next word too.
  let directory = o.has('tmpdir') ? o.value('tmpdir') : undefined;
  const operands = [...o.operands];
  if (directory === '' && args.includes('-p')) directory = operands.shift();
  const [template = 'tmp.XXXXXXXXXX', extra] = operands;
  if (extra !== undefined) return yield* usageError(p, 'too many templates');
  const usesDirectory = operands.length === 0 || o.has('t') || o.has('tmpdir');
  const base = directory || p.env.get('TMPDIR') || '/tmp';
  const match = /^(.*?)(X+)([^X]*)$/s.exec(template);
  if (!match || match[2]!.length < 3) {
    yield* p.error(`too few X's in template '${template}'`);
    return 1;
  }
  const suffix = match[3]! + (o.value('suffix') ?? '');
  for (let attempt = 0; attempt < 100; attempt++) {
    const name = match[1]! + (yield* randomName(p, match[2]!.length)) + suffix;
    const path = usesDirectory ? `${base.replace(/\/+$/, '')}/${name}` : name;
    if (o.has('dry-run')) {
      yield* p.println(path);
      return 0;
    }
    const made = o.has('directory')
      ? yield* mkdir(p, path, 0o700)
      : yield* open(p, path, O_RDWR | O_CREAT | O_EXCL, 0o600);
    if (made >= 0) {
      yield* p.println(path);
      return 0;
    }
    if (made === -errno.EEXIST) continue;
    const what = o.has('directory') ? 'directory' : 'file';
    const shown = usesDirectory ? `${base.replace(/\/+$/, '')}/${template}` : template;
    if (!o.has('quiet'))
      yield* p.error(`failed to create ${what} via template '${shown}': ${strerror(made)}`);
    return 1;
  }
  return 1;
};

const LETTERS = 'abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789';

function* randomName(p: Process, length: number): UserFlow<string> {
  const fd = yield* open(p, '/dev/urandom', O_RDONLY);
  const got = fd < 0 ? fd : yield* read(p, fd, Math.min(256, length));
  if (fd >= 0) yield* close(fd);
  const bytes = typeof got === 'number' ? new Uint8Array(length) : got;
  return Array.from(
    { length },
    (_, at) => LETTERS[(bytes[at % bytes.length] ?? 0) % LETTERS.length],
  ).join('');
}

export const sync: Tool = function* (p, args) {
  const o = yield* getopt(p, args, {
    usage: '[OPTION] [FILE]...',
    about: 'Synchronize cached writes to persistent storage.',
    options: [
      { short: 'd', long: 'data', help: 'sync only file data, no unneeded metadata' },
      { short: 'f', long: 'file-system', help: 'sync the file systems that contain the files' },
    ],
  });
  if (o.operands.length === 0) yield* syscall(NR.sync);
  let status = 0;
  for (const path of o.operands) {
    const fd = yield* open(p, path, O_RDONLY);
    if (fd < 0) {
      yield* p.error(`error opening '${path}': ${strerror(fd)}`);
      status = 1;
      continue;
    }
    yield* syscall(NR.fsync, fd);
    yield* close(fd);
  }
  return status;
};

export const strings: Tool = function* (p, args) {
  const o = yield* getopt(p, args, {
    usage: '[OPTION]... [FILE]...',
    about: 'Display printable strings in FILE(s).',
    options: [
      { short: 'a', long: 'all', help: '(default)' },
      { short: 'n', long: 'bytes', arg: 'NUMBER', help: 'at least NUMBER characters (default 4)' },
      {
        short: 't',
        long: 'radix',
        arg: 'RADIX',
        help: 'print the location in base 8, 10 or 16: o, d, x',
      },
      {
        short: 'f',
        long: 'print-file-name',
        help: 'print the name of the file before each string',
      },
    ],
    number: 'bytes',
  });
  const least = Number(o.value('bytes') ?? 4);
  if (!(least >= 1)) {
    yield* p.error(`minimum string length is too small: ${o.value('bytes')}`);
    return 1;
  }
  const radix = { o: 8, d: 10, x: 16 }[o.value('radix') ?? ''];
  return yield* eachInput(p, o.operands, function* (stream, name) {
    const bytes = yield* stream.readAll();
    let start = -1;
    for (let at = 0; at <= bytes.length; at++) {
      const byte = bytes[at] ?? 0;
      const isText = byte === 9 || (byte >= 32 && byte < 127);
      if (isText && start < 0) start = at;
      if (isText || start < 0) continue;
      if (at - start >= least) {
        const file = o.has('print-file-name') ? `${name}: ` : '';
        const place = radix ? `${start.toString(radix).padStart(7)} ` : '';
        yield* p.print(
          concatBytes([encodeText(file + place), bytes.subarray(start, at), Uint8Array.of(10)]),
        );
      }
      start = -1;
    }
  });
};
