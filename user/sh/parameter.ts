/** `$name` and the `${…}` forms (POSIX XCU 2.6.2), with bash's arrays, slices and substitutions. */
import type { UserFlow } from '../../kernel/syscall/abi.ts';
import type { ParameterPart, Word } from './ast.ts';
import type { Chunk } from './expand.ts';
import { evaluateText, joinChunks } from './expand.ts';
import { fetchValues } from './fetched.ts';
import { compilePattern, matchPattern, quotePattern } from './pattern.ts';
import { quoteWord } from './quote.ts';
import type { Shell } from './shell.ts';
import { ShellError } from './shell.ts';

type ExpandChunks = (shell: Shell, word: Word, where: 'nested') => UserFlow<Chunk[]>;

/** What a parameter stands for: one value, or a list that "…@" keeps apart and "…*" joins. */
interface Value {
  /** Undefined elements do not occur; a single value that is unset is. */
  readonly values: readonly (string | undefined)[];
  readonly list: '@' | '*' | undefined;
  /** For messages, and to assign to. */
  readonly name: string;
  readonly subscript: string | undefined;
}

export function* expandParameter(
  shell: Shell,
  part: ParameterPart,
  expandChunks: ExpandChunks,
): UserFlow<Chunk[]> {
  const { op, quoted } = part;
  if (op === 'bad') throw new ShellError(`${part.name}: bad substitution`);
  const one = (text: string): Chunk[] => [{ text, quoted, split: !quoted }];
  const value = yield* valueOf(shell, part);
  const { list, name } = value;
  const word = part.word ?? [];
  const colon = op.startsWith(':') && op.length === 2;
  const present = value.values.filter((text) => text !== undefined);
  const isMissing = present.length === 0 || (colon && present.join('') === '');
  switch (colon ? op.slice(1) : op) {
    case '-':
      if (isMissing) return yield* expandChunks(shell, word, 'nested');
      return chunks(shell, value, present, quoted);
    case '+':
      return isMissing ? emptyValue(quoted) : yield* expandChunks(shell, word, 'nested');
    case '=': {
      if (!isMissing) return chunks(shell, value, present, quoted);
      const text = joinChunks(yield* expandChunks(shell, word, 'nested'));
      if (!/^[A-Za-z_]/.test(name)) throw new ShellError(`$${name}: cannot assign in this way`);
      if (value.subscript === undefined) shell.set(name, text);
      else shell.variables.assignElement(name, value.subscript, text);
      return one(text);
    }
    case '?': {
      if (!isMissing) return chunks(shell, value, present, quoted);
      const text = joinChunks(yield* expandChunks(shell, word, 'nested'));
      const reason = text || (colon ? 'parameter null or not set' : 'parameter not set');
      throw new ShellError(`${name}: ${reason}`, 1, true);
    }
  }
  if (op === 'names') {
    const names = shell.variables.names().filter((other) => other.startsWith(part.name));
    return chunks(shell, { ...value, list: '@' }, names, quoted);
  }
  if (op === 'keys') {
    const keys = shell.entries(part.name).map(([key]) => key);
    return chunks(shell, { ...value, list: list ?? '@' }, keys, quoted);
  }
  if (present.length === 0 && !list) {
    if (shell.options.has('nounset')) {
      throw new ShellError(`${name}: unbound variable`, 1, true);
    }
    if (op === '') return emptyValue(quoted);
  }
  switch (op) {
    case '':
      return chunks(shell, value, present, quoted);
    case 'length':
      return one(String(list ? present.length : [...(present[0] ?? '')].length));
    case ':': {
      const slice = yield* slicer(shell, part, expandChunks);
      if (list) return chunks(shell, value, sliceList(shell, value, present, slice), quoted);
      return one(sliceText(present[0] ?? '', slice));
    }
  }
  const change = yield* changer(shell, part, expandChunks);
  return chunks(shell, value, list ? present.map(change) : [change(present[0] ?? '')], quoted);
}

