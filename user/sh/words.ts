/**
 * Words: quoting and the `$` forms (POSIX XCU 2.2, 2.6), read into parts that expansion works on.
 *
 *   readWord(source)              one word, undefined if none starts here
 *   readQuoted(source, end)       as between double quotes, up to `end` ('"' or '' for all)
 */
import type { Part, Word } from './ast.ts';
import { literal } from './ast.ts';
import { Incomplete, ShellSyntaxError, Source } from './source.ts';

const WORD_END = new Set([' ', '\t', '\n', '|', '&', ';', '<', '>', '(', ')', '']);
const NAME = /[A-Za-z_][A-Za-z0-9_]*/y;
const SPECIAL = '@*#?-$!';

export function isName(text: string): boolean {
  return /^[A-Za-z_][A-Za-z0-9_]*$/.test(text);
}

export function readWord(source: Source): Word | undefined {
  if (WORD_END.has(source.peek())) return undefined;
  const parts = new Parts();
  while (!WORD_END.has(source.peek())) readWordPiece(source, parts);
  return parts.done();
}

/** Collects parts; neighbouring literals of one kind become one. */
class Parts {
  readonly #parts: Part[] = [];

  add(part: Part): void {
    const last = this.#parts.at(-1);
    if (part.kind === 'literal' && last?.kind === 'literal' && last.quoted === part.quoted) {
      this.#parts[this.#parts.length - 1] = literal(last.text + part.text, part.quoted);
    } else this.#parts.push(part);
  }

  done(): Word {
    return this.#parts;
  }
}

function readWordPiece(source: Source, parts: Parts): void {
  const char = source.next();
  switch (char) {
    case '\\':
      if (source.at >= source.text.length) parts.add(literal('\\', true));
      else parts.add(literal(source.next(), true));
      return;
    case "'":
      parts.add(literal(readSingleQuoted(source), true));
      return;
    case '"':
      parts.add(literal('', true));
      for (const part of readQuoted(source, '"')) parts.add(part);
      return;
    case '$':
      if (source.peek() === "'") {
        source.next();
        parts.add(literal(readAnsiQuoted(source), true));
      } else if (source.peek() === '"') {
        return;
      } else parts.add(readDollar(source, false));
      return;
    case '`':
      parts.add({ kind: 'command', source: readBackquoted(source, false), quoted: false });
      return;
    default:
      parts.add(literal(char, false));
  }
}

/** After the opening quote. */
function readSingleQuoted(source: Source): string {
  const end = source.text.indexOf("'", source.at);
  if (end < 0) throw new Incomplete("unexpected EOF while looking for matching `''");
  const text = source.text.slice(source.at, end);
  source.at = end + 1;
  return text;
}

/** $'…': C escapes. */
function readAnsiQuoted(source: Source): string {
  const simple: Record<string, string> = {
    n: '\n',
    t: '\t',
    r: '\r',
    a: '\x07',
    b: '\b',
    e: '\x1b',
    f: '\f',
    v: '\v',
  };
  let out = '';
  for (;;) {
    const char = source.text[source.at++];
    if (char === undefined) throw new Incomplete("unexpected EOF while looking for matching `''");
    if (char === "'") return out;
    if (char !== '\\') {
      out += char;
      continue;
    }
    const rest = source.text.slice(source.at, source.at + 6);
    const code = /^(?:x([0-9a-fA-F]{1,2})|u([0-9a-fA-F]{1,4})|([0-7]{1,3}))/.exec(rest);
    if (code) {
      out += String.fromCodePoint(
        code[3] !== undefined ? parseInt(code[3], 8) : parseInt(code[1] ?? code[2]!, 16),
      );
      source.at += code[0].length;
    } else {
      const letter = source.text[source.at++] ?? '\\';
      out += simple[letter] ?? letter;
    }
  }
}

/** Between double quotes, or a here-document's body with `end` ''. */
export function readQuoted(source: Source, end: '"' | ''): Part[] {
  const parts = new Parts();
  for (;;) {
    if (source.ended) {
      if (end === '') return [...parts.done()];
      throw new Incomplete('unexpected EOF while looking for matching `"\'');
    }
    const char = source.next();
    if (char === end) return [...parts.done()];
    if (char === '\\') {
      const escaped = source.peek();
      const special = end === '"' ? '$`"\\' : '$`\\';
      if (escaped !== '' && special.includes(escaped)) parts.add(literal(source.next(), true));
      else parts.add(literal('\\', true));
    } else if (char === '$') parts.add(readDollar(source, true));
    else if (char === '`') {
      parts.add({ kind: 'command', source: readBackquoted(source, end === '"'), quoted: true });
    } else parts.add(literal(char, true));
  }
}

/** After a `$`. */
function readDollar(source: Source, quoted: boolean): Part {
  const char = source.peek();
  if (char === '{') {
    source.next();
    return readBraced(source, quoted);
  }
  if (source.startsWith('((')) {
    const start = source.at;
    source.at += 2;
    const expression = readArithmetic(source);
    if (expression) return { kind: 'arithmetic', expression, quoted };
    source.at = start;
  }
  if (char === '(') {
    source.next();
    return { kind: 'command', source: readParenthesised(source), quoted };
  }
  NAME.lastIndex = source.at;
  const name = NAME.exec(source.text)?.[0];
  if (name !== undefined) {
    source.at += name.length;
    return { kind: 'parameter', name, op: '', quoted };
  }
  if (char !== '' && (SPECIAL.includes(char) || (char >= '0' && char <= '9'))) {
    source.next();
    return { kind: 'parameter', name: char, op: '', quoted };
  }
  return literal('$', quoted);
}

