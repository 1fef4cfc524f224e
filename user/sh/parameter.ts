/** `$name` and the `${…}` forms (POSIX XCU 2.6.2), and bash's `${x:off:len}` and `${x/a/b}`. */
import type { UserFlow } from '../../kernel/syscall/abi.ts';
import type { Part, Word } from './ast.ts';
import type { Chunk } from './expand.ts';
import { evaluate } from './arithmetic.ts';
import { patternSource, quotePattern } from './pattern.ts';
import type { Shell } from './shell.ts';
import { ShellError } from './shell.ts';

type ParameterPart = Extract<Part, { kind: 'parameter' }>;
type ExpandChunks = (shell: Shell, word: Word, where: 'nested') => UserFlow<Chunk[]>;

export function* expandParameter(
  shell: Shell,
  part: ParameterPart,
  expandChunks: ExpandChunks,
): UserFlow<Chunk[]> {
  const { name, op, quoted } = part;
  const chunk = (text: string): Chunk => ({ text, quoted, split: !quoted });
  const isAll = name === '@' || name === '*';
  const value = shell.parameter(name);
  if (op === '') {
    if (isAll) return allArguments(shell, name, quoted);
    if (value === undefined) return unset(shell, name) ?? emptyValue(quoted);
    return [chunk(value)];
  }
  const colon = op.startsWith(':') && op.length === 2;
  const missing = value === undefined || (colon && value === '');
  const word = part.word ?? [];
  switch (colon ? op.slice(1) : op) {
    case '-':
      if (missing) return yield* expandChunks(shell, word, 'nested');
      return isAll ? allArguments(shell, name, quoted) : [chunk(value)];
    case '+':
      return missing ? emptyValue(quoted) : yield* expandChunks(shell, word, 'nested');
    case '=': {
      if (!missing) return [chunk(value)];
      const text = textOf(yield* expandChunks(shell, word, 'nested'));
      if (!/^[A-Za-z_]/.test(name)) throw new ShellError(`$${name}: cannot assign in this way`);
      shell.set(name, text);
      return [chunk(text)];
    }
    case '?': {
      if (!missing) return [chunk(value)];
      const text = textOf(yield* expandChunks(shell, word, 'nested'));
      const reason = text || (colon ? 'parameter null or not set' : 'parameter not set');
      throw new ShellError(`${name}: ${reason}`, 127);
    }
  }
  if (value === undefined && shell.options.has('nounset') && !isAll) {
    throw new ShellError(`${name}: unbound variable`);
  }
  const text = value ?? '';
  switch (op) {
    case 'length':
      if (isAll) return [chunk(String(shell.args.length))];
      return [chunk(String([...text].length))];
    case '#':
    case '##':
    case '%':
    case '%%': {
      const pattern = patternText(yield* expandChunks(shell, word, 'nested'));
      return [chunk(trim(text, op, pattern))];
    }
    case '/':
    case '//': {
      const pattern = patternText(yield* expandChunks(shell, word, 'nested'));
      const replacement = textOf(yield* expandChunks(shell, part.second ?? [], 'nested'));
      return [chunk(replace(text, pattern, replacement, op === '//'))];
    }
    default: {
      const offset = textOf(yield* expandChunks(shell, word, 'nested'));
      const length = part.second && textOf(yield* expandChunks(shell, part.second, 'nested'));
      return [chunk(substring(shell, text, offset, length))];
    }
  }
}

function unset(shell: Shell, name: string): undefined {
  if (shell.options.has('nounset')) throw new ShellError(`${name}: unbound variable`);
  return undefined;
}

/** Nothing; between quotes an empty field all the same. */
function emptyValue(quoted: boolean): Chunk[] {
  return quoted ? [{ text: '', quoted: true, split: false }] : [];
}

function allArguments(shell: Shell, name: string, quoted: boolean): Chunk[] {
  const { args } = shell;
  if (quoted && name === '*') {
    const ifs = shell.get('IFS');
    const separator = ifs === undefined ? ' ' : (ifs[0] ?? '');
    return [{ text: args.join(separator), quoted: true, split: false }];
  }
  return args.map((text, index) => ({
    text,
    quoted,
    split: !quoted,
    ...(index > 0 ? { breaks: true as const } : {}),
  }));
}

function textOf(chunks: readonly Chunk[]): string {
  return chunks.map((chunk) => chunk.text).join('');
}

function patternText(chunks: readonly Chunk[]): string {
  return chunks.map((chunk) => (chunk.quoted ? quotePattern(chunk.text) : chunk.text)).join('');
}

function trim(text: string, op: string, pattern: string): string {
  const longest = op.length === 2;
  const source = patternSource(pattern, longest);
  if (op.startsWith('#')) return text.replace(new RegExp(`^(?:${source})`, 'su'), '');
  // A regular expression starts at the first place that fits, which is the longest suffix; the
  // shortest needs the last place, so let something greedy go before it.
  if (longest) return text.replace(new RegExp(`(?:${source})$`, 'su'), '');
  const match = new RegExp(`^(.*)(?:${source})$`, 'su').exec(text);
  return match ? match[1]! : text;
}

function replace(text: string, pattern: string, by: string, all: boolean): string {
  if (pattern === '') return text;
  const anchor = pattern[0];
  if (!all && (anchor === '#' || anchor === '%')) {
    const source = patternSource(pattern.slice(1));
    const anchored = anchor === '#' ? `^(?:${source})` : `(?:${source})$`;
    return text.replace(new RegExp(anchored, 'su'), () => by);
  }
  return text.replace(new RegExp(patternSource(pattern), all ? 'sug' : 'su'), () => by);
}

function substring(shell: Shell, text: string, offsetText: string, lengthText?: string): string {
  const variables = {
    get: (name: string) => shell.parameter(name),
    set: (name: string, value: string) => shell.set(name, value),
  };
  const chars = [...text];
  const offset = Number(evaluate(offsetText, variables));
  const start = offset < 0 ? chars.length + offset : offset;
  if (start < 0 || start > chars.length) return '';
  if (lengthText === undefined) return chars.slice(start).join('');
  const length = Number(evaluate(lengthText, variables));
  const end = length < 0 ? chars.length + length : start + length;
  if (end < start) throw new ShellError(`${lengthText}: substring expression < 0`);
  return chars.slice(start, end).join('');
}