function* valueOf(shell: Shell, part: ParameterPart): UserFlow<Value> {
  if (part.indirect && part.op !== 'names' && part.op !== 'keys') {
    const target = (yield* lookup(shell, part.name, part.index)).values[0];
    if (target === undefined) throw new ShellError(`${part.name}: invalid indirect expansion`);
    const match = /^([A-Za-z_]\w*|\d+|[@*#?$!-])(?:\[(.*)\])?$/s.exec(target);
    if (!match) throw new ShellError(`${target}: invalid variable name`);
    const [, name = '', subscript] = match;
    return yield* element(shell, name, subscript);
  }
  return yield* lookup(shell, part.name, part.index);
}

function* lookup(shell: Shell, name: string, index: Word | undefined): UserFlow<Value> {
  return yield* element(shell, name, index && (yield* shell.executor.expandText(shell, index)));
}

function* element(shell: Shell, name: string, subscript: string | undefined): UserFlow<Value> {
  if (subscript === undefined) {
    if (name === '@' || name === '*') {
      return { values: shell.args, list: name, name, subscript };
    }
    yield* fetchValues(shell, [name]);
    const value = name === 'PIPESTATUS' ? String(shell.pipeStatus[0]) : shell.parameter(name);
    return { values: [value], list: undefined, name, subscript };
  }
  if (subscript === '@' || subscript === '*') {
    const values = shell.entries(name).map(([, value]) => value);
    return { values, list: subscript, name: `${name}[${subscript}]`, subscript };
  }
  const special = shell.variables.lookup(name) ? undefined : shell.entries(name);
  const key = special?.length ? String(yield* evaluateText(shell, subscript)) : subscript;
  const value = special?.length
    ? special.find(([index]) => index === key)?.[1]
    : shell.variables.element(name, subscript);
  return { values: [value], list: undefined, name, subscript };
}

/** Nothing; between quotes an empty field all the same. */
function emptyValue(quoted: boolean): Chunk[] {
  return quoted ? [{ text: '', quoted: true, split: false }] : [];
}

function chunks(
  shell: Shell,
  { list }: Value,
  values: readonly string[],
  quoted: boolean,
): Chunk[] {
  if (list === '*' && quoted) {
    const ifs = shell.get('IFS');
    const separator = ifs === undefined ? ' ' : (ifs[0] ?? '');
    return [{ text: values.join(separator), quoted: true, split: false }];
  }
  return values.map((text, index) => ({
    text,
    quoted,
    split: !quoted,
    ...(index > 0 ? { breaks: true as const } : {}),
  }));
}

interface Slice {
  readonly offset: number;
  readonly length: number | undefined;
}

function* slicer(shell: Shell, part: ParameterPart, expandChunks: ExpandChunks): UserFlow<Slice> {
  const offset = joinChunks(yield* expandChunks(shell, part.word ?? [], 'nested'));
  const length = part.second && joinChunks(yield* expandChunks(shell, part.second, 'nested'));
  return {
    offset: Number(yield* evaluateText(shell, offset)),
    length: length === undefined ? undefined : Number(yield* evaluateText(shell, length)),
  };
}

function sliceText(text: string, { offset, length }: Slice): string {
  const chars = [...text];
  const start = offset < 0 ? chars.length + offset : offset;
  if (start < 0 || start > chars.length) return '';
  if (length === undefined) return chars.slice(start).join('');
  const end = length < 0 ? chars.length + length : start + length;
  if (end < start) throw new ShellError(`${length}: substring expression < 0`);
  return chars.slice(start, end).join('');
}

/** Positional parameters count from $0, an array's elements by their index. */
function sliceList(
  shell: Shell,
  { name, subscript }: Value,
  values: readonly string[],
  { offset, length }: Slice,
): string[] {
  if (length !== undefined && length < 0) {
    throw new ShellError(`${length}: substring expression < 0`);
  }
  if (subscript === undefined) {
    const all = [shell.name, ...values];
    const start = offset < 0 ? all.length + offset : offset;
    return start < 0 ? [] : all.slice(start, length === undefined ? undefined : start + length);
  }
  const base = name.slice(0, name.indexOf('['));
  const keys = shell.entries(base).map(([key]) => Number(key));
  const start = offset < 0 ? Math.max(-1, ...keys) + 1 + offset : offset;
  const first = keys.findIndex((key) => key >= start);
  if (first < 0 || start < 0) return [];
  return values.slice(first, length === undefined ? undefined : first + length);
}

/** What the operators make of one value. */
function* changer(
  shell: Shell,
  part: ParameterPart,
  expandChunks: ExpandChunks,
): UserFlow<(text: string) => string> {
  const { op } = part;
  const pattern = patternText(yield* expandChunks(shell, part.word ?? [], 'nested'));
  switch (op) {
    case '#':
    case '##':
    case '%':
    case '%%':
      return (text) => trim(text, op, pattern);
    case '/':
    case '//': {
      const second = yield* expandChunks(shell, part.second ?? [], 'nested');
      return (text) => replace(text, pattern, replacementOf(second), op === '//');
    }
    case '@':
      return (text) => transform(text, pattern);
    default: {
      const change = (char: string): string =>
        op.startsWith('^') ? char.toUpperCase() : char.toLowerCase();
      const isHit = (char: string): boolean => pattern === '' || matchPattern(pattern, char);
      return (text) =>
        [...text]
          .map((char, index) =>
            (op.length === 2 || index === 0) && isHit(char) ? change(char) : char,
          )
          .join('');
    }
  }
}

function transform(text: string, letter: string): string {
  switch (letter) {
    case 'Q':
      return `'${text.replaceAll("'", "'\\''")}'`;
    case 'K':
    case 'A':
      return quoteWord(text);
    case 'U':
      return text.toUpperCase();
    case 'L':
      return text.toLowerCase();
    case 'u':
      return text.slice(0, 1).toUpperCase() + text.slice(1);
    case 'a':
      return '';
    case 'E':
    case 'P':
      return text;
    default:
      throw new ShellError('bad substitution');
  }
}

function patternText(list: readonly Chunk[]): string {
  return list.map((chunk) => (chunk.quoted ? quotePattern(chunk.text) : chunk.text)).join('');
}

function trim(text: string, op: string, source: string): string {
  const pattern = compilePattern(source);
  const chars = [...text];
  const reach = op.length === 2 ? 'longest' : 'shortest';
  if (op.startsWith('#')) {
    const end = pattern.prefix(chars, reach);
    return end < 0 ? text : chars.slice(end).join('');
  }
  const start = pattern.suffix(chars, reach);
  return start < 0 ? text : chars.slice(0, start).join('');
}

/** An unquoted & stands for what matched (bash 5.2's patsub_replacement). */
function replacementOf(second: readonly Chunk[]): (hit: string) => string {
  return (hit) =>
    second
      .map(({ text, quoted }) =>
        quoted ? text : text.replace(/\\?&/g, (mark) => (mark === '&' ? hit : '&')),
      )
      .join('');
}

function replace(text: string, source: string, by: (hit: string) => string, all: boolean): string {
  const chars = [...text];
  const anchor = all ? '' : source[0];
  if (anchor === '#') {
    const end = compilePattern(source.slice(1)).prefix(chars, 'longest');
    if (end < 0) return text;
    return by(chars.slice(0, end).join('')) + chars.slice(end).join('');
  }
  if (anchor === '%') {
    const start = compilePattern(source.slice(1)).suffix(chars, 'longest');
    if (start < 0) return text;
    return chars.slice(0, start).join('') + by(chars.slice(start).join(''));
  }
  let out = '';
  let done = 0;
  for (const [start, end] of compilePattern(source).occurrences(chars)) {
    out += chars.slice(done, start).join('') + by(chars.slice(start, end).join(''));
    done = end;
    if (!all) break;
  }
  return out + chars.slice(done).join('');
}
