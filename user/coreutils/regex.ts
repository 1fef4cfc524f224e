/**
 * POSIX regular expressions, basic and extended, turned into JavaScript's (flag `s` left out: a dot
 * does not match a newline). Leftmost-longest alternation is JavaScript's leftmost-first here.
 */
// differs: alternation takes the first branch that matches, not the longest.
import { escapeRegExp } from '../sh/pattern.ts';

export interface RegexOptions {
  readonly extended?: boolean;
  readonly fixed?: boolean;
  readonly ignoreCase?: boolean;
  readonly global?: boolean;
  /** -w and -x of grep. */
  readonly word?: boolean;
  readonly line?: boolean;
}

/** Undefined where the expression is malformed. */
export function posixRegExp(source: string, options: RegexOptions = {}): RegExp | undefined {
  let body = options.fixed ? escapeRegExp(source) : translate(source, options.extended ?? false);
  if (options.word) body = `(?<![\\p{L}\\p{N}_])(?:${body})(?![\\p{L}\\p{N}_])`;
  if (options.line) body = `^(?:${body})$`;
  try {
    return new RegExp(body, `u${options.ignoreCase ? 'i' : ''}${options.global ? 'g' : ''}`);
  } catch {
    return undefined;
  }
}

const CLASSES: Readonly<Record<string, string>> = {
  alpha: '\\p{L}',
  digit: '0-9',
  alnum: '\\p{L}\\p{N}',
  upper: '\\p{Lu}',
  lower: '\\p{Ll}',
  space: '\\s',
  blank: ' \\t',
  punct: '!-\\/:-@\\[-`\\{-~',
  xdigit: '0-9a-fA-F',
  cntrl: '\\x00-\\x1f\\x7f',
  print: '\\x20-\\x7e',
  graph: '\\x21-\\x7e',
};

function translate(source: string, extended: boolean): string {
  let out = '';
  for (let at = 0; at < source.length; at++) {
    const char = source[at]!;
    if (char === '[') {
      const end = bracketEnd(source, at);
      if (end < 0) return '(';
      out += bracket(source.slice(at + 1, end));
      at = end;
    } else if (char === '\\') {
      const next = source[++at] ?? '';
      if (!extended && '(){}|+?'.includes(next) && next !== '') out += next;
      else if (/[1-9]/.test(next)) out += `\\${next}(?:)`;
      else if (next === '<') out += '(?<!\\w)(?=\\w)';
      else if (next === '>') out += '(?<=\\w)(?!\\w)';
      else if (/[wWsSbBnt]/.test(next)) out += `\\${next}`;
      else out += next === '' ? '\\\\' : escapeRegExp(next);
    } else if (!extended && '(){}|+?'.includes(char)) out += `\\${char}`;
    else if (char === '*' && (out === '' || /(?:^|\\\(|\||\()\^?$/.test(source.slice(0, at)))) {
      // A star with nothing before it is itself.
      out += isGroupStart(source, at, extended) ? '\\*' : '*';
    } else if (char === '^' && !extended && !isGroupStart(source, at, false)) out += '\\^';
    else if (char === '$' && !extended && !isGroupEnd(source, at)) out += '\\$';
    else if (char === '{' && !/^\{\d+(,\d*)?\}|^\{,\d+\}/.test(source.slice(at))) out += '\\{';
    else if (char === '}' && !/\{\d*(,\d*)?$/.test(source.slice(0, at))) out += '\\}';
    else if (char === ']') out += '\\]';
    else out += char === '/' ? '\\/' : char;
  }
  return out;
}

/** Is `at` at the start of the expression or of a group or branch? */
function isGroupStart(source: string, at: number, extended: boolean): boolean {
  const before = source.slice(0, at);
  if (before === '' || before === '^') return true;
  return extended ? /[(|]\^?$/.test(before) : /\\[(|]\^?$/.test(before);
}

function isGroupEnd(source: string, at: number): boolean {
  const after = source.slice(at + 1);
  return after === '' || after.startsWith('\\)') || after.startsWith('\\|');
}

/** Index of the bracket that closes the expression opened at `at`; -1 if none does. */
function bracketEnd(source: string, at: number): number {
  let i = at + 1;
  if (source[i] === '^') i++;
  if (source[i] === ']') i++;
  for (; i < source.length; i++) {
    if (source[i] === '[' && source[i + 1] === ':') {
      const end = source.indexOf(':]', i + 2);
      if (end > 0) i = end + 1;
    } else if (source[i] === ']') return i;
  }
  return -1;
}

function bracket(inside: string): string {
  const negated = inside.startsWith('^');
  const body = (negated ? inside.slice(1) : inside).replace(
    /\[:(\w+):\]|[\\[\]^{}()|/$.*+?&!#%,:;<=>@`~]/g,
    (whole, name?: string) =>
      name !== undefined
        ? (CLASSES[name] ?? '')
        : /[\\[\]^{}()|/$.*+?]/.test(whole)
          ? `\\${whole}`
          : whole,
  );
  return `[${negated ? '^' : ''}${body.replace(/^-|-$/g, '\\-')}]`;
}