/** After `${`. */
function readBraced(source: Source, quoted: boolean): Part {
  const rest = source.text.slice(source.at);
  const length = /^#([A-Za-z_][A-Za-z0-9_]*|\d+|[@*?$!-])\}/.exec(rest);
  if (length) {
    source.at += length[0].length;
    return { kind: 'parameter', name: length[1]!, op: 'length', quoted };
  }
  const name = /^(?:[A-Za-z_][A-Za-z0-9_]*|\d+|[@*#?$!-])/.exec(rest)?.[0];
  if (name === undefined) {
    if (rest === '') throw new Incomplete("unexpected EOF while looking for matching `}'");
    throw new ShellSyntaxError('bad substitution');
  }
  source.at += name.length;
  if (source.peek() === '}') {
    source.next();
    return { kind: 'parameter', name, op: '', quoted };
  }
  const op = /^(?::[-=?+]|##|%%|\/\/|[-=?+#%/:])/.exec(source.text.slice(source.at))?.[0];
  if (op === undefined) {
    if (source.ended) throw new Incomplete("unexpected EOF while looking for matching `}'");
    throw new ShellSyntaxError('bad substitution');
  }
  source.at += op.length;
  const stop = op === '/' || op === '//' ? '/' : op === ':' ? ':' : '';
  const { word, stopped } = readBracedWord(source, quoted, stop);
  const second = stopped ? readBracedWord(source, quoted, '').word : undefined;
  return { kind: 'parameter', name, op, word, ...(second ? { second } : {}), quoted };
}

/** Up to the closing brace, or up to `stop`. */
function readBracedWord(
  source: Source,
  quoted: boolean,
  stop: string,
): { word: Word; stopped: boolean } {
  const parts = new Parts();
  for (;;) {
    const char = source.peek();
    if (char === '') throw new Incomplete("unexpected EOF while looking for matching `}'");
    if (char === '}' || char === stop) {
      source.next();
      return { word: parts.done(), stopped: char === stop };
    }
    if (char === "'" && quoted) parts.add(literal(source.next(), true));
    else if (char === '"' && quoted) {
      source.next();
      for (const part of readQuoted(source, '"')) parts.add(part);
    } else if (quoted && char === '$') {
      source.next();
      parts.add(readDollar(source, true));
    } else readWordPiece(source, parts);
  }
}

/** After `((`: up to the matching `))`; undefined if it is no arithmetic but nested subshells. */
export function readArithmetic(source: Source): Word | undefined {
  const start = source.at;
  let depth = 0;
  for (let at = start; at < source.text.length; at++) {
    const char = source.text[at];
    if (char === '(') depth++;
    else if (char === ')') {
      if (depth > 0) depth--;
      else if (source.text[at + 1] === ')') {
        source.at = at + 2;
        return readQuoted(new Source(source.text.slice(start, at)), '');
      } else return undefined;
    }
  }
  throw new Incomplete("unexpected EOF while looking for matching `))'");
}

/** After `$(`: the text up to the matching parenthesis, quotes and nesting respected. */
export function readParenthesised(source: Source): string {
  const start = source.at;
  let depth = 0;
  let caseDepth = 0;
  let wordStart = true;
  while (source.at < source.text.length) {
    const char = source.text[source.at]!;
    if (wordStart && /^case\s/.test(source.text.slice(source.at, source.at + 5))) caseDepth++;
    if (wordStart && caseDepth > 0 && /^esac\b/.test(source.text.slice(source.at, source.at + 5))) {
      caseDepth--;
    }
    if (wordStart && char === '#') {
      const end = source.text.indexOf('\n', source.at);
      if (end < 0) break;
      source.at = end;
      continue;
    }
    source.at++;
    wordStart = /[\s;|&()]/.test(char);
    if (char === '\\') source.at++;
    else if (char === "'") readSingleQuoted(source);
    else if (char === '"') readQuoted(source, '"');
    else if (char === '(') depth++;
    else if (char === ')') {
      if (depth > 0) depth--;
      else if (caseDepth === 0) return source.text.slice(start, source.at - 1);
    }
  }
  throw new Incomplete("unexpected EOF while looking for matching `)'");
}

/** After a backquote: the command's text with its own escapes taken off. */
function readBackquoted(source: Source, inQuotes: boolean): string {
  let out = '';
  for (;;) {
    const char = source.text[source.at++];
    if (char === undefined) throw new Incomplete("unexpected EOF while looking for matching ``'");
    if (char === '`') return out;
    if (char === '\\') {
      const escaped = source.text[source.at] ?? '';
      const special = inQuotes ? '$`\\"' : '$`\\';
      if (escaped !== '' && special.includes(escaped)) {
        source.at++;
        out += escaped;
        continue;
      }
    }
    out += char;
  }
}
