/** Small text tools: tac, rev, nl, yes, basename, dirname. */
import { getopt, usageError } from '../libc/getopt.ts';
import { basename as baseOf, dirname as dirOf } from '../libc/process.ts';
import type { Tool } from '../libc/process.ts';
import { RegexError } from '../libc/regex/regex.ts';
import { compileRegex } from '../libc/regex/regex.ts';
import type { Regex } from '../libc/regex/regex.ts';
import { decodeText } from '../libc/text.ts';
import { eachInput } from './input.ts';

export const tac: Tool = function* (p, args) {
  const o = yield* getopt(p, args, {
    usage: '[OPTION]... [FILE]...',
    about: 'Write each FILE to standard output, last line first.',
    options: [
      { short: 'b', long: 'before', help: 'attach the separator before instead of after' },
      { short: 's', long: 'separator', arg: 'STRING', help: 'use STRING as the separator' },
    ],
  });
  const separator = o.value('separator') ?? '\n';
  return yield* eachInput(
    p,
    o.operands,
    function* (stream) {
      const text = decodeText(yield* stream.readAll());
      const pieces = text.split(separator);
      // Each record keeps its separator; what is after the last one has none.
      const records = pieces.map((piece, index) => {
        if (o.has('before')) return (index > 0 ? separator : '') + piece;
        return piece + (index < pieces.length - 1 ? separator : '');
      });
      for (const record of records.reverse()) yield* p.print(record);
    },
    (name, reason) => `failed to open '${name}' for reading: ${reason}`,
  );
};

export const rev: Tool = function* (p, args) {
  const o = yield* getopt(p, args, {
    usage: '[FILE]...',
    about: 'Reverse lines characterwise.',
  });
  return yield* eachInput(
    p,
    o.operands,
    function* (stream) {
      for (;;) {
        const bytes = yield* stream.readLineBytes();
        if (!bytes) return;
        const line = decodeText(bytes);
        const ended = line.endsWith('\n');
        const chars = [...(ended ? line.slice(0, -1) : line)];
        yield* p.print(chars.reverse().join('') + (ended ? '\n' : ''));
      }
    },
    (name, reason) => `cannot open ${name}: ${reason}`,
  );
};

export const nl: Tool = function* (p, args) {
  const o = yield* getopt(p, args, {
    usage: '[OPTION]... [FILE]...',
    about: 'Write each FILE to standard output, with line numbers added.',
    options: [
      {
        short: 'b',
        long: 'body-numbering',
        arg: 'STYLE',
        help: 'a: all lines, t: nonempty, n: none, pBRE',
      },
      {
        short: 'i',
        long: 'line-increment',
        arg: 'NUMBER',
        help: 'line number increment at each line',
      },
      {
        short: 'n',
        long: 'number-format',
        arg: 'FORMAT',
        help: 'ln, rn or rz: left, right, right with zeros',
      },
      { short: 's', long: 'number-separator', arg: 'STRING', help: 'add STRING after the number' },
      { short: 'v', long: 'starting-line-number', arg: 'NUMBER', help: 'first line number' },
      {
        short: 'w',
        long: 'number-width',
        arg: 'NUMBER',
        help: 'use NUMBER columns for line numbers',
      },
    ],
  });
  const style = o.value('body-numbering') ?? 't';
  const width = Number(o.value('number-width') ?? 6);
  const separator = o.value('number-separator') ?? '\t';
  const format = o.value('number-format') ?? 'rn';
  const step = Number(o.value('line-increment') ?? 1);
  let number = Number(o.value('starting-line-number') ?? 1);
  if (!/^(?:[atn]|p.*)$/.test(style)) {
    return yield* usageError(p, `invalid body numbering style: '${style}'`);
  }
  if (!/^(?:ln|rn|rz)$/.test(format)) {
    return yield* usageError(p, `invalid line numbering format: '${format}'`);
  }
  if (!(width >= 1)) {
    yield* p.error(`invalid line number field width: '${o.value('number-width')}'`);
    return 1;
  }
  let pattern: Regex | undefined;
  try {
    if (style.startsWith('p')) pattern = compileRegex(style.slice(1));
  } catch (caught) {
    if (!(caught instanceof RegexError)) throw caught;
    yield* p.error(caught.message);
    return 1;
  }
  const show = (value: number): string => {
    if (format === 'ln') return String(value).padEnd(width);
    return String(value).padStart(width, format === 'rz' ? '0' : ' ');
  };
  return yield* eachInput(p, o.operands, function* (stream) {
    for (;;) {
      const line = yield* stream.readLine();
      if (line === undefined) return;
      const counted =
        style === 'a' || (style === 't' && line !== '') || (pattern?.test(line) ?? false);
      if (!counted) {
        yield* p.println(' '.repeat(width + separator.length) + line);
        continue;
      }
      yield* p.println(show(number) + separator + line);
      number += step;
    }
  });
};

export const yes: Tool = function* (p, args) {
  if (args[0] === '--help') {
    yield* p.print('Usage: yes [STRING]...\nRepeatedly output a line with all STRING(s), or y.\n');
    return 0;
  }
  const words = args[0] === '--' ? args.slice(1) : args;
  const line = `${words.length > 0 ? words.join(' ') : 'y'}\n`;
  const block = line.repeat(Math.max(1, Math.ceil(1024 / line.length)));
  while (p.stdout.error === 0) yield* p.print(block);
  return 1;
};

export const basename: Tool = function* (p, args) {
  const o = yield* getopt(p, args, {
    usage: 'NAME [SUFFIX]\n   or: basename OPTION... NAME...',
    about: 'Print NAME with any leading directory components removed.',
    options: [
      { short: 'a', long: 'multiple', help: 'support multiple arguments' },
      { short: 's', long: 'suffix', arg: 'SUFFIX', help: 'remove a trailing SUFFIX; implies -a' },
      { short: 'z', long: 'zero', help: 'end each output line with NUL, not newline' },
    ],
  });
  if (o.operands.length === 0) return yield* usageError(p, 'missing operand');
  const multiple = o.has('multiple') || o.has('suffix');
  if (!multiple && o.operands.length > 2) {
    return yield* usageError(p, `extra operand '${o.operands[2]}'`);
  }
  const suffix = o.value('suffix') ?? (multiple ? '' : (o.operands[1] ?? ''));
  for (const path of multiple ? o.operands : o.operands.slice(0, 1)) {
    const name = baseOf(path);
    const isCut = suffix !== '' && name !== suffix && name.endsWith(suffix);
    yield* p.print((isCut ? name.slice(0, -suffix.length) : name) + (o.has('zero') ? '\0' : '\n'));
  }
  return 0;
};

export const dirname: Tool = function* (p, args) {
  const o = yield* getopt(p, args, {
    usage: '[OPTION] NAME...',
    about: 'Output each NAME with its last non-slash component removed.',
    options: [{ short: 'z', long: 'zero', help: 'end each output line with NUL, not newline' }],
  });
  if (o.operands.length === 0) return yield* usageError(p, 'missing operand');
  for (const path of o.operands) yield* p.print(dirOf(path) + (o.has('zero') ? '\0' : '\n'));
  return 0;
};
