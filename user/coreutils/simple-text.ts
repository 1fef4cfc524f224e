/** Small text tools: tac, rev, nl, seq, yes, basename, dirname. */
import { formatDirective } from '../libc/format.ts';
import { getopt, usageError } from '../libc/getopt.ts';
import type { Tool } from '../libc/process.ts';
import { basename as baseOf, dirname as dirOf } from '../libc/process.ts';
import { decodeText } from '../libc/text.ts';
import { eachInput } from './input.ts';

export const tac: Tool = function* (p, args) {
  const o = yield* getopt(p, args, {
    usage: '[FILE]...',
    about: 'Write each FILE to standard output, last line first.',
  });
  return yield* eachInput(p, o.operands, function* (stream) {
    const text = decodeText(yield* stream.readAll());
    if (text === '') return;
    for (const line of text.replace(/\n$/, '').split('\n').reverse()) yield* p.println(line);
  });
};

export const rev: Tool = function* (p, args) {
  const o = yield* getopt(p, args, {
    usage: '[FILE]...',
    about: 'Reverse lines characterwise.',
  });
  return yield* eachInput(p, o.operands, function* (stream) {
    for (;;) {
      const line = yield* stream.readLine();
      if (line === undefined) return;
      yield* p.println([...line].reverse().join(''));
    }
  });
};

export const nl: Tool = function* (p, args) {
  const o = yield* getopt(p, args, {
    usage: '[FILE]...',
    about: 'Write each FILE to standard output, with line numbers added.',
    options: [
      { short: 'b', long: 'body-numbering', arg: 'STYLE', help: 'a: all lines, t: nonempty' },
    ],
  });
  const all = o.value('body-numbering') === 'a';
  let number = 0;
  return yield* eachInput(p, o.operands, function* (stream) {
    for (;;) {
      const line = yield* stream.readLine();
      if (line === undefined) return;
      const counted = all || line !== '';
      yield* p.println(counted ? `${String(++number).padStart(6)}\t${line}` : `       ${line}`);
    }
  });
};

/** seq(1): FIRST may be negative, so options are read by hand. */
export const seq: Tool = function* (p, args) {
  const numbers: string[] = [];
  let separator = '\n';
  let pad = false;
  let format: string | undefined;
  for (let at = 0; at < args.length; at++) {
    const arg = args[at]!;
    if (/^-s/.test(arg)) separator = arg.length > 2 ? arg.slice(2) : (args[++at] ?? '');
    else if (arg === '-w') pad = true;
    else if (arg === '-f') format = args[++at];
    else if (arg === '--help') {
      yield* p.print(
        'Usage: seq [-w] [-s SEPARATOR] [-f FORMAT] [FIRST [INCREMENT]] LAST\n' +
          'Print numbers from FIRST to LAST, in steps of INCREMENT.\n',
      );
      return 0;
    } else numbers.push(arg);
  }
  if (numbers.length === 0 || numbers.length > 3) {
    return yield* usageError(
      p,
      numbers.length === 0 ? 'missing operand' : `extra operand '${numbers[3]}'`,
    );
  }
  const bad = numbers.find((text) => text.trim() === '' || Number.isNaN(Number(text)));
  if (bad !== undefined) return yield* usageError(p, `invalid floating point argument: '${bad}'`);
  const last = Number(numbers.at(-1));
  const first = numbers.length > 1 ? Number(numbers[0]) : 1;
  const step = numbers.length > 2 ? Number(numbers[1]) : 1;
  if (step === 0) return yield* usageError(p, "invalid Zero increment value: '0'");
  const places = Math.min(100, Math.max(...numbers.map((text) => text.split('.')[1]?.length ?? 0)));
  const width = pad ? Math.max(first.toFixed(places).length, last.toFixed(places).length) : 0;
  const count = Math.floor((last - first) / step + 1e-10) + 1;
  for (let i = 0; i < count; i++) {
    const value = first + i * step;
    const text =
      format === undefined
        ? formatDirective(`%0${width || ''}.${places}f`, value)
        : format.replace(/%[-0+ #]*\d*(?:\.\d+)?[efg]/, (d) => formatDirective(d, value));
    yield* p.print(i === 0 ? text : separator + text);
  }
  if (count > 0) yield* p.print('\n');
  return 0;
};

export const yes: Tool = function* (p, args) {
  if (args[0] === '--help') {
    yield* p.print('Usage: yes [STRING]...\nRepeatedly output a line with all STRING(s), or y.\n');
    return 0;
  }
  const block = `${args.length > 0 ? args.join(' ') : 'y'}\n`.repeat(512);
  while (p.stdout.error === 0) yield* p.print(block);
  return 1;
};

export const basename: Tool = function* (p, args) {
  const o = yield* getopt(p, args, {
    usage: 'NAME [SUFFIX]',
    about: 'Print NAME with any leading directory components removed.',
  });
  const [path, suffix = ''] = o.operands;
  if (path === undefined) return yield* usageError(p, 'missing operand');
  const name = baseOf(path);
  const cut = suffix !== '' && name !== suffix && name.endsWith(suffix);
  yield* p.println(cut ? name.slice(0, -suffix.length) : name);
  return 0;
};

export const dirname: Tool = function* (p, args) {
  const o = yield* getopt(p, args, {
    usage: 'NAME...',
    about: 'Output each NAME with its last non-slash component removed.',
  });
  if (o.operands.length === 0) return yield* usageError(p, 'missing operand');
  for (const path of o.operands) yield* p.println(dirOf(path));
  return 0;
};
