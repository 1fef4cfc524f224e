/**
 * Words: quoting and the `$` forms (POSIX XCU 2.2, 2.6), read into parts that expansion works on.
 *
 *   readWord(source)              one word, undefined if none starts here
 *   readQuoted(source, end)       as between double quotes, up to `end` ('"' or '' for all)
 *
 * `${…}` is read by `braced-parameter.ts`.
 */
import { decodeText, encodeText } from '../libc/text.ts';
import type { Part, Word } from './ast.ts';
import { literal } from './ast.ts';
import { readBraced } from './braced-parameter.ts';
import type { Source } from './source.ts';
import { Incomplete } from './source.ts';

const WORD_END = new Set([' ', '\t', '\n', '|', '&', ';', '<', '>', '(', ')', '']);
const NAME = /[A-Za-z_][A-Za-z0-9_]*/y;
const SPECIAL = '@*#?-$!';

export function isName(text: string): boolean {
  return /^[A-Za-z_][A-Za-z0-9_]*$/.test(text);
}

export function readWord(source: Source): Word | undefined {
  if (!atWord(source)) return undefined;
  const parts = new Parts();
  while (atWord(source)) {
    const isGlob = EXTENDED_GLOB.test(source.text.slice(source.at, source.at + 2));
    if (isGlob) readExtendedGlob(source, parts);
    else readWordPiece(source, parts);
  }
  return parts.done();
}

/** `?(`, `*(`, `+(`, `@(`, `!(`: the parentheses belong to the word. */
const EXTENDED_GLOB = /^[?*+@!]\(/;

function readExtendedGlob(source: Source, parts: Parts): void {
  parts.add(literal(source.next() + source.next()));
  for (;;) {
    const char = source.peek();
    if (char === '') throw new Incomplete("unexpected EOF while looking for matching `)'");
    if (EXTENDED_GLOB.test(source.text.slice(source.at, source.at + 2))) {
      source.nested(() => readExtendedGlob(source, parts));
      continue;
    }
    readWordPiece(source, parts);
    if (char === ')') return;
  }
}

function atWord(source: Source): boolean {
  const char = source.peek();
  return !WORD_END.has(char) || atProcess(source);
}

/** At `<(` or `>(`. */
export function atProcess(source: Source): boolean {
  const char = source.peek();
  return (char === '<' || char === '>') && source.peek(1) === '(';
}

/** The pattern after =~: parentheses and bars belong to it. */
export function readRegexWord(source: Source): Word {
  const parts = new Parts();
  let depth = 0;
  for (;;) {
    const char = source.peek();
    if (char === '' || char === '\n') break;
    if (depth === 0 && /[ \t;&)]/.test(char)) break;
    if (char === '(') depth++;
    else if (char === ')') depth--;
    readWordPiece(source, parts);
  }
  return parts.done();
}

/** Collects parts; neighbouring literals of one kind become one. */
export class Parts {
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

export function readWordPiece(source: Source, parts: Parts): void {
  if (atProcess(source)) {
    const direction = source.next() as '<' | '>';
    source.next();
    parts.add({ kind: 'process', direction, source: readParenthesised(source), quoted: false });
    return;
  }
  const char = source.next();
  switch (char) {
    case '\\':
      if (source.at >= source.text.length) parts.add(literal('\\', true));
      else parts.add(literal(source.next(), true));
      return;
    case "'":
      parts.add(literal(readSingleQuoted(source), true));
      return;
    case '"': {
      const inner = source.nested(() => readQuoted(source, '"'));
      // Empty quotes are an empty word; "$@" of nothing is none.
      if (inner.length === 0) parts.add(literal('', true));
      for (const part of inner) parts.add(part);
      return;
    }
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
  const start = source.at;
  for (;;) {
    const char = source.text[source.at++];
    if (char === undefined) throw new Incomplete("unexpected EOF while looking for matching `''");
    if (char === "'") return unescapeAnsi(source.text.slice(start, source.at - 1));
    if (char === '\\') source.at++;
  }
}

const ANSI: Readonly<Record<string, string>> = {
  n: '\n',
  t: '\t',
  r: '\r',
  a: '\x07',
  b: '\b',
  e: '\x1b',
  E: '\x1b',
  f: '\f',
  v: '\v',
};
const ANSI_ESCAPE =
  /\\(?:([0-7]{1,3})|x([0-9a-fA-F]{1,2})|u([0-9a-fA-F]{1,4})|U([0-9a-fA-F]{1,8})|c([^])|([^]))/g;

function unescapeAnsi(text: string): string {
  const bytes: string[] = [];
  const escaped = text.replace(
    ANSI_ESCAPE,
    (
      whole,
      octal?: string,
      hex?: string,
      short?: string,
      long?: string,
      control?: string,
      letter?: string,
    ) => {
      const byte = octal !== undefined ? parseInt(octal, 8) & 0xff : parseInt(hex ?? '', 16);
      if (octal !== undefined || hex !== undefined) {
        bytes.push(whole);
        return byte < 0x80 ? String.fromCharCode(byte) : String.fromCharCode(0xdc00 + byte);
      }
      const code = short ?? long;
      if (code !== undefined) return codePoint(parseInt(code, 16));
      if (control !== undefined) return String.fromCharCode(control.charCodeAt(0) & 0x1f);
      return ANSI[letter!] ?? (/['"\\?]/.test(letter!) ? letter! : whole);
    },
  );
  // Bytes given one by one may have made a character.
  const joined = bytes.length > 0 ? decodeText(encodeText(escaped)) : escaped;
  const end = joined.indexOf('\0');
  return end < 0 ? joined : joined.slice(0, end);
}

function codePoint(code: number): string {
  return code > 0x10ffff ? '\ufffd' : String.fromCodePoint(code);
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
export function readDollar(source: Source, quoted: boolean): Part {
  const char = source.peek();
  if (char === '{') {
    source.next();
    return source.nested(() => readBraced(source, quoted));
  }
  if (source.startsWith('((')) {
    const start = source.at;
    source.at += 2;
    const expression = readArithmetic(source);
    if (expression) return { kind: 'arithmetic', expression, quoted };
    source.at = start;
  }
  if (char === '[') {
    source.next();
    return { kind: 'arithmetic', expression: readSubscript(source), quoted };
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

/** After `[`: an array's subscript, or old arithmetic, up to the matching bracket. */
export function readSubscript(source: Source): Word {
  const parts = new Parts();
  for (let depth = 0; ;) {
    const char = source.peek();
    if (char === '') throw new Incomplete("unexpected EOF while looking for matching `]'");
    if (char === '[') depth++;
    else if (char === ']' && depth-- === 0) {
      source.next();
      return parts.done();
    }
    readWordPiece(source, parts);
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
        const inner = source.derive(source.text.slice(start, at).replaceAll('"', ''));
        return source.nested(() => readQuoted(inner, ''));
      } else return undefined;
    }
  }
  throw new Incomplete("unexpected EOF while looking for matching `))'");
}

/** After `$(`: the text up to the matching parenthesis. */
export function readParenthesised(source: Source): string {
  const start = source.at;
  source.nested(() => source.skipCommands(source));
  return source.text.slice(start, source.at - 1);
}

/** After a backquote: the command's text with its own escapes taken off. */
export function readBackquoted(source: Source, inQuotes: boolean): string {
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
